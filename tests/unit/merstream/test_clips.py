"""The Python functions on one clip: shapes, ranges, the bytes of the pipeline, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import merstream
from merstream import synth
from merstream.stages import STAGES, build_pipeline
from services.flow.stage import rgb_to_luma
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_records import store_record
from shared.errors import BadData, Misconfigured
from shared.images.decoding import decode_image, to_rgb
from shared.store import LocalStore
from shared.telemetry import Metrics
from shared.worker.stage_handler import process_record, read_artifact

SMALL = {"ingest": {"height": 112, "width": 96}, "magnifier": {"factors": (2.0,)}}


def moving_pattern(frames: int = 6, shift: float = 0.3) -> NDArray[np.uint8]:
    """uint8 [frames,64,80,3], moved by `shift` px to the right from frame to frame."""
    rows, columns = np.mgrid[0:64, 0:80]
    grey = [128 + 60 * np.sin((columns - shift * k) / 4) * np.sin(rows / 5) for k in range(frames)]
    return np.repeat(np.array(grey, np.uint8)[..., None], 3, axis=-1)


def test_magnified_frames_are_floats_of_every_factor() -> None:
    magnified = merstream.magnify(moving_pattern(), factors=(0.0, 2.0), fps=40.0)
    assert (magnified.shape, magnified.dtype) == ((2, 6, 64, 80, 3), np.float32)
    assert 0 <= magnified.min() < magnified.max() <= 1
    assert merstream.magnify(moving_pattern(), (1.0,), 40.0, "paper").dtype == np.float32


@pytest.mark.parametrize("grey", [True, False])
def test_flow_of_a_known_shift(grey: bool) -> None:
    frames = moving_pattern()[..., 0] if grey else moving_pattern()
    flow = merstream.optical_flow(frames[0], frames[2])
    assert (flow.shape, flow.dtype) == ((2, 64, 80), np.float32)
    assert np.allclose(flow[:, 16:48, 20:60].mean((1, 2)), (0.6, 0), atol=0.06)
    stack = merstream.optical_flow(frames[:2], frames[1:3])
    assert stack.shape == (2, 2, 64, 80)
    assert np.array_equal(stack[0], merstream.optical_flow(frames[0], frames[1]))


def test_floats_mean_the_same_as_bytes() -> None:
    first, second = moving_pattern()[0], moving_pattern()[2]
    flow = merstream.optical_flow(first, second)
    assert np.abs(merstream.optical_flow(first / 255, second / np.float32(255)) - flow).max() < 0.1
    grey = rgb_to_luma(first), rgb_to_luma(second)
    assert np.array_equal(merstream.optical_flow(*grey), flow)
    assert np.abs(merstream.optical_flow(grey[0] / 255, grey[1] / 255) - flow).max() < 1e-3


IMAGE = np.zeros((32, 40), np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (IMAGE[0], IMAGE[0], r"`first` as \[rows, columns\].*got \[40\]"),
        (np.zeros((2, 32, 40, 2), np.uint8), IMAGE, r"`first` as .*got \[2, 32, 40, 2\]"),
        (IMAGE, IMAGE[:0], r"`second` as .*got \[0, 40\]"),
        (IMAGE, IMAGE[:-1], r"of one size, got \[32, 40\] and \[31, 40\]"),
        (IMAGE.astype(int), IMAGE, "`first` as uint8, or as floats from 0 to 1, got int64"),
        (IMAGE, IMAGE + 2.0, "`second` as uint8, or as floats from 0 to 1, got float64 with 2.0 to 2.0"),
        (IMAGE, np.full(IMAGE.shape, np.nan), "`second` as uint8, or as floats from 0 to 1, got float64 with nan"),
        (IMAGE.astype(str), IMAGE, "`first` as uint8, or as floats from 0 to 1, got <U"),
    ],
)
def test_images_without_a_flow_are_refused(first: Any, second: Any, fault: str) -> None:
    with pytest.raises(BadData, match=fault):
        merstream.optical_flow(first, second)


CLIP = moving_pattern()
FRAMES_FAULT = r"frames as uint8 \[2 or more, rows, columns, 3\] in RGB, got "


@pytest.mark.parametrize(
    ("frames", "options", "fault"),
    [
        (CLIP / 255, {}, FRAMES_FAULT + "float64"),
        (CLIP[..., 0], {}, FRAMES_FAULT + r"uint8 \[6, 64, 80\]"),
        (CLIP[:1], {}, FRAMES_FAULT + r"uint8 \[1, "),
        (CLIP, {"factors": (-1.0,)}, "factors"),
        (CLIP, {"factors": (np.nan,)}, "factors"),
        (CLIP, {"factors": ()}, "at least one number for factors"),
        (CLIP, {"factors": "two"}, "numbers for factors, got 'two'"),
        (CLIP, {"factors": 2.0}, "factors"),
        (CLIP, {"fps": 0}, "fps as one finite number above 0, got 0"),
        (CLIP, {"fps": np.inf}, "fps as one finite number above 0, got inf"),
    ],
)
def test_clips_that_cannot_be_magnified_are_refused(frames: Any, options: dict[str, Any], fault: str) -> None:
    with pytest.raises(BadData, match=fault):
        merstream.magnify(frames, **options)


def test_an_unknown_profile_is_refused() -> None:
    for call in (
        lambda: merstream.magnify(CLIP, profile="papre"),
        lambda: merstream.optical_flow(CLIP[0], CLIP[1], "papre"),
        lambda: merstream.extract_features(CLIP, 0, 2, 5, 200.0, "papre"),
    ):
        with pytest.raises(Misconfigured, match="Unknown profile 'papre'"):
            call()


@pytest.mark.parametrize(
    ("positions", "fault"),
    [
        ((0, 2, 6), "0 <= onset < offset < 6 .* got onset 0, offset 6"),
        ((-1, 2, 5), "got onset -1, offset 5"),
        ((3, 3, 3), "got onset 3, offset 3"),
        ((1, 0, 5), "apex from onset 1 to offset 5, or None, got 0"),
        ((0, 5, 4), "apex from onset 0 to offset 4, or None, got 5"),
        ((0, 2.5, 5), "apex as a position in the frames, a whole number, got 2.5"),
        ((0, None, 5.0), "offset as a position in the frames, a whole number, got 5.0"),
    ],
)
def test_positions_outside_the_clip_are_refused(positions: tuple[Any, Any, Any], fault: str) -> None:
    with pytest.raises(BadData, match=fault):
        merstream.extract_features(CLIP, *positions, 200.0)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"floe": {}}, "No stage 'floe'"),
        ({"flow": {"sovler": "exact"}}, "flow has no setting 'sovler'"),
        ({"flow": {"solver": "magic"}}, "flow"),
        ({"flow": 3}, "flow"),
        ({"flow": {"solver": {1}}}, "settings"),
    ],
)
def test_settings_that_no_stage_has_are_refused(settings: Any, fault: str) -> None:
    with pytest.raises(Misconfigured, match=fault):
        merstream.extract_features(CLIP, 0, 2, 5, 200.0, settings=settings)


def test_a_clip_without_a_face_is_refused() -> None:
    with pytest.raises(BadData, match=r"ingest: frame 1 .*face"):
        merstream.extract_features(CLIP, 1, 2, 5, 200.0, settings=SMALL)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], FoundClip]:
    """A drawn clip, whole frames or face crops."""
    folder = tmp_path_factory.mktemp("drawn")
    synth.write_dataset(folder, subjects=1, clips=1, seed=1, size=(240, 320), raw=True, cropped=True)

    def find(cropped: bool) -> FoundClip:
        (found,) = discover_clips(folder, prefer="cropped" if cropped else "raw")
        assert isinstance(found, FoundClip)
        return found

    return find


def stored_features(found: FoundClip, folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays that the stages store for a clip, one after the other as in every pipeline."""
    store, metrics = LocalStore(folder), Metrics()
    pipeline = build_pipeline("corrected", SMALL)
    record = store_record(found, pipeline, "trace", store)
    for stage in STAGES:
        record, _ = process_record(stage, store, record, metrics)
    return dict(read_artifact(store, record.artifact, "features"))


@pytest.mark.parametrize("cropped", [True, False])
def test_features_have_the_bytes_that_the_stages_store(
    drawn: Callable[[bool], FoundClip], tmp_path: Path, cropped: bool
) -> None:
    found = drawn(cropped)
    files = [np.fromfile(file, np.uint8) for file in found.files]
    frames = np.stack([to_rgb(decode_image(data, "frame")) for data in files])
    assert found.apex is not None
    marks = [frame - found.onset + 1 for frame in (found.onset, found.apex, found.offset)]
    padded = np.concatenate([frames[-1:], frames, frames[:1]])
    features = merstream.extract_features(padded, *marks, found.fps, settings=SMALL, cropped=cropped)
    stored = stored_features(found, tmp_path)
    assert set(stored) == {"patches", "maps", "clip", "factors", "landmarks"}
    for name, array in stored.items():
        made = getattr(features, name)
        assert (made.dtype, made.shape) == (array.dtype, array.shape)
        assert made.tobytes() == array.tobytes(), name
    assert features.notes == ()


def test_an_apex_that_is_not_given_is_spotted(drawn: Callable[[bool], FoundClip]) -> None:
    found = drawn(True)
    files = [np.fromfile(file, np.uint8) for file in found.files]
    frames = np.stack([to_rgb(decode_image(data, "frame")) for data in files])
    features = merstream.extract_features(frames, 0, None, len(frames) - 1, found.fps, settings=SMALL, cropped=True)
    assert features.patches.shape == (1, 9, 2, 30, 7, 7)
    assert features.notes[0].startswith("no apex is coded: spotted at frame ")

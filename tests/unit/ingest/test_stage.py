import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest import crop
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source
from services.ingest.stage import STAGE
from services.ingest.steady_face_box import steady_box
from shared.errors import BadData
from shared.stage import Arrays
from shared.stage_settings.ingest import INGEST_PROFILES
from shared.store import npz
from tests.unit.ingest.drawn_people import drawn_frames

Write = Callable[..., Path]
CORRECTED, PAPER = INGEST_PROFILES["corrected"], INGEST_PROFILES["paper"]


def png(pixels: NDArray[Any]) -> bytes:
    pixels = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, ::-1])
    return cv2.imencode(".png", pixels)[1].tobytes()


def source(files: list[bytes], apex: int = 2, cropped: bool = False) -> Arrays:
    """As `pack` writes it and the artifact codec returns it: frames 1, 2, ..."""
    packed = {
        "data": np.frombuffer(b"".join(files), np.uint8),
        "ends": np.cumsum([len(file) for file in files]),
        "names": np.array([f"img{n}.png" for n in range(1, len(files) + 1)]),
        "numbers": np.arange(1, len(files) + 1),
        "onset": np.array(1),
        "apex": np.array(apex),
        "offset": np.array(len(files)),
        "fps": np.array(200.0),
        "kind": np.array("frames"),
        "cropped": np.array(cropped),
        "notes": np.array(["frame 2 is missing: frame 1 is shown instead"]),
    }
    return npz.unpack_arrays(npz.pack_arrays(packed))


def shade(frames: Sequence[NDArray[np.uint8]]) -> list[bytes]:
    """Files of frames of which each is a level darker: no camera records a frame twice."""
    return [png(np.clip(frame.astype(int) - step, 0, 255).astype(np.uint8)) for step, frame in enumerate(frames)]


def run(packed: Arrays, **changed: object) -> Arrays:
    return STAGE.compute({"source": packed}, CORRECTED.model_copy(update=changed))


def test_one_crop_for_the_clip_set_by_the_onset_frame(face: NDArray[np.uint8]) -> None:
    """The face moves; the crop does not follow it."""
    moved = np.roll(face, 8, axis=1)
    back = np.roll(face, -4, axis=1)
    out = run(source([png(face), png(moved), png(back)]))
    rectangle = crop.crop_around_face(steady_box(face, 1, CORRECTED.box_passes), 280, 224, CORRECTED.margin)
    expected = np.stack([crop.cut_crop(frame, rectangle, 280, 224) for frame in (face, moved, back)])
    np.testing.assert_array_equal(out["frames"], expected)
    assert [out[name].item() for name in ("onset", "apex", "offset", "fps")] == [0, 1, 2, 200.0]
    assert out["notes"].tolist() == ["frame 2 is missing: frame 1 is shown instead"]


def test_equal_inputs_give_equal_bytes(face: NDArray[np.uint8]) -> None:
    packed = source(shade([face] * 4), apex=-1)
    assert npz.pack_arrays(run(packed)) == npz.pack_arrays(run(packed))


def test_ready_crops_are_only_scaled(face: NDArray[np.uint8]) -> None:
    blank = np.full_like(face, 77)
    out = run(source([png(face), png(blank)], cropped=True))
    np.testing.assert_array_equal(out["frames"][0], crop.fit_frame(face, 280, 224))
    assert (out["frames"][1] == 77).all()


def test_every_clip_has_the_size_of_the_settings(face: NDArray[np.uint8]) -> None:
    for cropped in (True, False):
        out = run(source(shade([face] * 2), cropped=cropped), height=140, width=112)
        assert out["frames"].shape == (2, 140, 112, 3)


def test_grey_and_16_bit_frames(face: NDArray[np.uint8]) -> None:
    grey = face.mean(axis=2).astype(np.uint8)
    darker = grey // 2
    out = run(source([png(grey), png(darker)]))
    deep = run(source([png(grey.astype(np.uint16) << 8), png(darker.astype(np.uint16) << 8)]))
    np.testing.assert_array_equal(out["frames"][..., 0], out["frames"][..., 2])
    np.testing.assert_array_equal(deep["frames"], out["frames"])
    assert deep["notes"].tolist()[1:] == ["16-bit frames: the upper 8 bits of each value were kept"]


def test_the_face_of_a_later_frame_serves_where_the_onset_shows_none(face: NDArray[np.uint8]) -> None:
    blank = np.full_like(face, 90)
    out = run(source([*shade([blank] * 2), *shade([face] * 2)], apex=4))
    rectangle = crop.crop_around_face(steady_box(face, 1, CORRECTED.box_passes), 280, 224, CORRECTED.margin)
    np.testing.assert_array_equal(out["frames"][2], crop.cut_crop(face, rectangle, 280, 224))
    assert out["frames"].shape[0] == 4
    assert out["notes"].tolist()[1:] == ["no face was found in img1.png: the crop was set by img3.png"]


def test_no_face_up_to_the_apex(face: NDArray[np.uint8]) -> None:
    blank = png(np.full_like(face, 90))
    with pytest.raises(BadData, match=r"^img1.png \(and 1 frames after it\): expected one face .*, got none .*; check"):
        run(source([blank, blank, png(face)], apex=2))


def test_a_text_file_among_the_frames(face: NDArray[np.uint8]) -> None:
    with pytest.raises(BadData, match=r"^img2.png: expected a whole image, got text that begins with 'hello'; copy"):
        run(source([png(face), b"hello", png(face)]))


def test_a_truncated_frame(face: NDArray[np.uint8]) -> None:
    jpeg = cv2.imencode(".jpg", face)[1].tobytes()
    with pytest.raises(BadData, match=r"^img3.png: expected a whole image, got one that is cut off or damaged"):
        run(source([jpeg, jpeg, jpeg[:-500]]))


def test_frames_of_two_sizes(face: NDArray[np.uint8]) -> None:
    with pytest.raises(
        BadData, match=r"^img2.png: expected 260x240 px like the clip's first frame, got 250x240 px; export"
    ):
        run(source([png(face), png(face[:, :250])]))


def test_a_clip_of_one_frame(face: NDArray[np.uint8]) -> None:
    with pytest.raises(
        BadData, match="expected a clip of two frames or more, got onset 1 and offset 1; correct the sheet"
    ):
        run(source([png(face)], apex=1))


def test_files_that_do_not_match_the_span(face: NDArray[np.uint8]) -> None:
    with pytest.raises(BadData, match="expected 3 files for onset 1 to offset 3, got 2; run discovery"):
        run(source([png(face)] * 2) | {"offset": np.array(3)})  # type: ignore[operator]


def test_an_absent_apex_is_spotted_or_refused(face: NDArray[np.uint8]) -> None:
    smiling = face.copy()
    smiling[110:140, 110:150] = smiling[108:138, 110:150]
    packed = source(shade([face, face, smiling, face, face]), apex=-1)
    out = run(packed, spot_window=0.0)
    assert out["apex"].item() == 2
    assert out["notes"].tolist()[1:] == ["no apex is coded: spotted at frame 3"]
    with pytest.raises(BadData, match="expected a coded apex between onset 1 and offset 5, got none; profile `paper`"):
        STAGE.compute({"source": packed}, PAPER)


def test_an_apex_on_the_onset_is_spotted_or_kept(face: NDArray[np.uint8]) -> None:
    packed = source(shade([face] * 4), apex=1)
    out = run(packed)
    assert out["apex"].item() > 0
    assert out["notes"].tolist()[1:] == [
        f"the coded apex is the onset frame: spotted at frame {1 + out['apex'].item()}"
    ]
    assert STAGE.compute({"source": packed}, PAPER)["apex"].item() == 0


def test_the_profiles_differ_in_nothing_else() -> None:
    differing = {name for name, value in CORRECTED if getattr(PAPER, name) != value}
    assert differing == {"absent_apex", "apex_at_onset"}


def test_from_folder_to_clip(tmp_path: Path, write_video: Write) -> None:
    write_video(tmp_path / "Vidéo 1.avi", 9)
    header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
    (tmp_path / "clips.csv").write_text(f"{header}\nlab,1,v,Vidéo 1.avi,2,4,7,30,,\n", encoding="utf-8")
    (clip,) = discover_clips(tmp_path)
    assert isinstance(clip, FoundClip)
    out = STAGE.compute({"source": pack_source(clip)}, CORRECTED)
    assert out["frames"].shape == (6, 280, 224, 3)
    assert [out[name].item() for name in ("onset", "apex", "offset", "fps")] == [0, 2, 5, 30.0]


def test_true_times_are_carried_on_and_an_even_clip_has_none(face: NDArray[np.uint8]) -> None:
    packed = source(shade([face] * 4))
    times = np.array([0.0, 0.005, 0.02, 0.025])
    out = run({**packed, "times": times})
    np.testing.assert_array_equal(out["times"], times)
    even = run(packed)
    assert npz.pack_arrays({name: array for name, array in out.items() if name != "times"}) == npz.pack_arrays(even)
    for wrong in (times[:3], times[::-1]):
        with pytest.raises(BadData, match="expected 4 times of frames that increase, got"):
            run({**packed, "times": wrong})


def test_the_apex_of_an_uneven_clip_is_spotted_over_its_true_times() -> None:
    """A strong frame 0.1 s from its neighbours, and ten weaker ones of which each is 5 ms from the next."""
    strengths = [0, 2.5, 0, *[1.5] * 10, 0]
    times = np.array([0.0, 0.1, 0.2, *(0.21 + 0.005 * np.arange(10)), 0.26])
    packed = source([png(frame) for frame in drawn_frames(1, strengths, noise=0.3)], apex=-1, cropped=True)
    assert run({**packed, "times": times})["apex"].item() == 1
    assert run(packed)["apex"].item() > 3


def test_a_frame_that_repeats_the_one_before_it_is_told_and_many_are_refused(face: NDArray[np.uint8]) -> None:
    files = shade([face] * 8)
    for cropped in (True, False):
        out = run(source([*files[:3], files[2], *files[4:]], cropped=cropped))
        assert out["notes"].tolist()[1:] == ["1 of 8 frames are byte for byte the frame before them: 4"]
        with pytest.raises(BadData, match=r"^3 of 8 frames are byte for byte the frame before them: 2, 4, 6; export"):
            run(source([files[number // 2 * 2 if number < 6 else number] for number in range(8)], cropped=cropped))


def test_a_row_names_the_face(face: NDArray[np.uint8]) -> None:
    """Two faces side by side, the right one in half the light."""
    packed = source(shade([np.concatenate([face, face // 2], axis=1)] * 3))
    with pytest.raises(BadData, match=r"^img1.png: expected one face, got 2, at x .*; name the face in the column"):
        run(packed)
    light = {}
    for named in ("left", "right", "140 110", f"{face.shape[1] + 140} 110"):
        out = run({**packed, "face": np.array(named)})
        light[named] = out["frames"][0, 60:220, 50:174].mean()
        assert len(out["notes"]) == 2  # the other face is told
    assert light["left"] == light["140 110"] > 1.8 * light["right"]
    assert light["right"] == light[f"{face.shape[1] + 140} 110"]


def test_memory_does_not_grow_with_the_frames_of_a_clip(face: NDArray[np.uint8]) -> None:
    """60 frames of 1280x720 are 166 MB decoded; beside the result only a few of them are held at a time."""
    large = np.pad(face, ((200, 280), (500, 520), (0, 0)), mode="edge")
    packed = source([cv2.imencode(".jpg", np.clip(large, step, 255))[1].tobytes() for step in range(60)])
    tracemalloc.start()
    out = run(packed, height=40, width=32, upsample=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - out["frames"].nbytes < 8 * large.nbytes


@pytest.mark.parametrize(
    ("name", "value"),
    [("onset", None), ("fps", np.array("x")), ("offset", np.zeros(2)), ("kind", np.zeros(0)), ("ends", np.array(3))],
)
def test_other_arrays_than_those_of_a_packed_clip_are_named(name: str, value: NDArray[Any] | None) -> None:
    arrays = {**source([b"1", b"2", b"3"]), name: value}
    with pytest.raises(BadData, match="expected the arrays of a packed clip, got others"):
        STAGE.compute({"source": {key: each for key, each in arrays.items() if each is not None}}, CORRECTED)

"""Long videos on disk: equal bytes for equal arguments, exact time stamps, and a truth that says what was drawn."""

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from merstream.app import app
from merstream.commands.synth import parse_frame_size
from merstream.synth import compose_long_video, long_truth, read_truth, write_long_videos
from merstream.synth.long_dataset import encode_frames
from merstream.synth.long_events import KINDS, LongVideoSettings
from merstream.synth.long_truth import describe_truth, list_overlaps
from shared.errors import BadData, Misconfigured

SIZE = (96, 128)
BUSY = LongVideoSettings(micro=60, macro=20, blink=60, speech=20, posture=20, light=20)
PAGE = Path(__file__).parents[4] / "docs/reference/long-video-truth.md"


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    write_long_videos(folder, 1, 2, seed=5, size=SIZE, seconds=2, fps=60, settings=BUSY)
    return folder


def test_equal_arguments_give_equal_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    write_long_videos(tmp_path / "same", 1, 2, seed=5, size=SIZE, seconds=2, fps=60, settings=BUSY)
    write_long_videos(tmp_path / "other", 1, 2, seed=6, size=SIZE, seconds=2, fps=60, settings=BUSY)
    same, other = digests(tmp_path / "same"), digests(tmp_path / "other")
    assert list(same) == [f"sub01/video0{number}.{end}" for number in (1, 2) for end in ("json", "mp4")]
    assert same == digests(folder)
    assert not set(same.values()) & set(other.values())
    assert len(set(same.values())) == 4


def test_a_video_that_is_there_is_not_drawn_again(folder: Path, tmp_path: Path) -> None:
    arguments = {"seed": 5, "size": SIZE, "seconds": 0.5, "fps": 60}
    (truth,) = write_long_videos(tmp_path, 1, 1, **arguments)  # type: ignore[arg-type]
    video = truth.with_suffix(".mp4")
    video.write_bytes(b"untouched")
    write_long_videos(tmp_path, 1, 1, **arguments)  # type: ignore[arg-type]
    assert video.read_bytes() == b"untouched"
    write_long_videos(tmp_path, 1, 1, **arguments, crf=30)  # type: ignore[arg-type]
    assert video.read_bytes() != b"untouched"
    whole = digests(tmp_path)
    truth.write_text("{}")
    write_long_videos(tmp_path, 1, 1, **arguments, crf=30)  # type: ignore[arg-type]
    assert digests(tmp_path) == whole


def test_decoded_frames_are_the_drawn_ones_at_exact_times(folder: Path) -> None:
    video = compose_long_video(5, 1, 2, seconds=2, fps=60, size=SIZE, settings=BUSY)
    with av.open(str(folder / "sub01/video02.mp4")) as source:
        frames = [(frame.time, frame.to_ndarray(format="gray")) for frame in source.decode(video=0)]
        assert source.streams.video[0].average_rate == 60
    assert [time for time, _ in frames] == [pytest.approx(index / 60, abs=1e-12) for index in range(120)]
    for index in (0, 61, 119):
        drawn = cv2.cvtColor(video.draw_frame(index), cv2.COLOR_RGB2YUV_I420)[: SIZE[0]].astype(float)
        assert np.abs(frames[index][1] - (drawn - 16) * 255 / 219).mean() < 3.0


def test_uneven_frames_are_stored_at_their_own_times(tmp_path: Path) -> None:
    (truth,) = write_long_videos(tmp_path, 1, 1, seed=5, size=SIZE, seconds=1, fps=30, variable=True)
    video = compose_long_video(5, 1, seconds=1, fps=30, size=SIZE, variable=True)
    assert read_truth(truth).variable_rate
    with av.open(str(truth.with_suffix(".mp4"))) as source:
        times = [frame.time for frame in source.decode(video=0)]
    assert times == [pytest.approx(video.seconds_of(index), abs=1e-9) for index in range(30)]
    assert np.std(np.diff(times)) > 0.003


def test_a_lossless_video_keeps_every_luma_value(tmp_path: Path) -> None:
    video = compose_long_video(5, 1, seconds=0.2, fps=30, size=SIZE)
    frames = [video.draw_frame(index) for index in range(video.frame_count)]
    encode_frames(tmp_path / "v.mp4", frames, video, crf=0)
    with av.open(str(tmp_path / "v.mp4")) as source:
        decoded = [frame.to_ndarray()[: SIZE[0]] for frame in source.decode(video=0)]
    for drawn, kept in zip(frames, decoded, strict=True):
        np.testing.assert_array_equal(cv2.cvtColor(drawn, cv2.COLOR_RGB2YUV_I420)[: SIZE[0]], kept)


def test_the_truth_states_the_events_that_were_drawn(folder: Path) -> None:
    drawn = compose_long_video(5, 1, 1, seconds=2, fps=60, size=SIZE, settings=BUSY)
    assert read_truth(folder / "sub01/video01.json") == describe_truth(drawn, "video01.mp4", 10)
    video = compose_long_video(5, 1, 1, seconds=60, fps=60, size=SIZE, settings=BUSY)
    truth = describe_truth(video, "video01.mp4", 10)
    assert {event.kind for event in truth.events} == set(KINDS)
    for stated, event in zip(truth.events, video.events, strict=True):
        assert (stated.onset_seconds, stated.offset_seconds) == pytest.approx((event.onset, event.offset), abs=1e-6)
        assert abs(stated.onset_frame / 60 - event.onset) <= 1 / 120 + 1e-9
        assert abs(stated.apex_frame / 60 - event.apex) <= 1 / 120 + 1e-9
        if event.kind in ("micro", "macro"):
            assert stated.emotion
            alone = replace(video, events=[event])
            peaks = dict(zip(alone.units, alone.state_at(event.apex).weights, strict=True))
            for unit in stated.action_units:
                side = "" if unit.side == "both" else unit.side[0].upper()
                assert unit.peak_px == pytest.approx(peaks[f"{unit.au}{side}"], abs=1e-3)
                assert unit.peak_eye_distances == pytest.approx(unit.peak_px / truth.eye_distance_px, rel=1e-3)
        if event.kind == "blink":
            assert {unit.au for unit in stated.action_units} <= {45, 46}
        assert (stated.speech is not None) == (event.kind == "speech")
        assert (stated.posture is not None) == (event.kind == "posture")
        assert (stated.light is not None) == (event.kind == "light")


def test_events_name_those_that_share_their_time() -> None:
    events = compose_long_video(5, 1, seconds=40, size=SIZE, settings=BUSY).events
    for first, others in enumerate(list_overlaps(events)):
        meets = [
            other
            for other in range(len(events))
            if other != first
            and events[first].onset < events[other].offset
            and events[other].onset < events[first].offset
        ]
        assert list(others) == meets


def test_another_file_is_no_truth(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text('{"format": 2}')
    with pytest.raises(BadData, match="expected the truth of a drawn video, format 1; format is 2"):
        read_truth(tmp_path / "v.json")


def test_the_page_describes_every_field_of_the_truth() -> None:
    page = PAGE.read_text(encoding="utf-8")
    parts = [part for part in vars(long_truth).values() if isinstance(part, type) and issubclass(part, BaseModel)]
    names = {name for part in parts if part.__module__ == long_truth.__name__ for name in part.model_fields}
    assert len(names) > 40
    assert not [name for name in names if f"`{name}`" not in page]
    assert not [name for name in LongVideoSettings.model_fields if f"`{name}`" not in page]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("640", "expected WIDTHxHEIGHT"),
        ("641x480", "expected even numbers"),
        ("480x640", "a width of the height to four"),
        ("64x48", "expected a height of 96 to 2160"),
    ],
)
def test_a_size_that_cannot_be_drawn_is_refused(text: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        parse_frame_size(text)
    assert parse_frame_size("1280x720") == (720, 1280)


def test_the_command_draws_long_videos_and_refuses_their_options_for_clips(tmp_path: Path) -> None:
    arguments = ["synth", str(tmp_path), "--long", "--subjects", "1", "--seconds", "2", "--fps", "10", "--jobs", "1"]
    done = CliRunner().invoke(app, [*arguments, "--size", "128x96", "--difficulty", "hard", "--crf", "20"])
    assert done.exit_code == 0, done.output
    truth = read_truth(tmp_path / "sub01/video01.json")
    assert (truth.fps, truth.frames, truth.width, truth.height, truth.crf) == (10, 20, 128, 96, 20)
    assert truth.noise_grey_levels == 1.8
    refused = CliRunner().invoke(app, ["synth", str(tmp_path), "--fps", "10"])
    assert isinstance(refused.exception, Misconfigured)
    assert str(refused.exception) == "--fps: expected --long beside it, because clips have one size and rate."

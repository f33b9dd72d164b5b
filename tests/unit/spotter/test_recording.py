"""Recordings of all kinds: true times, whole frames, and a sentence for what cannot be read."""

import re
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.spotter.recorded_frames import RecordedFrame, Recording
from services.spotter.recording import open_recording
from shared.errors import BadData
from tests.unit.shared.video.coded import USUAL_CODECS, draw, number_of, write
from tests.unit.shared.video.test_fields import distance, woven
from tests.unit.shared.video.test_reading import damaged, noisy

TICK = Fraction(1, 90000)


def read(recording: Recording, start: float = 0.0) -> list[RecordedFrame]:
    return list(recording.read_frames(start))


def numbers(frames: list[RecordedFrame]) -> list[int]:
    return [number_of(frame.pixels) for frame in frames]


def same(frames: list[RecordedFrame], others: list[RecordedFrame]) -> bool:
    return [(each.index, each.seconds) for each in frames] == [(each.index, each.seconds) for each in others] and all(
        np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, others, strict=True)
    )


@pytest.mark.parametrize(("name", "how"), USUAL_CODECS)
def test_a_later_start_gives_the_same_frames(tmp_path: Path, name: str, how: dict[str, object]) -> None:
    recording = open_recording(write(tmp_path / name, range(60), **how))  # type: ignore[arg-type]
    whole = read(recording)
    assert numbers(whole) == list(range(60))
    assert [frame.index for frame in whole] == list(range(60))
    for start in (0.01, 0.7, 1.4):
        assert same(read(recording, start), [frame for frame in whole if frame.seconds >= start - 1e-6])
    assert read(recording, 2.0) == []


def test_facts_of_a_video(tmp_path: Path) -> None:
    facts = open_recording(write(tmp_path / "a.mp4", range(60))).facts
    assert facts == ("a.mp4", 60, 30.0, 2.0, (160, 96), False, ())


def test_times_of_a_variable_rate_are_those_of_the_stamps(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ticks = np.cumsum(rng.integers(1500, 6000, 40)).tolist()
    recording = open_recording(write(tmp_path / "a.mp4", dict(enumerate(ticks)), base=TICK))
    frames = read(recording)
    assert [frame.seconds for frame in frames] == pytest.approx([(tick - ticks[0]) / 90000 for tick in ticks], abs=2e-4)
    assert recording.facts.variable_rate
    assert recording.facts.fps == pytest.approx(39 / ((ticks[-1] - ticks[0]) / 90000), rel=0.02)


def test_a_given_rate_replaces_the_stamps(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "a.mp4", range(20)), fps=200)
    assert [frame.seconds for frame in read(recording)] == [place / 200 for place in range(20)]
    assert recording.facts.fps == 200
    assert recording.facts.seconds == 0.1
    assert recording.remarks == ("the file says 30 frames/s; 200 frames/s were taken, as asked for",)


def test_stamps_that_go_back_go_on_at_the_usual_distance(tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / f"{name}.ts", numbers).read_bytes()
        for name, numbers in (("a", range(20)), ("b", range(20, 40)))
    )
    file = tmp_path / "joined.ts"
    file.write_bytes(first + second)
    recording = open_recording(file)
    frames = read(recording)
    assert numbers(frames) == list(range(40))
    steps = np.diff([frame.seconds for frame in frames])
    assert steps == pytest.approx(np.full(39, 1 / 30), abs=1e-3)
    assert "1 of 40 time stamps do not rise: the frames there follow at the usual distance" in recording.remarks


def test_a_header_without_a_rate(tmp_path: Path) -> None:
    file = write(tmp_path / "a.avi", range(20), "mjpeg", pixels="yuvj420p")
    data = bytearray(file.read_bytes())
    at = data.index(b"strh") + 8
    data[at + 20 : at + 28] = bytes(8)  # dwScale and dwRate
    main = data.index(b"avih") + 8
    data[main : main + 4] = bytes(4)  # microseconds a frame
    file.write_bytes(data)
    frames = read(open_recording(file, fps=50))
    assert numbers(frames) == list(range(20))
    assert [frame.seconds for frame in frames] == [place / 50 for place in range(20)]
    unknown = read(open_recording(file))  # FFmpeg assumes a rate
    assert numbers(unknown) == list(range(20))
    assert np.all(np.diff([frame.seconds for frame in unknown]) > 0)


@pytest.mark.parametrize("count", [1, 7])
def test_too_few_frames_for_any_motion(tmp_path: Path, count: int) -> None:
    with pytest.raises(BadData, match=rf"a.mp4: expected a recording of at least 8 frames, got {count}; .*whole video"):
        open_recording(write(tmp_path / "a.mp4", range(count)))


def test_sound_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    with av.open(str(file), "w") as target:
        stream = target.add_stream("aac", rate=16000, layout="mono")
        for at in range(20):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 16000, 1024 * at
            target.mux(stream.encode(sound))
        target.mux(stream.encode(None))
    with pytest.raises(BadData, match=r"a.mp4: expected a video, got a file without a video stream"):
        open_recording(file)


@pytest.mark.parametrize("content", [b"", b"not a video at all", bytes(5000)])
def test_no_video(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(content)
    with pytest.raises(BadData, match=r"a.mp4: expected a video"):
        open_recording(file)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"b.mp4: expected a video file or a folder of images, got nothing there"):
        open_recording(tmp_path / "b.mp4")


def test_a_copy_that_stopped_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.avi", range(60), "mjpeg", pixels="yuvj420p")
    data = file.read_bytes()
    file.write_bytes(data[: int(0.6 * len(data))])
    recording = open_recording(file)
    frames = read(recording)
    assert 20 < len(frames) < 45
    assert numbers(frames) == list(range(len(frames)))
    lost = 60 - len(frames)
    assert recording.remarks == (f"{lost} of 60 frames are damaged or cut off in the file and are missing",)


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_frames_that_a_damaged_one_leads_to_are_left_out(tmp_path: Path, start: float) -> None:
    pictures = noisy(60)
    options = {"x264-params": "bframes=2"}
    file = write(tmp_path / "a.mp4", range(60), pictures=pictures, options=options)
    sound = read(open_recording(file))
    left = read(open_recording(damaged(file, 40)), start)  # key frames are 0, 12, 24, 36, 48
    there = [frame.index for frame in left]
    first = round(start * 30)
    assert set(range(first, 36)) | set(range(48, 60)) <= set(there)
    assert not set(there) & {41, 42, 43, 44, 45, 46, 47}
    assert same(left, [sound[index] for index in there])


@pytest.mark.parametrize("top_first", [True, False])
def test_fields_become_whole_pictures(tmp_path: Path, top_first: bool) -> None:
    pictures = woven(24, top_first)
    file = write(tmp_path / "a.mkv", range(24), "ffv1", pictures=pictures, pixels="yuv422p", interlaced=True)
    recording = open_recording(file)
    frames = read(recording)
    assert any("interlaced video" in remark for remark in recording.remarks)
    assert [frame.index for frame in frames] == list(range(24))
    for frame in frames[1:-1]:
        shown = frame.pixels[..., ::-1]
        assert distance(shown, frame.index) < distance(shown, frame.index + 0.5) * 0.75  # woven they are equal
    assert same(read(recording, 0.4), frames[12:])


def test_a_turned_phone_and_oblong_pixels(tmp_path: Path) -> None:
    turned = open_recording(write(tmp_path / "a.mp4", range(10), rotation=90))
    assert turned.facts.size == (96, 160)
    assert read(turned)[3].pixels.shape == (160, 96, 3)
    wide = open_recording(write(tmp_path / "b.mp4", range(10), aspect=Fraction(2, 1)))
    assert wide.facts.size == (320, 96)
    assert read(wide)[0].pixels.shape == (96, 320, 3)
    assert "pixels of 2:1 were scaled to square ones: 160x96 px became 320x96" in wide.remarks


def test_red_is_red(tmp_path: Path) -> None:
    red = np.zeros((96, 160, 3), np.uint8)
    red[..., 0] = 200
    file = write(tmp_path / "a.mp4", range(10), pictures=dict.fromkeys(range(10), red))
    for recording in (open_recording(file), open_recording(np.stack([red] * 10), fps=25)):
        assert read(recording)[5].pixels.reshape(-1, 3).mean(0) == pytest.approx([200, 0, 0], abs=6)


def test_ten_bits_become_eight(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "a.mp4", range(10), "libx265", pixels="yuv420p10le"))
    frames = read(recording)
    assert numbers(frames) == list(range(10))
    assert frames[0].pixels.dtype == np.uint8
    assert recording.remarks == ("video of 10 bits: it was converted to 8 bits per colour",)


def test_8k_is_searched_at_half_its_size(tmp_path: Path) -> None:
    pictures = {number: draw(number, 4320, 7680) for number in range(8)}
    file = write(tmp_path / "a.avi", range(8), "mjpeg", pixels="yuvj420p", pictures=pictures)
    recording = open_recording(file)
    assert recording.facts.size == (7680, 4320)
    assert recording.shrink == 2
    assert "frames of 7680x4320 px were searched at 1/2 of their width and height" in recording.remarks
    frame = read(recording, 0.2)[0]
    assert frame.pixels.shape == (2160, 3840, 3)
    assert frame.index == 6
    near = cv2.resize(pictures[6], (3840, 2160), interpolation=cv2.INTER_AREA)
    assert np.abs(frame.pixels.astype(int) - near).mean() < 3


def save_images(folder: Path, names: list[str], pixels: list[NDArray[np.uint8]]) -> Path:
    folder.mkdir()
    for name, each in zip(names, pixels, strict=True):
        cv2.imwrite(str(folder / name), each[..., ::-1])
    return folder


def test_images_in_natural_order(tmp_path: Path) -> None:
    names = [f"Img{number}.png" for number in range(12)]
    folder = save_images(tmp_path / "a", names, [draw(number) for number in range(12)])
    (folder / "notes.txt").write_text("no frame")
    (folder / ".img3.png").write_bytes(b"hidden")
    recording = open_recording(folder, fps=100)
    frames = read(recording)
    assert numbers(frames) == list(range(12))
    assert [frame.seconds for frame in frames] == [place / 100 for place in range(12)]
    assert np.array_equal(frames[4].pixels, draw(4))
    assert same(read(recording, 0.07), frames[7:])
    assert recording.facts == ("a", 12, 100, 0.12, (160, 96), False, ())
    assert open_recording(folder).facts.remarks == (
        "the frames' rate is not known: 30 frames/s were assumed; give it with --fps",
    )


def test_images_of_12_bits(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), draw(number)[..., 0].astype(np.uint16) << 4)
    frames = read(open_recording(folder, fps=100))
    assert np.array_equal(frames[5].pixels[..., 1], draw(5)[..., 0])


def test_a_folder_without_frames_of_one_recording(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadData, match=r"empty: expected a folder of images .*, got none"):
        open_recording(empty)
    names = [f"{number}.png" for number in range(9)]
    folder = save_images(tmp_path / "a", names, [draw(0)] * 8 + [draw(0, 200, 300)])
    with pytest.raises(BadData, match=r"8.png: expected 160x96 px like the first frame, got 300x200 px"):
        read(open_recording(folder, fps=30))


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (np.zeros((9, 20, 30), np.uint8), 30, r"expected frames uint8 \[T, H, W, 3\]"),
        (np.zeros((9, 20, 30, 3)), 30, r"expected frames uint8 \[T, H, W, 3\]"),
        (np.zeros((9, 20, 30, 3), np.uint8), None, r"expected a frame rate with frames in memory"),
        (np.zeros((9, 20, 30, 3), np.uint8), 0, r"expected a frame rate above 0 frames/s, got 0"),
        (np.zeros((9, 20, 30, 3), np.uint8), float("nan"), r"expected a frame rate above 0 frames/s, got nan"),
        (np.zeros((7, 20, 30, 3), np.uint8), 30, r"at least 8 frames, got 7"),
    ],
)
def test_frames_in_memory_that_are_none(frames: NDArray[np.uint8], fps: float | None, message: str) -> None:
    with pytest.raises(BadData, match=message):
        open_recording(frames, fps)


def test_the_digest_is_that_of_the_contents(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp4", range(10))
    digest = open_recording(file).sha256
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    copy = tmp_path / "b.mp4"
    copy.write_bytes(file.read_bytes())
    assert open_recording(copy).sha256 == digest
    assert open_recording(np.zeros((9, 20, 30, 3), np.uint8), fps=30).sha256 == ""

"""Interlaced video: whole pictures, one for one; what is progressive stays as it is, whatever its flags say."""

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import BadData
from shared.video import fields, read_video_frames
from tests.unit.shared.video import coded

COUNT = 24
FLAGGED = {"options": {"x264-params": "tff=1", "crf": "8"}}
UNFLAGGED = {"options": {"crf": "8"}}


def scene(number: int, speed: float = 4.0) -> NDArray[np.uint8]:
    """A picture [192,320,3] RGB: sharp edges that move by `speed` px a frame across a fixed ground."""
    picture = np.full((192, 320, 3), 70, np.uint8)
    picture[:, :, 1] = np.linspace(40, 160, 320, dtype=np.uint8)
    left = 40 + speed * number
    for top in (30, 110):
        box = np.array([[left, top], [left + 60, top + 8], [left + 60, top + 55], [left, top + 47]])
        cv2.fillPoly(picture, [np.int32(box * 16)], (230, 190, 150), lineType=cv2.LINE_AA, shift=4)
    return picture


def woven(count: int, top_first: bool = True, speed: float = 4.0) -> dict[int, NDArray[np.uint8]]:
    """Frames of two fields, half a frame apart: the first shows the scene at its own number."""
    found = {}
    for number in range(count):
        first, second = scene(number, speed), scene(number + 0.5, speed)  # type: ignore[arg-type]
        frame = first.copy()
        frame[int(top_first) :: 2] = second[int(top_first) :: 2]
        found[number] = frame
    return found


def read(file: Path) -> tuple[list[NDArray[Any]], list[str]]:
    notes: list[str] = []
    shown = [pixels for _, pixels in read_video_frames(np.fromfile(file, np.uint8), file.name, 2, COUNT - 3, notes)]
    return shown, notes


def distance(pixels: NDArray[Any], number: float) -> float:
    return float(np.abs(pixels[..., ::-1].astype(float) - scene(number)).mean())  # type: ignore[arg-type]


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("options", [FLAGGED, UNFLAGGED])
def test_each_frame_becomes_the_picture_of_its_first_field(
    tmp_path: Path, top_first: bool, options: dict[str, Any]
) -> None:
    """Flags may say what they like: x264 marks the order wrongly here, and the second file has none."""
    file = coded.write(
        tmp_path / "v.mp4", range(COUNT), pictures=woven(COUNT, top_first), interlaced=options is FLAGGED, **options
    )
    shown, notes = read(file)
    assert len(shown) == COUNT - 4
    for number, pixels in enumerate(shown, 2):
        assert distance(pixels, number) < 2.5
        assert distance(pixels, number) < min(distance(pixels, number - 0.5), distance(pixels, number + 0.5))
    assert notes == [
        f"interlaced video: {COUNT - 4} frames from 2 to {COUNT - 3} were made of the field taken first, the rows "
        "between were interpolated (bwdif)"
    ]
    stills = fields.measure_frames(map(as_frame, shown))
    assert not any(each.is_combed for each in stills)
    assert len({pixels.tobytes() for pixels in shown}) == len(shown)


def as_frame(pixels: NDArray[Any]) -> Any:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "bgr24")


@pytest.mark.parametrize("options", [FLAGGED, UNFLAGGED])
def test_a_progressive_video_keeps_its_bytes(tmp_path: Path, options: dict[str, Any]) -> None:
    pictures = {number: scene(number) for number in range(COUNT)}
    file = coded.write(tmp_path / "v.mp4", range(COUNT), pictures=pictures, interlaced=options is FLAGGED, **options)
    with av.open(str(file)) as container:  # planes without their flag, converted as OpenCV converts
        planes = [av.VideoFrame.from_ndarray(frame.to_ndarray(), "yuv420p") for frame in container.decode(video=0)]
    expected = [frame.to_ndarray(format="bgr24", interpolation="BICUBIC") for frame in planes]
    shown, notes = read(file)
    assert notes == []
    assert all(np.array_equal(a, b) for a, b in zip(shown, expected[2:-2], strict=True))


def test_only_the_stretch_with_fields_is_changed(tmp_path: Path) -> None:
    """Progressive up to frame 11, then fields without a flag."""
    pictures = {number: scene(number) for number in range(COUNT)} | {n: f for n, f in woven(COUNT).items() if n > 11}
    file = coded.write(tmp_path / "v.mp4", range(COUNT), pictures=pictures, **UNFLAGGED)
    capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    expected = [capture.read()[1] for _ in range(COUNT)]
    shown, notes = read(file)
    assert all(np.array_equal(shown[n - 2], expected[n]) for n in range(2, 12))
    assert all(distance(shown[n - 2], n) < 2.5 for n in range(12, COUNT - 2))
    assert "10 frames from 12 to 21" in notes[0]


def test_noise_and_stripes_are_no_combs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for level in (0, 25):
        pictures = {}
        for number in range(COUNT):
            picture = scene(number).astype(int) + rng.normal(0, level, (192, 320, 1))
            picture[60:100:2, 250:] = 200  # a striped shirt, one row on, one row off
            pictures[number] = np.clip(picture, 0, 255).astype(np.uint8)
        file = coded.write(tmp_path / f"{level}.mkv", range(COUNT), "ffv1", pixels="bgr0", pictures=pictures)
        assert read(file)[1] == []


def test_what_cannot_be_separated_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = coded.write(tmp_path / "v.mp4", range(COUNT), pictures=woven(COUNT), **UNFLAGGED)
    monkeypatch.setattr(fields, "weave_out_fields", lambda frames, measures, chosen: iter(frames))
    with pytest.raises(BadData, match=r"whose fields cannot be separated \(20 of 20 frames stay combed\); export"):
        read(file)

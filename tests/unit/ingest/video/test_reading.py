from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest.video import read_video_frames
from shared.errors import BadData

Write = Callable[..., Path]


@pytest.fixture
def video(tmp_path: Path, write_video: Write) -> NDArray[np.uint8]:
    return np.fromfile(write_video(tmp_path / "v.avi", 12), np.uint8)


def test_frames_count_from_0_and_both_ends_are_inside(video: NDArray[np.uint8]) -> None:
    read = list(read_video_frames(video, "v.avi", 3, 6))
    assert [name for name, _ in read] == [f"v.avi frame {n}" for n in (3, 4, 5, 6)]
    assert [round(float(pixels[10:30, 10:30].mean()) / 10) for _, pixels in read] == [3, 4, 5, 6]


def test_a_video_that_ends_before_the_offset(video: NDArray[np.uint8]) -> None:
    with pytest.raises(
        BadData, match=r"^v.avi: expected frames up to the offset 12, got a video of 12 frames; correct"
    ):
        list(read_video_frames(video, "v.avi", 3, 12))


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_is_no_video(content: bytes) -> None:
    with pytest.raises(BadData, match=r"^v\.mp4: expected a video, got a file that cannot be opened as one; convert"):
        list(read_video_frames(np.frombuffer(content, np.uint8), "v.mp4", 0, 1))


def test_the_temporary_file_goes_even_when_reading_stops_early(
    video: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    reading = read_video_frames(video, "Übung 1.avi", 0, 5)
    next(reading)
    assert len(list((tmp_path / "scratch").iterdir())) == 1
    reading.close()  # type: ignore[attr-defined]
    assert list((tmp_path / "scratch").iterdir()) == []

"""Whether the page embeds, links or leaves out a video."""

import base64
from pathlib import Path

import av
import numpy as np
import pytest

from merstream.prediction import playable_video
from merstream.prediction.playable_video import find_playable_source
from tests.unit.merstream.prediction import drawn_prediction as drawn


def encode(file: Path, codec: str, pixels: str = "yuv420p") -> Path:
    with av.open(str(file), "w") as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        target.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        target.mux(stream.encode())
    return file


def test_a_small_file_is_inside_the_page(tmp_path: Path) -> None:
    video = drawn.write_video(tmp_path)
    found = find_playable_source(video, tmp_path)
    assert found.embedded
    head, data = found.source.split(",")
    assert head == "data:video/mp4;base64"
    assert base64.b64decode(data) == video.read_bytes()


def test_a_large_file_is_linked_relative_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playable_video, "EMBEDDED_BYTES", 10)
    (tmp_path / "my videos").mkdir()
    video = drawn.write_video(tmp_path / "my videos")
    found = find_playable_source(video, tmp_path / "out")
    assert (found.source, found.embedded) == ("../my%20videos/overlay.mp4", False)
    assert "../my videos/overlay.mp4" in found.remark


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "mpeg4", "yuv420p"), ("a.avi", "libx264", "yuv420p"), ("a.mp4", "libx264", "yuv444p")],
)
def test_what_browsers_do_not_play_is_left_out(name: str, codec: str, pixels: str, tmp_path: Path) -> None:
    found = find_playable_source(encode(tmp_path / name, codec, pixels), tmp_path)
    assert found.source == ""
    assert "mer predict --overlay" in found.remark


def test_a_broken_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    assert find_playable_source(tmp_path / "a.mp4", tmp_path).source == ""

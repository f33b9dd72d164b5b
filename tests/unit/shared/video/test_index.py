"""Numbers and times of frames, by packets alone."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import BadData
from shared.video.index import read_file_index
from tests.unit.shared.video import coded

CODECS = {
    "a.mp4": {"codec": "libx264"},
    "b.mkv": {"codec": "libx264"},
    "c.avi": {"codec": "mpeg4", "b_frames": 2},
    "d.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "e.mp4": {"codec": "mpeg4"},
    "f.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "g.ts": {"codec": "libx264"},
}
COUNTS_EMPTY_PLACES = {"c.avi", "d.avi", "g.ts"}  # what is left out keeps its number
LOSES_PACKETS = {"g.ts"}  # where a frame is missing, data were lost


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dropped=st.sets(st.integers(1, 28), max_size=12),
    name=st.sampled_from(sorted(CODECS)),
)
def test_numbers_and_times_of_any_dropped_frames(tmp_path: Path, dropped: set[int], name: str) -> None:
    kept = [number for number in range(32) if number not in dropped]
    index = read_file_index(coded.write(tmp_path / f"{len(list(tmp_path.iterdir()))}{name}", kept, **CODECS[name]))
    assert list(index.numbers) == (kept if name in COUNTS_EMPTY_PLACES else list(range(len(kept))))
    assert [round(each * coded.RATE) for each in index.seconds] == kept
    assert index.count == index.numbers[-1] + 1
    assert index.lost == (dropped if name in LOSES_PACKETS else set())


def test_frames_before_an_edit_have_no_number(tmp_path: Path) -> None:
    """An mp4 that starts at a negative time shows only what comes later. So did OpenCV."""
    index = read_file_index(coded.write(tmp_path / "v.mp4", {number: number - 5 for number in range(20)}))
    assert (index.count, index.declared, index.numbers[0], index.seconds[0]) == (15, 20, 0, 0.0)


def test_frames_behind_an_edit_are_not_absent(tmp_path: Path) -> None:
    """A phone that trims a video keeps its packets. The file is not cut off."""
    data = coded.write(tmp_path / "v.mp4", range(60), b_frames=0).read_bytes()
    at = data.index(b"elst") + 12
    (tmp_path / "v.mp4").write_bytes(data[:at] + (1000).to_bytes(4) + data[at + 4 :])  # 1 s of 2
    index = read_file_index(tmp_path / "v.mp4")
    assert (index.count, index.absent) == (30, 0)


def test_a_video_that_starts_late_counts_from_its_first_frame(tmp_path: Path) -> None:
    index = read_file_index(coded.write(tmp_path / "v.mkv", {number: number + 50 for number in range(20)}))
    assert (index.count, index.seconds[0]) == (20, 0.0)


def test_joined_streams_are_counted_on(tmp_path: Path) -> None:
    parts = [coded.write(tmp_path / f"{first}.ts", range(first, first + 20)).read_bytes() for first in (0, 20)]
    (tmp_path / "joined.mpg").write_bytes(b"".join(parts))
    index = read_file_index(tmp_path / "joined.mpg")
    assert (index.count, index.restart) == (40, 20)


def test_joined_avis_are_counted_on(tmp_path: Path) -> None:
    parts = [coded.write(tmp_path / f"{first}.avi", range(20), "mpeg4").read_bytes() for first in (0, 20)]
    (tmp_path / "joined.avi").write_bytes(b"".join(parts))
    index = read_file_index(tmp_path / "joined.avi")
    assert (index.count, index.restart) == (40, 20)


def test_what_the_header_declares_is_kept_apart(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.mp4", range(40), container={"movflags": "+faststart"})
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 5])
    index = read_file_index(file)
    assert index.declared == 40
    assert 10 < index.count < 40


def test_chunks_of_an_avi_that_cannot_be_read_keep_their_numbers(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.avi", range(40), "mjpeg", pixels="yuvj420p")
    whole = read_file_index(file)
    first, last = (whole.packets[place].place or 0 for place in (10, 13))
    data = bytearray(file.read_bytes())
    data[first - 8 : last - 8] = bytes(last - first)
    (tmp_path / "hole.avi").write_bytes(data)
    index = read_file_index(tmp_path / "hole.avi")
    assert index.numbers == (*range(10), *range(13, 40))
    assert index.lost == {10, 11, 12}
    assert [index.packets[index.positions[place]].size for place in (10, 36)] == [
        whole.packets[place].size for place in (13, 39)
    ]


def test_facts_of_the_picture(tmp_path: Path) -> None:
    index = read_file_index(coded.write(tmp_path / "v.mp4", range(4), aspect=Fraction(16, 15)))
    assert (index.size, index.aspect, index.is_interlaced, index.codec) == ((160, 96), Fraction(16, 15), False, "h264")


def test_frames_too_large_for_memory_are_refused_by_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.video.container.MOST_PIXELS", 10_000)
    with pytest.raises(BadData, match=r"^v\.mp4: expected frames of at most 0\.01 megapixels, got 160x96 px; export"):
        read_file_index(coded.write(tmp_path / "v.mp4", range(4)))


@pytest.mark.parametrize("content", [b"", b"no video", b"#EXTM3U\n#EXTINF:1,\nother.mp4\n"])
def test_what_is_no_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(BadData, match=r"^v\.mp4: expected a video, got a file that cannot be opened as one; convert"):
        read_file_index(tmp_path / "v.mp4")


@pytest.mark.parametrize("aspect", [Fraction(100_000), Fraction(1, 100_000), Fraction(-1)])
def test_pixels_that_are_not_square_count_as_they_are_shown(tmp_path: Path, aspect: Fraction) -> None:
    """160x96 px become 16 million px by 96."""
    index = read_file_index(coded.write(tmp_path / "a.mkv", range(3)))
    with pytest.raises(BadData, match=r"a\.mkv: expected frames of at most 64 megapixels with square .* got 160x96"):
        replace(index, aspect=aspect)

"""Which recorded frames a row means, and their true times."""

from pathlib import Path

import av
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source
from services.ingest.source_reading import read_source
from services.ingest.video_locating import locate_clip
from shared.errors import BadData
from tests.unit.shared.video import coded

HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus,numbering,onset_s,apex_s,offset_s"
# Every second frame of the rise is not recorded, as phones do in low light.
LOW_LIGHT = [number for number in range(60) if number < 15 or number > 30 or number % 2]


def row(folder: Path, cells: str) -> FoundClip:
    """The clip of a row: path, onset, apex, offset, fps, numbering, and onset, apex and offset in seconds."""
    path, onset, apex, offset, fps, *rest = cells.split(",")
    line = ",".join(["lab,p,c", path, onset, apex, offset, fps, "happiness,6+12", *rest])
    (folder / "clips.csv").write_text(f"{HEADER}\n{line}\n")
    (clip,) = discover_clips(folder)
    assert isinstance(clip, FoundClip), clip
    return clip


def shown(clip: FoundClip) -> list[int]:
    """The drawn numbers of the frames that the stage decodes."""
    return [coded.number_of(frame) for _, frame in read_source(pack_source(clip)).read_frames()]


def test_an_even_video_is_counted_and_has_no_times(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", range(60))
    clip = locate_clip(row(tmp_path, "v.mp4,15,25,35,30,,,,"))
    assert (clip.span, clip.times, clip.notes) == ((15, 25, 35), (), ())
    assert shown(clip) == list(range(15, 36))
    assert "times" not in pack_source(clip)


def test_numbers_with_two_meanings_are_refused_with_both(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", LOW_LIGHT)
    with pytest.raises(
        BadData,
        match=r"^clips\.csv row 2: v\.mp4: expected .* two meanings: onset 15 is frame 15 \(0\.500 s\) by count or "
        r"frame 15 \(0\.500 s\) by time, apex 25 is frame 25 \(1\.100 s\) by count or frame 20 \(0\.833 s\) by time, "
        ".*; add a column numbering with counted or timed, or write onset_s",
    ):
        locate_clip(row(tmp_path, "v.mp4,15,25,35,30,,,,"))


@pytest.mark.parametrize(
    ("cells", "span", "pictures"),
    [
        ("15,25,35,30,timed,,,", (15, 20, 27), [15, *range(17, 31, 2), *range(31, 36)]),
        ("15,25,35,30,counted,,,", (15, 25, 35), [15, *range(17, 31, 2), *range(31, 44)]),
        (",,,30,,0.5,0.833,1.167", (15, 20, 27), [15, *range(17, 31, 2), *range(31, 36)]),
        ("15,25,35,30,,0.5,0.833,1.167", (15, 20, 27), [15, *range(17, 31, 2), *range(31, 36)]),
        ("15,20,27,30,,0.5,0.833,1.167", (15, 20, 27), [15, *range(17, 31, 2), *range(31, 36)]),
        (",,,30,,0.5,,1.167", (15, None, 27), [15, *range(17, 31, 2), *range(31, 36)]),
    ],
)
def test_ways_to_say_which(tmp_path: Path, cells: str, span: tuple[int, int | None, int], pictures: list[int]) -> None:
    coded.write(tmp_path / "v.mp4", LOW_LIGHT)
    clip = locate_clip(row(tmp_path, f"v.mp4,{cells}"))
    assert clip.span == span
    assert shown(clip) == pictures
    assert clip.times == pytest.approx([(picture - 15) / 30 for picture in pictures], abs=1e-3)
    assert pack_source(clip)["times"].tolist() == list(clip.times)
    assert "not recorded between onset and offset, by time: frames 16, 18, 20, 22, 24, 26, 28, 30" in clip.notes


def test_empty_chunks_of_an_avi_keep_their_numbers(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.avi", LOW_LIGHT, "mpeg4")
    clip = locate_clip(row(tmp_path, "v.avi,15,25,35,30,,,,"))
    assert clip.span == (15, 20, 27)
    assert shown(clip) == [15, *range(17, 31, 2), *range(31, 36)]
    assert clip.times == pytest.approx([(picture - 15) / 30 for picture in shown(clip)])


def test_empty_chunks_before_the_onset_are_told(tmp_path: Path) -> None:
    """Other programs leave them out, so that their numbers are lower."""
    coded.write(tmp_path / "v.avi", [0, *range(16, 60)], "mpeg4")
    clip = locate_clip(row(tmp_path, "v.avi,20,25,33,30,,,,"))
    assert (shown(clip), clip.times) == (list(range(20, 34)), ())
    assert clip.notes == ("15 frames before the onset were not recorded: frame numbers count their empty places",)


def test_empty_chunks_at_the_beginning_give_numbers_two_meanings(tmp_path: Path) -> None:
    data = coded.write(tmp_path / "v.avi", range(60), "mjpeg", pixels="yuvj420p").read_bytes()
    at, end = data.index(b"movi"), data.index(b"idx1")
    chunks = b"00dc\0\0\0\0" * 15 + data[at + 4 : end]
    head = data[: at - 4] + (4 + len(chunks)).to_bytes(4, "little") + b"movi"
    (tmp_path / "v.avi").write_bytes(head[:4] + (len(head) + len(chunks) - 8).to_bytes(4, "little") + head[8:] + chunks)
    with pytest.raises(BadData, match=r"begins with 15 empty frames, .* onset 20 is frame 20 .* or frame 35 .*time"):
        locate_clip(row(tmp_path, "v.avi,20,25,33,30,,,,"))
    assert shown(row(tmp_path, "v.avi,20,25,33,30,counted,,,")) == list(range(5, 19))
    assert shown(row(tmp_path, "v.avi,20,25,33,30,timed,,,")) == list(range(20, 34))


@pytest.mark.parametrize(("marked", "first"), [((0, 1), 0), ((1, 0), 100), ((1, 1), 100)])
def test_of_several_streams_the_marked_or_the_first_is_taken_and_told(
    tmp_path: Path, marked: tuple[int, int], first: int
) -> None:
    parts = [coded.write(tmp_path / f"{begin}.mkv", range(begin, begin + 40)) for begin in (100, 0)]
    with av.open(str(tmp_path / "v.mkv"), "w") as target, av.open(str(parts[0])) as a, av.open(str(parts[1])) as b:
        sources = [part.streams.video[0] for part in (a, b)]
        streams = [target.add_stream_from_template(source) for source in sources]
        for stream, mark in zip(streams, marked, strict=True):
            stream.disposition = Disposition(mark)
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.container.demux(source):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    clip = locate_clip(row(tmp_path, "v.mkv,10,15,25,30,,,,"))
    assert shown(clip) == list(range(first + 10, first + 26))
    taken = 0 if first else 1
    choice = f"the file has several video streams: stream {taken} was taken, not {1 - taken}"
    assert clip.notes == (choice,)
    with pytest.raises(BadData, match=rf"got a video of 40 frames, .* \({choice}\)$"):
        locate_clip(row(tmp_path, "v.mkv,10,15,45,30,,,,"))


def test_numbers_by_time_are_no_sign_of_a_sheet_that_counts_from_1(tmp_path: Path) -> None:
    """30 frames are recorded, the last one at the time of frame 30."""
    lines = [HEADER]
    for name in "ab":
        coded.write(tmp_path / f"{name}.mp4", [number for number in range(31) if number != 7])
        lines.append(f"lab,{name},c,{name}.mp4,10,20,30,30,happiness,6+12,timed,,,")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    for clip in discover_clips(tmp_path):
        assert isinstance(clip, FoundClip)
        assert shown(clip) == list(range(10, 31))
        assert clip.notes == ()


def test_an_apex_that_was_not_recorded_is_the_frame_before(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.avi", LOW_LIGHT, "mpeg4")
    clip = locate_clip(row(tmp_path, "v.avi,15,24,35,30,,,,"))
    assert clip.span == (15, 19, 27)
    assert "the apex frame 24 was not recorded: frame 23 was taken" in clip.notes


def test_a_hole_after_the_offset_and_jitter_change_nothing(tmp_path: Path) -> None:
    coded.write(tmp_path / "late.mp4", [number for number in range(60) if not 40 < number < 50])
    stamps = {number: 10 * number + number * 7 % 3 for number in range(60)}  # a fifth of a period, as phones do
    coded.write(tmp_path / "jitter.mp4", stamps, base=coded.Fraction(1, 300))
    for name in ("late.mp4", "jitter.mp4"):
        clip = locate_clip(row(tmp_path, f"{name},15,25,35,30,,,,"))
        assert (clip.span, shown(clip)) == ((15, 25, 35), list(range(15, 36)))
    assert clip.times == pytest.approx([(stamps[n] - stamps[15]) / 300 for n in range(15, 36)], abs=1e-3)
    assert clip.notes == ("uneven recording: each frame keeps its true time",)


@pytest.mark.parametrize("name", ["v.mkv", "v.webm"])
@pytest.mark.parametrize("rate", [24, 60, 120, 240, 300])
def test_stamps_in_milliseconds_are_even(tmp_path: Path, name: str, rate: int) -> None:
    codec = "libvpx" if name == "v.webm" else "libx264"
    coded.write(tmp_path / name, range(60), codec, base=coded.Fraction(1, rate))
    clip = locate_clip(row(tmp_path, f"{name},15,25,35,{rate},,,,"))
    assert (clip.span, clip.times, clip.notes) == ((15, 25, 35), (), ())


def test_a_rate_a_hair_off_is_no_contradiction(tmp_path: Path) -> None:
    """29.97 in the file and 30 in the sheet: after 50 s the two readings are 1.5 frames apart, and the file is even."""
    stamps = {number % 256 + 256 * (number // 256): 1001 * number for number in range(1600)}
    coded.write(tmp_path / "v.mp4", stamps, "mpeg4", base=coded.Fraction(1, 30000))
    clip = locate_clip(row(tmp_path, "v.mp4,1550,1560,1570,30,,,,"))
    assert (clip.span, clip.times) == ((1550, 1560, 1570), ())


def test_a_high_speed_recording_that_plays_slowly_is_the_sheets(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", range(60))
    clip = locate_clip(row(tmp_path, "v.mp4,15,25,35,200,,,,"))
    assert (clip.span, clip.times, clip.fps) == ((15, 25, 35), (), 200)
    with pytest.raises(BadData, match="expected fps as the video has it for seconds, got 200 in the row and 30 frames"):
        locate_clip(row(tmp_path, "v.mp4,,,,200,,0.5,0.8,1.1"))


def test_an_uneven_video_of_another_rate_is_refused(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", LOW_LIGHT)
    with pytest.raises(BadData, match="expected 200 frames per second as in the row, got an uneven video of"):
        locate_clip(row(tmp_path, "v.mp4,15,25,35,200,,,,"))


def test_frames_and_seconds_that_disagree(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", range(60))
    with pytest.raises(
        BadData, match=r"got onset 15 and onset_s 0\.9, .*; the seconds mean the frames 27, 30, 33; corr"
    ):
        locate_clip(row(tmp_path, "v.mp4,15,25,35,30,,0.9,1,1.1"))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("15,25,35,30,by hand,,,", "expected counted or timed in numbering, got 'by hand'; correct the cell."),
        (",,,30,,0.5,,", "expected both onset_s and offset_s, got one of them; fill in the other."),
        (",,,30,,0.5,0.7,half", "expected seconds from the start of the video in offset_s, got 'half'; write them as"),
        (",,,30,,0.9,0.7,0.5", "expected onset before offset, got onset_s 0.9 and offset_s 0.5; correct the cells."),
        (",25,,30,,0.5,,0.9", "expected onset and offset as frames, as seconds or as both, got a mixture; write all"),
    ],
)
def test_cells_that_cannot_be_read(tmp_path: Path, cells: str, message: str) -> None:
    coded.write(tmp_path / "v.mp4", range(3))
    (tmp_path / "clips.csv").write_text(
        f"{HEADER}\nlab,p,c,v.mp4,{','.join(cells.split(',')[:4])},,,{cells.split(',', 4)[4]}"
    )
    (clip,) = discover_clips(tmp_path)
    assert isinstance(clip, ClipProblem)
    assert f"clips.csv row 2: {message}" in clip.sentence


def test_seconds_in_a_folder_count_from_its_first_frame(tmp_path: Path, write_frames: object) -> None:
    write_frames(tmp_path / "f", range(100, 140))  # type: ignore[operator]
    clip = row(tmp_path, "f,,,,50,,0.2,0.3,0.5")
    assert (clip.onset, clip.apex, clip.offset) == (110, 115, 125)
    assert (clip.numbers[0], clip.numbers[-1]) == (110, 125)


def test_joined_recordings_within_a_clip(tmp_path: Path) -> None:
    parts = [coded.write(tmp_path / f"{first}.ts", range(first, first + 30)).read_bytes() for first in (0, 30)]
    (tmp_path / "v.mpg").write_bytes(b"".join(parts))
    with pytest.raises(
        BadData, match="expected one recording, got time stamps that begin anew at frame 30, within the"
    ):
        locate_clip(row(tmp_path, "v.mpg,20,25,35,30,,,,"))
    assert shown(locate_clip(row(tmp_path, "v.mpg,40,45,50,30,counted,,,"))) == list(range(40, 51))


def test_numbers_by_time_may_lie_beyond_the_count_of_frames(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", LOW_LIGHT)
    assert shown(locate_clip(row(tmp_path, "v.mp4,40,50,58,30,timed,,,"))) == list(range(40, 59))
    with pytest.raises(BadData, match=r"offset 58 is beyond the end by count or frame 50 \(1\.933 s\) by time; add a"):
        locate_clip(row(tmp_path, "v.mp4,40,50,58,30,,,,"))
    with pytest.raises(BadData, match="expected frames up to the offset 58, got a video of 52 frames, which count"):
        locate_clip(row(tmp_path, "v.mp4,40,50,58,30,counted,,,"))


def test_readings_that_are_neighbours_are_counted_and_told(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", [number for number in range(60) if number != 8])
    clip = locate_clip(row(tmp_path, "v.mp4,15,25,35,30,,,,"))
    assert shown(clip) == list(range(16, 37))
    assert clip.notes == ("frame numbers were counted; by time they mean neighbouring frames",)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dropped=st.sets(st.integers(1, 50), max_size=15),
    ends=st.tuples(st.integers(0, 25), st.integers(5, 25)),
    name=st.sampled_from(["v.mp4", "v.mkv", "v.avi"]),
)
def test_times_are_true_and_a_number_never_means_another_frame_unsaid(
    tmp_path: Path, dropped: set[int], ends: tuple[int, int], name: str
) -> None:
    """Of any recording: read by time, the frames at their times; by default the same or a refusal."""
    onset, offset = ends[0], sum(ends)
    kept = [number for number in range(60) if number not in dropped - {onset, offset}]
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    coded.write(folder / name, kept, "mpeg4" if name == "v.avi" else "libx264")
    timed = locate_clip(row(folder, f"{name},{onset},,{offset},30,timed,,,"))
    pictures = [number for number in kept if onset <= number <= offset]
    assert shown(timed) == pictures
    times = timed.times or [place / 30 for place in range(len(pictures))]
    assert times == pytest.approx([(picture - onset) / 30 for picture in pictures], abs=0.1 / 30 + 1e-3)
    try:
        plain = locate_clip(row(folder, f"{name},{onset},,{offset},30,,,,"))
    except BadData as fault:
        assert "two meanings" in str(fault)  # noqa: PT017 (a refusal is one of two right answers)
        return
    assert abs(shown(plain)[0] - onset) <= 1

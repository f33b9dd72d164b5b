"""Whether a sheet counts from 0 or 1 is decided once, from all rows and files of a dataset."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.catalogue.numbering import DISPUTED_NOTE, RowEvidence, decide_shift
from services.ingest.discover import discover_clips

HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
RAISED = "the frame numbers of the whole sheet are 1 less than those of the frames: 1 was added"
LOWERED = "the frame numbers of the whole sheet are 1 more than those of the frames: 1 was subtracted"
Clip = tuple[Iterable[int], int, int, int]  # numbers of the files, and onset, apex, offset in the sheet


def dataset(folder: Path, clips: Sequence[Clip], pattern: str = "img{}.jpg") -> list[FoundClip | ClipProblem]:
    rows = [HEADER]
    for index, (files, *numbers) in enumerate(clips):
        rows.append(f"lab,{index},c,{index},{','.join(map(str, numbers))},200,,")
        (folder / str(index)).mkdir()
        for number in files:
            (folder / str(index) / pattern.format(number)).touch()
    (folder / "clips.csv").write_text("\n".join(rows))
    return list(discover_clips(folder))


def read(found: list[FoundClip | ClipProblem]) -> list[tuple[int, int | None, int, str]]:
    """Onset, apex, offset and the first file's name of every clip."""
    assert all(isinstance(clip, FoundClip) for clip in found), found
    return [(clip.onset, clip.apex, clip.offset, clip.files[0].name) for clip in found if isinstance(clip, FoundClip)]


def test_folders_of_exactly_the_clip_whose_sheet_counts_from_0(tmp_path: Path) -> None:
    found = dataset(tmp_path, [(range(46, 87), 45, 58, 85), (range(10, 41), 9, 19, 39), (range(5, 21), 4, 8, 19)])
    assert read(found) == [(46, 59, 86, "img46.jpg"), (10, 20, 40, "img10.jpg"), (5, 9, 20, "img5.jpg")]
    assert [clip.notes for clip in found if isinstance(clip, FoundClip)] == [(RAISED,)] * 3


def test_rows_without_an_onset_of_0_are_raised_too(tmp_path: Path) -> None:
    found = dataset(tmp_path, [(range(1, 41), 0, 4, 9), (range(1, 41), 10, 14, 20), (range(1, 41), 20, 24, 30)])
    assert [numbers[:3] for numbers in read(found)] == [(1, 5, 10), (11, 15, 21), (21, 25, 31)]


def test_a_sheet_that_counts_from_1_over_files_that_count_from_0(tmp_path: Path) -> None:
    found = dataset(tmp_path, [(range(40), 5, 9, 40), (range(30), 12, 20, 30), (range(50), 7, 8, 19)])
    assert [numbers[:3] for numbers in read(found)] == [(4, 8, 39), (11, 19, 29), (6, 7, 18)]
    assert {clip.notes for clip in found if isinstance(clip, FoundClip)} == {(LOWERED,)}


def test_rows_that_contradict_each_other_are_not_shifted(tmp_path: Path) -> None:
    """The second row ends with the last file, so its sheet counts as the files do."""
    found = dataset(tmp_path, [(range(1, 41), 0, 4, 9), (range(1, 41), 10, 14, 40)])
    assert [numbers[:3] for numbers in read(found)] == [(1, 4, 9), (10, 14, 40)]


def test_rows_that_disagree_are_told(tmp_path: Path) -> None:
    """Three rows count from 0. The fourth ends with its last file, as if it counted from 1."""
    clips = [(range(1, 41), 0, 5, 20), (range(1, 41), 0, 7, 25), (range(1, 41), 10, 15, 20), (range(1, 41), 5, 9, 40)]
    found = dataset(tmp_path, clips)
    assert [numbers[:3] for numbers in read(found)] == [(1, 5, 20), (1, 7, 25), (10, 15, 20), (5, 9, 40)]
    assert all(isinstance(clip, FoundClip) and DISPUTED_NOTE in clip.notes for clip in found)


def test_a_slip_among_rows_that_agree_is_no_dispute(tmp_path: Path) -> None:
    found = dataset(tmp_path, [(range(1, 41), 0, 5, 20), *[(range(1, 41), 5, 9, 40)] * 3])
    assert not any(isinstance(clip, FoundClip) and DISPUTED_NOTE in clip.notes for clip in found)


def test_a_lost_file_shifts_no_dataset(tmp_path: Path) -> None:
    first, second = dataset(tmp_path, [(range(47, 87), 46, 59, 86), (range(10, 41), 10, 20, 40)])
    assert isinstance(first, ClipProblem)
    assert "expected the onset frame 46" in first.sentence
    assert isinstance(second, FoundClip)
    assert (second.onset, second.notes) == (10, ())


def test_a_lost_frame_behind_an_onset_contradicts_nothing(tmp_path: Path) -> None:
    """The sheet counts from 0. Of the second folder the onset frame 6 was lost, so the row fits only as it is."""
    whole, holed = range(1, 41), [number for number in range(1, 41) if number != 6]
    first, second, third = dataset(tmp_path, [(whole, 0, 4, 9), (holed, 5, 9, 20), (whole, 10, 14, 20)])
    assert [numbers[:3] for numbers in read([first, third])] == [(1, 5, 10), (11, 15, 21)]
    assert isinstance(second, ClipProblem)
    assert "expected the onset frame 6" in second.sentence


def test_an_onset_of_0_says_that_the_sheet_does_not_count_from_1(tmp_path: Path) -> None:
    """Files 0 to 39. Some offsets are the number of frames, one behind the last: these rows alone are refused."""
    files = range(40)
    found = dataset(tmp_path, [(files, 0, 9, 40), (files, 3, 9, 40), (files, 7, 9, 40), (files, 5, 9, 20)])
    assert [isinstance(clip, ClipProblem) for clip in found] == [True, True, True, False]
    assert read(found[3:]) == [(5, 9, 20, "img5.jpg")]


def test_folders_that_lost_their_last_files_lower_no_sheet(tmp_path: Path) -> None:
    """Files from 0. Of four recordings the ends are missing, of two of them one frame."""
    ends = [40, 40, 43, 45, 20]
    found = dataset(tmp_path, [(range(40), 5, 9, end) for end in ends])
    assert [isinstance(clip, ClipProblem) for clip in found] == [True] * 4 + [False]
    assert read(found[4:]) == [(5, 9, 20, "img5.jpg")]


def test_a_clean_dataset_is_read_as_it_is(tmp_path: Path) -> None:
    found = dataset(tmp_path, [(range(1, 41), 1, 9, 20), (range(1, 41), 5, 9, 40)])
    assert [numbers[:3] for numbers in read(found)] == [(1, 9, 20), (5, 9, 40)]
    assert {clip.notes for clip in found if isinstance(clip, FoundClip)} == {()}


def test_a_folder_whose_names_differ_is_told(tmp_path: Path) -> None:
    for index in range(2):
        dataset_folder = tmp_path / str(index)
        dataset_folder.mkdir()
        for number in range(1, 21):
            (dataset_folder / f"a{number:03}_b007.jpg").touch()
    (tmp_path / "2").mkdir()
    for number in range(1, 21):
        (tmp_path / "2" / f"a007_b{number:03}.jpg").touch()
    rows = [f"lab,{index},c,{index},5,9,15,200,," for index in range(3)]
    (tmp_path / "clips.csv").write_text("\n".join([HEADER, *rows]))
    found = [clip for clip in discover_clips(tmp_path) if isinstance(clip, FoundClip)]
    assert [clip.files[0].name for clip in found] == ["a005_b007.jpg", "a005_b007.jpg", "a007_b005.jpg"]
    assert [clip.doubts for clip in found] == [
        (),
        (),
        ("clips.csv row 4: number 2 of its file names counts the frames, number 1 in other folders",),
    ]


def write_video(file: Path, frames: int) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize(("offsets", "shift"), [((20, 16, 9), -1), ((20, 15, 9), 0), ((19, 15, 9), 0)])
def test_videos_whose_sheet_counts_from_1(tmp_path: Path, suffix: str, offsets: tuple[int, ...], shift: int) -> None:
    """The videos have 20, 16 and 12 frames, counted from 0."""
    rows = [HEADER]
    for index, (frames, offset) in enumerate(zip((20, 16, 12), offsets, strict=True)):
        write_video(tmp_path / f"{index}{suffix}", frames)
        rows.append(f"lab,{index},c,{index}{suffix},3,5,{offset},30,,")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    found = [clip for clip in discover_clips(tmp_path) if isinstance(clip, FoundClip)]
    assert [(clip.onset, clip.apex, clip.offset) for clip in found] == [
        (3 + shift, 5 + shift, offset + shift) for offset in offsets
    ]
    assert {clip.notes for clip in found} == {(LOWERED,) if shift else ()}


def test_a_single_row_with_the_length_of_its_video(tmp_path: Path) -> None:
    write_video(tmp_path / "smile.mp4", 24)
    (tmp_path / "clips.csv").write_text(f"{HEADER}\nlab,p01,smile,smile.mp4,4,13,24,30,happiness,6+12+25\n")
    (clip,) = discover_clips(tmp_path)
    assert isinstance(clip, FoundClip)
    assert (clip.onset, clip.apex, clip.offset, clip.notes) == (3, 12, 23, (LOWERED,))


def evidence(onset: int, offset: int, first: int, last: int) -> RowEvidence:
    known = range(first, last + 1)
    fits = frozenset(shift for shift in (0, 1, -1) if onset + shift in known and offset + shift in known)
    return RowEvidence(onset, offset, first, last, fits)


CUTS = st.lists(st.tuples(st.integers(2, 9000), st.integers(5, 200)), min_size=1, max_size=30)


@given(CUTS, st.sampled_from([-1, 0, 1]))
def test_exact_folders_tell_the_shift(cuts: list[tuple[int, int]], shift: int) -> None:
    rows = [evidence(first - shift, first + length - shift, first, first + length) for first, length in cuts]
    assert decide_shift(rows) == shift


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 200), st.integers(0, 50)), min_size=1, max_size=30))
def test_what_fits_as_it_is_stays(clips: list[tuple[int, int, int]]) -> None:
    """Frames before, in and after the clip."""
    rows = [
        evidence(9 + before, 9 + before + length, 9, 9 + before + length + after) for before, length, after in clips
    ]
    assert decide_shift(rows) == 0


@pytest.mark.parametrize(("count", "shift"), [(9, 1), (19, 1), (20, 0), (860, 0)])
def test_few_onsets_of_0_are_slips(count: int, shift: int) -> None:
    rows = [evidence(20, 40, 1, 100)] * (count - 1)
    assert decide_shift([evidence(0, 9, 1, 100), *rows]) == shift


def test_one_offset_behind_the_last_file_may_be_a_lost_file() -> None:
    inside = [evidence(20, 40, 0, 99)] * 9
    assert decide_shift([*inside, evidence(60, 100, 0, 99)]) == 0
    assert decide_shift([*inside, evidence(60, 100, 0, 99), evidence(50, 80, 0, 79)]) == -1

"""What sets CASME, CAS(ME)^2, CAS(ME)^3, 4DME and DFME apart from the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.catalogue.registry import recognise_layout
from services.ingest.catalogue.tree import DatasetTree
from services.ingest.discover import discover_clips
from shared.errors import BadData
from shared.inbox.reading_options import ReadingOptions

Write = Callable[..., Path]
A = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")


def book(file: Path, **pages: Sequence[Sequence[object]]) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for title, rows in pages.items():
        page = workbook.create_sheet(title.replace("_", " "))
        for row in rows:
            page.append(list(row))
    file.parent.mkdir(parents=True, exist_ok=True)
    workbook.save(file)


def touch(folder: Path, numbers: Sequence[int], pattern: str = "{}.jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / pattern.format(number)).touch()


def clips(folder: Path, how: ReadingOptions | None = None) -> list[FoundClip]:
    found = list(discover_clips(folder, reading=how))
    assert all(isinstance(clip, FoundClip) for clip in found), found
    return found  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (("Subject", "Filename", "OnsetF", "ApexF1", "ApexF2", "OffsetF", "AU", "Emotion"), "casme"),
        (
            (
                *("Subject", "Filename", "OnsetFrame", "ApexFrame", "x", "OffsetFrame"),
                *("Action Units", "Estimated Emotion"),
            ),
            "casme2",
        ),
    ],
)
def test_equal_trees_are_told_apart_by_their_sheets(tmp_path: Path, header: Sequence[str], key: str) -> None:
    book(tmp_path / "coding.xlsx", Sheet1=[header, (3, "EP07_1", 99, 101, "", 103, "4", "disgust")])
    touch(tmp_path / "sub03/EP07_1", range(97, 105), "EP07_1-{:03}.jpg")
    assert recognise_layout(DatasetTree(tmp_path)).key == key
    (clip,) = clips(tmp_path)
    assert (clip.onset, clip.apex, clip.offset) == (99, 101, 103)
    assert [file.name for file in clip.files][:2] == ["EP07_1-099.jpg", "EP07_1-100.jpg"]


@pytest.fixture
def squared(tmp_path: Path) -> Path:
    codes = [
        (1, "disgust1_1", 2, 4, 0, "4+9", "negative", "micro-expression", "disgust"),
        (1, "disgust1_2", 10, 12, 14, "4", "negative", "macro-expression", "disgust"),
        (1, "disgust1_3", 20, 22, 24, "4", "negative", "micro-expression", "disgust"),
    ]
    pages = {"naming_rule1": [(1, None, "s15")], "naming_rule2": [(101, "disgust1")]}
    book(tmp_path / "code_final.xlsx", codes=codes, **pages)
    touch(tmp_path / "rawpic/s15/15_0101disgustingteeth", range(1, 31), "img{:03}.jpg")
    return tmp_path


def test_a_sheet_without_a_header_and_two_pages_of_names(squared: Path) -> None:
    first, second = clips(squared)
    assert first.sample.identity.endswith("/15/15_0101_2")
    assert (first.onset, first.apex, first.offset, first.fps) == (2, 4, 4, 30.0)
    assert first.notes == ("the sheet has no offset: the apex 4 was taken for it",)
    assert (second.sample.clip, second.offset, second.notes) == ("15_0101_20", 24, ())


def test_without_the_pages_of_names(squared: Path) -> None:
    book(squared / "code_final.xlsx", codes=[(1, "disgust1_1", 2, 4, 0, "4", "negative", "micro", "disgust")])
    with pytest.raises(
        BadData, match=r"and the pages 'naming rule1' and 'naming rule2', got code_final.xlsx \[codes\]"
    ):
        discover_clips(squared)


def test_a_cell_of_a_sheet_without_header_is_named_by_its_column(squared: Path) -> None:
    workbook = openpyxl.load_workbook(squared / "code_final.xlsx")
    workbook["codes"]["C3"] = "twenty"
    workbook.save(squared / "code_final.xlsx")
    problem = list(discover_clips(squared))[1]
    assert isinstance(problem, ClipProblem)
    assert problem.sentence == (
        "code_final.xlsx [codes] row 3: expected a whole frame number in column C, got 'twenty'; correct the cell."
    )


def casme3a(folder: Path, *rows: Sequence[object]) -> Path:
    book(folder / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", label=[A, *rows])
    book(folder / "cas(me)3_part_A_MaE_label_JpgIndex_v2.xlsx", label=[A, ("spNO.1", "a", 1, 5, 9, "4", 4, "fear")])
    touch(folder / "part_A/spNO.1/a/color", range(1, 40))
    touch(folder / "part_A/spNO.1/a/depth", range(1, 40))
    touch(folder / "part_A/spNO.3/J/color", range(8, 40))
    return folder


def test_several_expressions_of_one_recording_and_the_macro_sheet(tmp_path: Path) -> None:
    rows = [("spNO.1", "a", 3, 5, 9, "4+7", 4, "Disgust"), ("spNO.1", "a", 20, 20, 26, "12", 1, "happy")]
    first, second = clips(casme3a(tmp_path, *rows))
    assert [clip.sample.clip for clip in (first, second)] == ["a_3", "a_20"]
    assert {clip.files[0].parent.name for clip in (first, second)} == {"color"}
    assert (first.sample.subject, first.sample.emotion, second.apex) == ("001", "disgust", 20)


def test_a_folder_in_another_case_and_a_subject_as_a_number(tmp_path: Path) -> None:
    (clip,) = clips(casme3a(tmp_path, (3, "j", 9, 10, 12, "4", 4, "fear")))
    assert (clip.sample.subject, clip.sample.clip) == ("003", "J_9")


def test_frames_that_count_from_one_where_the_row_counts_from_zero(tmp_path: Path) -> None:
    (clip,) = clips(casme3a(tmp_path, ("spNO.1", "a", 0, 0, 9, "4", 4, "fear")))
    assert (clip.onset, clip.apex, clip.offset) == (1, 1, 10)
    assert clip.notes == ("the frame numbers of the whole sheet are 1 less than those of the frames: 1 was added",)


def test_one_onset_of_0_among_many_rows_is_a_slip(tmp_path: Path) -> None:
    """CAS(ME)^3 A has one such row of 860."""
    rows = [("spNO.1", "a", onset, onset + 1, onset + 9, "4", 4, "fear") for onset in range(21)]
    first, *others = clips(casme3a(tmp_path, *rows))
    assert (first.onset, first.apex, first.offset) == (1, 1, 9)
    assert first.notes == ("the onset 0 was taken for 1: the files count from 1",)
    assert [clip.onset for clip in others] == list(range(1, 21))
    assert {clip.notes for clip in others} == {()}


def test_known_contradictions_are_problems_or_notes(tmp_path: Path) -> None:
    rows = [
        ("spNO.1", "a", 20, 12, 26, "4", 4, "fear"),  # apex before onset
        ("spNO.1", "a", 35, 30, 21, "4", 4, "fear"),  # onset after offset
        ("spNO.1", "a", 30, 32, 0, "4", 4, "fear"),  # offset 0
        ("spNO.3", "J", 1, 5, 9, "4", 4, "fear"),  # the first frames are missing
    ]
    apex, swapped, zero, cut = discover_clips(casme3a(tmp_path, *rows))
    assert isinstance(apex, FoundClip)
    assert apex.apex is None
    assert apex.notes == ("the coded apex 12 lies outside onset 20 to offset 26 and was treated as absent",)
    for problem, got in (
        (swapped, "got Onset (column C) 35 and Offset (column E) 21; correct"),
        (zero, "got Onset (column C) 30 and Offset (column E) 0; correct"),
        (cut, "expected the onset frame 1 in color, got 8 to 39 without it"),
    ):
        assert isinstance(problem, ClipProblem)
        assert got in problem.sentence


def test_units_between_commas_of_any_width_and_no_apex(tmp_path: Path) -> None:
    header = ("sub", "count", "onset", "offset", "au", "emotion")
    book(tmp_path / "part_C.xlsx", Sheet1=[header, (2, 1, 5, 9, "4，7,L12", "negative")])
    touch(tmp_path / "part_C/spNO.2/1/color", range(1, 12))
    assert recognise_layout(DatasetTree(tmp_path)).key == "casme3c"
    (clip,) = clips(tmp_path)
    assert (clip.apex, [str(unit) for unit in clip.sample.aus]) == (None, ["4", "7", "L12"])


def test_clips_cut_out_of_their_recording_count_from_their_first_frame(tmp_path: Path) -> None:
    header = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs", "Positive")
    rows = [("S13", "S13_1st_001_01_1", "Negative", 1201, 1204, 1210, "4+45 (k)", 0)]
    book(tmp_path / "labels.xlsx", Sheet1=[header, *rows])
    touch(tmp_path / "gray_micro/S13/S13_1st_001_01_1", range(10), "Frame_{:09}.jpg")
    (clip,) = clips(tmp_path)
    assert (clip.onset, clip.apex, clip.offset, clip.fps) == (0, 3, 9, 60.0)
    assert clip.notes == ("frames are counted from the clip's own first",)
    assert [str(unit) for unit in clip.sample.aus] == ["4"]
    assert clip.label_notes[0].endswith("action units '4+45 (k)': 45 (k) in doubt and left out")


@pytest.mark.parametrize(("part", "fps", "rate"), [("A", None, 500.0), ("B", None, 300.0), ("D", 120, 120.0)])
def test_the_rate_is_that_of_the_sheet_or_of_the_part(tmp_path: Path, part: str, fps: object, rate: float) -> None:
    header = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "Fps")
    book(tmp_path / "DFME.xlsx", Sheet1=[header, (7, "c1", 1, 3, 5, "disgust", fps)])
    touch(tmp_path / f"USTC_MEv4_part{part}_sub0007/micro/disgust/c1", range(1, 8))
    (clip,) = clips(tmp_path)
    assert (clip.sample.subject, clip.fps) == ("0007", rate)
    assert clips(tmp_path, ReadingOptions(fps=90.0))[0].fps == 90.0

"""Coding sheets that went through Excel, WPS and pandas: the values that are read, what is told, what is refused."""

import datetime
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles import Font

from services.ingest.catalogue import workbook_limits
from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from shared.errors import BadData
from shared.inbox.reading_options import ReadingOptions
from tests.dataset_layouts import FORMS, full_size_clips, write
from tests.dataset_layouts.write import EMPTY

HEADER = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"]
ROWS: list[list[object]] = [
    ["1", "EP02_01f", 46, 49, 52, "4+12", "happiness"],
    ["1", "EP03_02", 10, 12, 15, "R12+L14", "others"],
    ["2", "EP01_01", 5, 9, 12, "1+2", "surprise"],
]
VALUES = [
    ("01", 46, 49, 52, "happiness", "4 12"),
    ("01", 10, 12, 15, "others", "R12 L14"),
    ("02", 5, 9, 12, "surprise", "1 2"),
]
Edit = Callable[[Any], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for subject, clip, onset, _, offset, *_ in ROWS:
        frames = tmp_path / "set/CASME2_RAW_selected" / f"sub{int(str(subject)):02}" / str(clip)
        frames.mkdir(parents=True)
        for number in range(int(str(onset)), int(str(offset)) + 1):
            (frames / f"img{number}.jpg").touch()
    return tmp_path / "set"


def book(folder: Path, edit: Edit = lambda sheet: None, name: str = "CASME2-coding.xlsx") -> Path:
    workbook = openpyxl.Workbook()
    for row in (HEADER, *ROWS):
        workbook.active.append(row)
    edit(workbook.active)
    workbook.save(folder / name)
    return folder


def text(folder: Path, content: str, name: str = "coding.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(content.encode(encoding))
    return folder


def lines(delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(map(str, row)) for row in (HEADER, *ROWS)) + "\n"


def values(clips: list[FoundClip | ClipProblem]) -> list[tuple[object, ...]]:
    assert all(isinstance(clip, FoundClip) for clip in clips), clips
    samples = [clip.sample for clip in clips if isinstance(clip, FoundClip)]
    return [(s.subject, s.onset, s.apex, s.offset, s.emotion, " ".join(map(str, s.aus))) for s in samples]


def put(cell: str, value: object) -> Edit:
    return lambda sheet: setattr(sheet[cell], "value", value)


def first_two(clips: list[FoundClip | ClipProblem]) -> tuple[ClipProblem, FoundClip]:
    """A problem of the first row, and the second row as ever."""
    problem, clip = clips[:2]
    assert isinstance(problem, ClipProblem)
    assert isinstance(clip, FoundClip)
    assert values(clips[1:]) == VALUES[1:]
    return problem, clip


@pytest.mark.parametrize("name", ["CASME2-coding.xlsx", "CASME2-CODING.XLSX", "coding.xlsm"])
def test_a_clean_sheet_has_no_notes(folder: Path, name: str) -> None:
    clips = list(discover_clips(book(folder, name=name)))
    assert values(clips) == VALUES
    assert not any(clip.notes or clip.label_notes or clip.doubts for clip in clips if isinstance(clip, FoundClip))


@pytest.mark.parametrize(
    ("content", "name", "encoding"),
    [
        (lines("\t"), "coding.csv", "utf-16"),
        (lines("\t"), "coding.txt", "utf-8"),
        (lines("\t"), "Coding.TSV", "utf-8"),
        (lines(";"), "coding.CSV", "utf-8-sig"),
        (re.sub(r",(\d+),(\d+),(\d+),", r",\1.0,\2.0,\3.0,", lines()), "coding.csv", "utf-8"),
    ],
)
def test_sheets_of_text(folder: Path, content: str, name: str, encoding: str) -> None:
    clips = list(discover_clips(text(folder, content, name, encoding)))
    assert values(clips) == VALUES
    assert not any(clip.label_notes for clip in clips if isinstance(clip, FoundClip))


def test_units_without_quotation_marks_leave_the_label_in_its_place(folder: Path) -> None:
    clips = list(discover_clips(text(folder, lines().replace("4+12", "4,12"))))
    assert values(clips) == VALUES
    assert isinstance(clips[0], FoundClip)
    assert clips[0].label_notes == (
        "coding.csv row 2: 8 cells for 7 columns: the units without quotation marks read as 4+12",
    )


def store_results(file: Path, results: dict[str, object]) -> None:
    """Put values beside formulas, as a spreadsheet program stores them: {formula: value}."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    page = parts["xl/worksheets/sheet1.xml"].decode()
    for formula, value in results.items():
        page = re.sub(rf"(<f>{re.escape(formula)}</f>)<v\s*/?>(</v>)?", rf"\1<v>{value}</v>", page)
    parts["xl/worksheets/sheet1.xml"] = page.encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("result", [16, None])
def test_units_that_a_spreadsheet_added_up(folder: Path, result: object) -> None:
    book(folder, put("F2", "=4+12"))
    if result:
        store_results(folder / "CASME2-coding.xlsx", {"4+12": result})
    clips = list(discover_clips(folder))
    assert values(clips) == VALUES
    assert isinstance(clips[0], FoundClip)
    assert clips[0].label_notes == (
        "CASME2-coding.xlsx [Sheet] row 2: Action Units (column F): the formula '=4+12' read as the units 4+12, not as "
        "its sum",
    )


@pytest.mark.parametrize(
    ("cell", "value", "got"),
    [
        (
            "F2",
            datetime.datetime(2024, 4, 12),
            "Action Units (column F), got a date or time (2024-04-12 00:00:00), which",
        ),
        (
            "B2",
            datetime.datetime(2024, 1, 2),
            "such as 1-2, 2.1 or 1/2; type the entry again in a cell of the format Text",
        ),
        ("D2", datetime.time(1, 2), "ApexFrame (column D), got a date or time (01:02:00), which"),
        ("G2", "#REF!", "Estimated Emotion (column G), got the spreadsheet's error #REF!; correct the cell"),
        ("F2", "#N/A", "Action Units (column F), got the spreadsheet's error #N/A; correct the cell"),
        ("G2", "12", "a word in Estimated Emotion (column G), as in the other rows, got '12'; correct the cell"),
        ("A2", None, "a subject, got an empty cell"),
        ("F2", "=4*12", "a formula that was never calculated ('=4*12'); open the file in a spreadsheet program"),
    ],
)
def test_values_that_were_lost_are_refused_with_the_cell(folder: Path, cell: str, value: object, got: str) -> None:
    problem, _ = first_two(list(discover_clips(book(folder, put(cell, value)))))
    assert problem.sentence.startswith("CASME2-coding.xlsx [Sheet] row 2: expected ")
    assert got in problem.sentence


def test_a_decimal_number_is_no_pair_of_units(folder: Path) -> None:
    clips = list(discover_clips(book(folder, put("F2", 4.12))))
    assert values(clips)[0][-1] == ""
    assert isinstance(clips[0], FoundClip)
    assert "'4.12' was not understood and left out" in clips[0].label_notes[0]


def test_zero_width_characters_and_blanks_of_other_kinds(folder: Path) -> None:
    def edit(sheet: Any) -> None:
        sheet["A2"], sheet["B2"], sheet["G2"] = "\u200b1", "EP02_01f\u00a0", "happiness\u200b"

    clips = list(discover_clips(book(folder, edit)))
    assert values(clips) == VALUES
    assert isinstance(clips[0], FoundClip)
    assert [note.partition(": ")[2] for note in clips[0].label_notes] == [
        "Subject (column A): U+200B, which nobody sees, left out of '1'",
        "Estimated Emotion (column G): U+200B, which nobody sees, left out of 'happiness'",
    ]


def test_a_hidden_row_is_read_and_told(folder: Path) -> None:
    clips = list(discover_clips(book(folder, lambda sheet: setattr(sheet.row_dimensions[3], "hidden", True))))
    assert values(clips) == VALUES
    assert isinstance(clips[0], FoundClip)
    assert clips[0].label_notes == (
        "CASME2-coding.xlsx [Sheet]: row(s) 3 are hidden in the sheet, and were read as the others",
    )


def strike_row(sheet: Any) -> None:
    for cell in sheet[2]:
        cell.font = Font(strike=True)


def strike_half(sheet: Any) -> None:
    sheet["F2"] = CellRichText("4+", TextBlock(InlineFont(strike=True), "12"))


@pytest.mark.parametrize(
    ("edit", "column"), [(strike_row, "Subject (column A)"), (strike_half, "Action Units (column F)")]
)
def test_what_is_struck_out_is_refused(folder: Path, edit: Edit, column: str) -> None:
    problem, _ = first_two(list(discover_clips(book(folder, edit))))
    assert f"expected a cell that counts in {column}, got " in problem.sentence
    assert "struck out; delete the row, or remove the line through it." in problem.sentence


def test_a_remark_that_is_struck_out_changes_nothing(folder: Path) -> None:
    def edit(sheet: Any) -> None:
        sheet["H1"], sheet["H2"] = "Remarks", "old"
        sheet["H2"].font = Font(strike=True)

    assert values(list(discover_clips(book(folder, edit)))) == VALUES


def test_text_in_several_fonts_is_its_text(folder: Path) -> None:
    rich = CellRichText("happi", TextBlock(InlineFont(b=True), "ness"))
    assert values(list(discover_clips(book(folder, put("G2", rich))))) == VALUES


@pytest.mark.parametrize("same", [True, False])
def test_a_column_twice(folder: Path, same: bool) -> None:
    def edit(sheet: Any) -> None:
        sheet["H1"] = "ApexFrame"
        for row in (2, 3, 4):
            sheet[f"H{row}"] = sheet[f"D{row}"].value if same or row < 4 else 7

    book(folder, edit)
    if same:
        assert values(list(discover_clips(folder))) == VALUES
        return
    with pytest.raises(BadData, match=r"'ApexFrame' once, .* \(columns D and H\), with '9' and '7' in row 4; remove"):
        discover_clips(folder)


@pytest.mark.parametrize("name", ["coding.xls", "coding.ods", "coding.numbers"])
def test_sheets_of_other_programs_are_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(BadData, match=rf"{name}: expected a sheet as \.xlsx or \.csv, got .*save it as \.xlsx"):
        discover_clips(folder)
    assert values(list(discover_clips(book(folder)))) == VALUES  # beside the sheet it hinders nothing


def test_a_text_file_beside_a_sheet_is_none(folder: Path) -> None:
    text(book(folder), lines("\t"), "copy.txt")
    assert values(list(discover_clips(folder))) == VALUES


def test_a_worksheet_that_would_not_fit_into_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_limits, "PART_BYTES", 1000)
    with pytest.raises(BadData, match=r"CASME2-coding\.xlsx: expected worksheets of .*; delete the empty rows"):
        discover_clips(book(folder))


def test_a_struck_out_objective_class_counts_only_where_it_is_the_label(folder: Path) -> None:
    book(folder)
    workbook = openpyxl.Workbook()
    for row in (("Subject", "Filename", "Objective Class"), (1, "EP02_01f", 3), (1, "EP03_02", 4), (2, "EP01_01", 5)):
        workbook.active.append(row)
    workbook.active["B2"].font = Font(strike=True)
    workbook.save(folder / "objective.xlsx")
    assert values(list(discover_clips(folder))) == VALUES
    problem, second, _ = discover_clips(folder, reading=ReadingOptions(labels="objective"))
    assert isinstance(problem, ClipProblem)
    assert "objective.xlsx [Sheet] row 2: expected a cell that counts in Filename" in problem.sentence
    assert isinstance(second, FoundClip)
    assert second.sample.emotion == "4"


def test_objective_classes_are_found_by_names_in_another_case_and_a_missing_row_is_told(folder: Path) -> None:
    book(folder)
    workbook = openpyxl.Workbook()
    for row in (("Subject", "Filename", "Objective Class"), ("sub01", "ep2_01F", 3), (1, "EP03_02", 4)):
        workbook.active.append(row)
    workbook.save(folder / "objective.xlsx")
    clips = list(discover_clips(folder, reading=ReadingOptions(labels="objective")))
    found = [clip for clip in clips if isinstance(clip, FoundClip)]
    assert [clip.sample.emotion for clip in found] == ["3", "4", None]
    assert [len(clip.label_notes) for clip in found] == [0, 0, 1]
    assert "row 4: the sheet with the label objective has no row for this clip" in found[2].label_notes[0]


@pytest.mark.parametrize("key", FORMS)
def test_published_layouts_have_no_notes_on_their_tables(tmp_path: Path, key: str) -> None:
    clips = list(discover_clips(write(tmp_path / "set", FORMS[key], full_size_clips(key)[:60], EMPTY, kinds=[0])))
    found = [clip for clip in clips if isinstance(clip, FoundClip)]
    assert len(found) == len(clips)
    remarks = {note.partition(": ")[2] for clip in found for note in clip.label_notes}
    known = ("doubtful, all units named were kept", "45(k) in doubt and left out")  # the sheets' own doubts
    assert all(remark.endswith(known) for remark in remarks), remarks

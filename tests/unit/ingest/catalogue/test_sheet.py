from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from services.ingest.catalogue.casme2 import CASME2
from services.ingest.catalogue.sheet import CodingSheet
from services.ingest.catalogue.sheet import find_coding_sheet as find
from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData

Write = Callable[..., Path]
ROW = (1, "EP02_01f", 8, 10, 12, "4", "happiness")
ROLES = dict(zip(CASME2.columns, ROW, strict=True))


def coding_sheet(folder: Path) -> CodingSheet:
    tree = DatasetTree(folder)
    return find(tree.tables, CASME2.columns, CASME2.needed_roles, folder, tree.faults)


def test_columns_by_name_with_gaps_and_rows_with_their_numbers(tmp_path: Path, write_sheet: Write) -> None:
    write_sheet(tmp_path, [ROW, [None] * 7, ROW])
    rows = list(coding_sheet(tmp_path).read_rows())
    assert [row.location for row in rows] == ["CASME2-coding.xlsx [Sheet] row 2", "CASME2-coding.xlsx [Sheet] row 4"]
    assert rows[0].cells == ROLES
    assert rows[0].column_labels["apex"] == "ApexFrame (column E)"


def test_case_and_white_space_of_names_do_not_matter(tmp_path: Path, write_sheet: Write) -> None:
    header = ["subject", " File name", None, "Onset Frame", "APEXFRAME", "offset_frame", None, "Action\nUnits"]
    write_sheet(tmp_path, [ROW], [*header, "estimated emotion"])
    assert [row.cells for row in coding_sheet(tmp_path).read_rows()] == [ROLES]


def test_a_preamble_above_the_header(tmp_path: Path, write_sheet: Write) -> None:
    file = write_sheet(tmp_path, [ROW])
    workbook = openpyxl.load_workbook(file)
    workbook.active.insert_rows(1, 5)
    workbook.active["A1"] = "Subject matter of this sheet"
    workbook.save(file)
    assert [row.location for row in coding_sheet(tmp_path).read_rows()] == ["CASME2-coding.xlsx [Sheet] row 7"]


def test_a_subject_merged_over_its_rows(tmp_path: Path, write_sheet: Write) -> None:
    file = write_sheet(tmp_path, [ROW, (None, "EP02_02f", 8, 10, 12, "4", "happiness")])
    workbook = openpyxl.load_workbook(file)
    workbook.active.merge_cells("A2:A3")
    workbook.save(file)
    assert [row["subject"] for row in coding_sheet(tmp_path).read_rows()] == [1, 1]


def test_a_sheet_one_level_down_and_lock_files(tmp_path: Path, write_sheet: Write) -> None:
    write_sheet(tmp_path / "docs", [ROW])
    (tmp_path / "~$CASME2-coding.xlsx").write_bytes(b"lock")
    assert coding_sheet(tmp_path).name == "CASME2-coding.xlsx [Sheet]"


def test_a_sheet_formatted_to_its_last_row_ends(tmp_path: Path, write_sheet: Write) -> None:
    file = write_sheet(tmp_path, [ROW])
    workbook = openpyxl.load_workbook(file)
    workbook.active.cell(1_000_000, 3).value = "x"
    workbook.save(file)
    assert len(list(coding_sheet(tmp_path).read_rows())) == 1


def test_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(
        BadData, match=r"expected a coding sheet \(\.xlsx or \.csv\) with the columns Subject, .*, got none; copy"
    ):
        coding_sheet(tmp_path)


def test_a_needed_column_is_missing(tmp_path: Path, write_sheet: Write) -> None:
    header = [
        "Subject",
        "Filename",
        None,
        "OnsetFrame",
        "Peak",
        "OffsetFrame",
        None,
        "Action Units",
        "Estimated Emotion",
    ]
    write_sheet(tmp_path, [ROW], header)
    with pytest.raises(BadData) as error:
        coding_sheet(tmp_path)
    assert str(error.value) == (
        "CASME2-coding.xlsx [Sheet] row 1: expected the column 'ApexFrame', got 'Subject', 'Filename', 'OnsetFrame', "
        "'Peak', 'OffsetFrame', 'Action Units', 'Estimated Emotion'; name the columns as the dataset does."
    )


def test_an_empty_sheet(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "empty.xlsx")
    with pytest.raises(BadData, match=r"empty.xlsx \[Sheet\] row \d: expected the column 'Subject', .*, got no text;"):
        coding_sheet(tmp_path)


def test_two_sheets(tmp_path: Path, write_sheet: Write) -> None:
    write_sheet(tmp_path, [ROW], name="a.xlsx")
    write_sheet(tmp_path, [ROW], name="b.xlsx")
    with pytest.raises(
        BadData, match=r"expected one coding sheet, got a.xlsx \[Sheet\] and b.xlsx \[Sheet\]; keep one"
    ):
        coding_sheet(tmp_path)


def test_a_second_workbook_without_the_columns_is_no_coding_sheet(tmp_path: Path, write_sheet: Write) -> None:
    write_sheet(tmp_path, [ROW], name="coding.xlsx")
    write_sheet(tmp_path, [ROW], ["Subject", "Filename", "Objective Class"], name="ObjectiveClasses.xlsx")
    assert coding_sheet(tmp_path).name == "coding.xlsx [Sheet]"


def test_a_file_that_is_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "coding.xlsx").write_text("Subject,Filename")
    with pytest.raises(
        BadData, match=r"^coding.xlsx: expected an .xlsx workbook, got a file that cannot be opened .*; save"
    ):
        coding_sheet(tmp_path)

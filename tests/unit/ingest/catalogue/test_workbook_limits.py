"""Workbooks that would take gigabytes or hours are refused by a count in their XML, the others are read as before."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.ingest import zip_directory
from services.ingest.catalogue.spreadsheet import read_tables
from services.ingest.catalogue.workbook_limits import MERGED_CELLS, MOST_ROWS, PART_BYTES
from shared.errors import BadData

Edit = Callable[[Any], object]


def fill_far_column(sheet: Any) -> None:
    """17 thousand million cells by their bounding box, a few kilobytes of file."""
    for row in range(1, 1_048_576, 499):
        sheet.cell(row, 16_384).value = "x"


def save(edit: Edit, file: Path) -> Path:
    workbook = openpyxl.Workbook()
    workbook.active.append(["subject", "clip"])
    edit(workbook.active)
    workbook.save(file)
    return file


def replace_part(file: Path, part: str, content: bytes) -> Path:
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (parts | {part: content}).items():
            archive.writestr(name, data)
    return file


def wrap_rows(rows: str, more: str = "") -> bytes:
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{name}"><sheetData>{rows}</sheetData>{more}</worksheet>'.encode()


ROW = '<row r="1"><c r="A1"><v>1</v></c></row>'
HOSTILE: dict[str, tuple[bytes, str]] = {
    "rows": (
        wrap_rows("".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, MOST_ROWS + 2))),
        f"expected at most {MOST_ROWS} rows in a worksheet, got {MOST_ROWS + 1} in xl/worksheets/sheet1.xml; delete",
    ),
    "rows without numbers": (wrap_rows("<row><c><v>1</v></c></row>" * (MOST_ROWS + 1)), "got 50001 in"),
    "merged area": (
        wrap_rows(ROW, '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
        f"expected at most {MERGED_CELLS} cells in merged areas and links in a worksheet, got {16_384 * 1_048_576} in",
    ),
    "link": (wrap_rows(ROW, '<hyperlinks><hyperlink ref="A1:XFD1048576"/></hyperlinks>'), "merged areas and links"),
    "formats": (wrap_rows("<row>" + '<c s="0"/>' * 500_001 + "</row>"), "cells, with those that only have a format"),
    "blanks": (b" " * (PART_BYTES + 1), "expected worksheets of 16 MB at most, got xl/worksheets/sheet1.xml with"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_worksheet_that_is_too_large_is_refused(case: str, tmp_path: Path) -> None:
    content, sentence = HOSTILE[case]
    file = replace_part(save(lambda sheet: None, tmp_path / "coding.xlsx"), "xl/worksheets/sheet1.xml", content)
    with pytest.raises(BadData, match=r"coding\.xlsx: expected") as refused:
        read_tables(file)
    assert sentence in str(refused.value)


def test_few_cells_far_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected at most 64 columns in a worksheet, got 16384 in"):
        read_tables(save(fill_far_column, tmp_path / "coding.xlsx"))


def test_formats_and_strays_far_from_the_clips_do_no_harm(tmp_path: Path) -> None:
    def edit(sheet: Any) -> None:
        sheet.cell(1, 16_384).number_format = "0.00"
        sheet.cell(1_000_000, 3).value = "x"
        sheet.merge_cells("A3:A5")
        sheet["A3"], sheet["B4"] = "s", "c"

    (table,) = read_tables(save(edit, tmp_path / "coding.xlsx"))
    assert table.rows[:5] == (("subject", "clip"), (None, None), ("s", None), ("s", "c"), ("s", None))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(b"a\n" * (MOST_ROWS + 1), "got 50001 rows and 0 cells"), (b"," * 3_200_001, "got 0 rows and 3200001 cells")],
)
def test_a_text_of_too_many_rows_or_cells_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_bytes(data)
    with pytest.raises(BadData, match=r"clips\.csv: expected at most 50000 rows of 64 columns, ") as refused:
        read_tables(tmp_path / "clips.csv")
    assert sentence in str(refused.value)


def test_a_long_list_of_contents_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}", b"")
    zip_directory.check_zip_directory(buffer, "a.zip", most=10_000)
    with pytest.raises(BadData, match=r"a\.zip: expected a list of contents of at most 0 MiB in a \.zip"):
        zip_directory.check_zip_directory(buffer, "a.zip", most=1000)


def test_a_part_that_cannot_be_unpacked_is_a_sentence(tmp_path: Path) -> None:
    file = save(lambda sheet: None, tmp_path / "clips.xlsx")
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
    start = part.header_offset + 30 + len(part.filename)
    data[start : start + 8] = b"\xff" * 8  # no block of deflate begins so
    file.write_bytes(data)
    with pytest.raises(BadData, match=r"clips\.xlsx: expected an \.xlsx workbook, got a file that cannot be opened"):
        read_tables(file)


def test_a_damaged_list_of_parts_is_a_sentence(tmp_path: Path) -> None:
    file = save(lambda sheet: None, tmp_path / "clips.xlsx")
    data = bytearray(file.read_bytes())
    data[data.index(b"PK\1\2")] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadData, match=r"clips\.xlsx: expected an \.xlsx workbook, got a file that cannot be opened"):
        read_tables(file)

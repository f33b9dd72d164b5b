"""Sheets as grids of cells, from workbooks (every worksheet) and from files of text."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
from openpyxl.cell.rich_text import CellRichText, TextBlock  # type: ignore[import-untyped]

from shared.errors import BadData
from shared.tables.cells import cell_text
from shared.tables.table import Place, Table, parse_csv

BLANK_ROWS = 500  # this many blank rows end a sheet that is formatted down to its last row
WORKSHEET_BYTES = 16 << 20  # largest worksheet, unpacked: about 40,000 rows. openpyxl needs 50 times as much memory
TEXT_BYTES = 64 << 20  # largest csv
TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")


def read_tables(file: Path) -> list[Table]:
    """Every worksheet of a workbook, or the one table of a text file. Raises BadData for a file that is neither."""
    if file.suffix.lower() not in TEXT_SUFFIXES:
        return list(_read_workbook(file))
    if (size := file.stat().st_size) > TEXT_BYTES:
        raise BadData(f"{file.name}: expected a table of {TEXT_BYTES >> 20} MB at most, got {size >> 20} MB; split it.")
    return [parse_csv(file.read_bytes(), file.name, file.stem)]


def _read_workbook(file: Path) -> Iterator[Table]:
    data = file.read_bytes()
    _check_sizes(file.name, data)
    values = _open_workbook(file, data, True)
    written = _open_workbook(file, data, False) if _parts_contain(data, rb"<f[ >/]", "xl/worksheets/") else None
    any_struck = _parts_contain(data, rb"<strike", "xl/")
    for worksheet in values.worksheets:
        rows = _cell_grid(worksheet)
        struck = _struck_cells(worksheet, len(rows)) if any_struck else frozenset()
        _spread_merged_cells(worksheet, rows)
        yield Table(
            name=f"{file.name} [{worksheet.title}]",
            title=worksheet.title,
            rows=tuple(map(tuple, rows)),
            formulas=_formulas(written[worksheet.title], len(rows)) if written else {},
            struck=struck,
            hidden=frozenset(row for row, its in worksheet.row_dimensions.items() if its.hidden),
        )


def _check_sizes(name: str, data: bytes) -> None:
    """Raise BadData for a worksheet that would not fit into memory."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in archive.infolist():
            if part.filename.startswith("xl/") and part.filename.endswith(".xml") and part.file_size > WORKSHEET_BYTES:
                raise BadData(
                    f"{name}: expected worksheets of {WORKSHEET_BYTES >> 20} MB at most, got {part.filename} with "
                    f"{part.file_size >> 20} MB; delete the empty rows and columns beyond the last clip."
                )


def _open_workbook(file: Path, data: bytes, values: bool) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and validations that it does not keep
            return openpyxl.load_workbook(io.BytesIO(data), data_only=values, rich_text=True)
    except Exception as error:  # a broken archive makes the parser raise any error
        raise BadData(
            f"{file.name}: expected an .xlsx workbook, got a file that cannot be opened ({error}); "
            "save it as .xlsx again."
        ) from error


def _parts_contain(data: bytes, pattern: bytes, prefix: str) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [name for name in archive.namelist() if name.startswith(prefix) and name.endswith(".xml")]
        return any(re.search(pattern, archive.read(name)) for name in parts)


def _formulas(written: Any, rows: int) -> dict[Place, str]:
    return {
        (cell.row, cell.column): str(getattr(cell.value, "text", cell.value))  # an array formula is an object
        for cells in written.iter_rows(max_row=max(rows, 1))
        for cell in cells
        if cell.data_type == "f"
    }


def _struck_cells(worksheet: Any, rows: int) -> frozenset[Place]:
    return frozenset(
        (cell.row, cell.column)
        for cells in worksheet.iter_rows(max_row=max(rows, 1))
        for cell in cells
        if cell.value is not None and (cell.font.strike or _any_part_struck(cell.value))
    )


def _any_part_struck(value: object) -> bool:
    parts = value if isinstance(value, CellRichText) else ()
    return any(isinstance(part, TextBlock) and part.font.strike for part in parts)


def _cell_grid(worksheet: Any) -> list[list[object]]:
    rows: list[list[object]] = []
    blank = 0
    for cells in worksheet.iter_rows(values_only=True):
        rows.append([str(cell) if isinstance(cell, CellRichText) else cell for cell in cells])
        blank = 0 if any(cell_text(cell) for cell in cells) else blank + 1
        if blank == BLANK_ROWS:
            break
    return rows


def _spread_merged_cells(worksheet: Any, rows: list[list[object]]) -> None:
    """Copy the value of a cell that is merged over several rows into each of them, in its first column."""
    for area in worksheet.merged_cells.ranges:
        for row in range(area.min_row, min(area.max_row, len(rows))):
            rows[row][area.min_col - 1] = rows[area.min_row - 1][area.min_col - 1]

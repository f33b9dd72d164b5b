"""Sheets as grids of cells, from workbooks (every worksheet) and from files of text."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
from openpyxl.cell.rich_text import CellRichText, TextBlock  # type: ignore[import-untyped]

from services.ingest.catalogue.workbook_limits import BLANK_ROWS, MOST_COLUMNS, MOST_ROWS, check_workbook
from shared.errors import BadData
from shared.inbox.names import TEXT_SUFFIXES
from shared.tables.cells import cell_text
from shared.tables.table import DELIMITERS, Place, Table, parse_csv

SHEET_BYTES = 64 << 20  # largest file
SheetReader = Callable[[Path], list[Table]]


def read_tables(file: Path) -> list[Table]:
    """Every worksheet of a workbook, or the one table of a text file. Raises BadData for a file that is neither."""
    if (size := file.stat().st_size) > SHEET_BYTES:
        raise BadData(
            f"{file.name}: expected a table of {SHEET_BYTES >> 20} MB at most, got {size >> 20} MB; split it."
        )
    if file.suffix.lower() not in TEXT_SUFFIXES:
        return list(_read_workbook(file))
    data = file.read_bytes()
    _check_text_size(file.name, data)
    return [parse_csv(data, file.name, file.stem)]


def _check_text_size(name: str, data: bytes) -> None:
    """Raise BadData for more rows or cells than a worksheet may have."""
    rows = max(data.count(b"\n"), data.count(b"\r"))
    cells = max(data.count(delimiter.encode()) for delimiter in DELIMITERS)
    if rows > MOST_ROWS or cells > MOST_ROWS * MOST_COLUMNS:
        raise BadData(
            f"{name}: expected at most {MOST_ROWS} rows of {MOST_COLUMNS} columns, got {rows} rows and {cells} cells; "
            "delete what lies beyond the last clip, or divide the dataset."
        )


def _read_workbook(file: Path) -> Iterator[Table]:
    data = file.read_bytes()
    check_workbook(file.name, data)
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
    """Whether a part that can be read has the pattern. openpyxl has read all that it needs."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.startswith(prefix) and name.endswith(".xml"):
                with suppress(Exception):  # damage makes zipfile and zlib raise any error
                    if re.search(pattern, archive.read(name)):
                        return True
    return False


def _list_cells(worksheet: Any) -> Iterator[Any]:
    """The cells that the file has. `iter_rows` would make every other one up to the last row and column."""
    yield from worksheet._cells.values()


def _formulas(written: Any, rows: int) -> dict[Place, str]:
    return {
        (cell.row, cell.column): str(getattr(cell.value, "text", cell.value))  # an array formula is an object
        for cell in _list_cells(written)
        if cell.row <= rows and cell.data_type == "f"
    }


def _struck_cells(worksheet: Any, rows: int) -> frozenset[Place]:
    return frozenset(
        (cell.row, cell.column)
        for cell in _list_cells(worksheet)
        if cell.row <= rows and cell.value is not None and (cell.font.strike or _any_part_struck(cell.value))
    )


def _any_part_struck(value: object) -> bool:
    parts = value if isinstance(value, CellRichText) else ()
    return any(isinstance(part, TextBlock) and part.font.strike for part in parts)


def _cell_grid(worksheet: Any) -> list[list[object]]:
    """The values by row and column, up to the last row with one and at most `BLANK_ROWS` below it."""
    filled = [cell for cell in _list_cells(worksheet) if cell.value is not None and cell_text(cell.value)]
    last = 0
    for row in sorted({cell.row for cell in filled}):
        if row - last > BLANK_ROWS:
            break
        last = row
    width = max((cell.column for cell in filled if cell.row <= last), default=0)
    rows: list[list[object]] = [[None] * width for _ in range(min(last + BLANK_ROWS, worksheet.max_row))]
    for cell in filled:
        if cell.row <= last:
            text = isinstance(cell.value, CellRichText)
            rows[cell.row - 1][cell.column - 1] = str(cell.value) if text else cell.value
    return rows


def _spread_merged_cells(worksheet: Any, rows: list[list[object]]) -> None:
    """Copy the value of a cell that is merged over several rows into each of them, in its first column."""
    for area in worksheet.merged_cells.ranges:
        if rows and area.min_col <= len(rows[0]):
            for row in range(area.min_row, min(area.max_row, len(rows))):
                rows[row][area.min_col - 1] = rows[area.min_row - 1][area.min_col - 1]

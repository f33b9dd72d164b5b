"""Sheets as grids of cells, from .xlsx (every worksheet) and .csv."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]

from services.ingest.catalogue.cells import cell_text
from shared.csv_rows import parse_csv
from shared.errors import BadData

BLANK_ROWS = 500  # this many blank rows end a sheet that is formatted down to its last row
Cells = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """One worksheet or csv. `rows[0]` is row 1. `formulas` are cells (row, column from 1) without a stored value."""

    name: str  # "coding.xlsx [Sheet1]"
    title: str
    rows: tuple[Cells, ...]
    formulas: frozenset[tuple[int, int]] = frozenset()

    def cell_at(self, row: int, column: int) -> object:
        """The value at row and column, from 1. None beyond the grid."""
        cells = self.rows[row - 1] if row <= len(self.rows) else ()
        return cells[column - 1] if column <= len(cells) else None


def read_tables(file: Path) -> list[Table]:
    """Every worksheet of a workbook, or the one table of a csv. Raises BadData for a file that is neither."""
    return [_read_csv(file)] if file.suffix.lower() == ".csv" else list(_read_workbook(file))


def column_letters(number: int) -> str:
    """1 -> A, 27 -> AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _read_csv(file: Path) -> Table:
    rows = parse_csv(file.read_bytes(), file.name)
    return Table(file.name, file.stem, tuple(tuple(cell or None for cell in row) for row in rows))


def _read_workbook(file: Path) -> Iterator[Table]:
    data = file.read_bytes()
    values = _open_workbook(file, data, True)
    written = _open_workbook(file, data, False) if _has_formulas(data) else None
    for worksheet in values.worksheets:
        name = f"{file.name} [{worksheet.title}]"
        formulas = _uncalculated_formulas(worksheet, written[worksheet.title]) if written else frozenset()
        yield Table(name, worksheet.title, _cell_grid(worksheet), formulas)


def _open_workbook(file: Path, data: bytes, values: bool) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and validations that it does not keep
            return openpyxl.load_workbook(io.BytesIO(data), data_only=values)
    except Exception as error:  # a broken archive makes the parser raise any error
        raise BadData(
            f"{file.name}: expected an .xlsx workbook, got a file that cannot be opened ({error}); "
            "save it as .xlsx again."
        ) from error


def _has_formulas(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(re.search(rb"<f[ >/]", archive.read(name)) for name in sheets)


def _uncalculated_formulas(values: Any, written: Any) -> frozenset[tuple[int, int]]:
    return frozenset(
        (cell.row, cell.column)
        for row in written.iter_rows(max_row=min(written.max_row, 20_000))
        for cell in row
        if cell.data_type == "f" and values.cell(cell.row, cell.column).value is None
    )


def _cell_grid(worksheet: Any) -> tuple[Cells, ...]:
    rows: list[list[object]] = []
    blank = 0
    for cells in worksheet.iter_rows(values_only=True):
        rows.append(list(cells))
        blank = 0 if any(cell_text(cell) for cell in cells) else blank + 1
        if blank == BLANK_ROWS:
            break
    _spread_merged_cells(worksheet, rows)
    return tuple(map(tuple, rows))


def _spread_merged_cells(worksheet: Any, rows: list[list[object]]) -> None:
    """Copy the value of a cell that is merged over several rows into each of them, in its first column."""
    for area in worksheet.merged_cells.ranges:
        for row in range(area.min_row, min(area.max_row, len(rows))):
            rows[row][area.min_col - 1] = rows[area.min_row - 1][area.min_col - 1]

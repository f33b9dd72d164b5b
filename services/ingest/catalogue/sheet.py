"""Coding sheets (.xlsx): found by the columns they have, read by column name; blank, merged and extra cells allowed."""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]

from services.ingest.catalogue.cells import text
from shared.errors import BadData

HEADER_WITHIN = 30  # rows; some sheets have a preamble
BLANK_ROWS = 500  # so many blank rows end a sheet that is formatted down to its last row


@dataclass(frozen=True)
class Sheet:
    """One worksheet and where its header lies (row from 1; columns by name)."""

    name: str
    worksheet: Any
    header_row: int
    columns: Mapping[str, int]

    def rows(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Each row that has anything in a named column: "file, sheet, row" and its cells by column name."""
        merged = _merged_values(self.worksheet)
        blank = 0
        for number, cells in enumerate(self.worksheet.iter_rows(min_row=self.header_row + 1), self.header_row + 1):
            values = {name: _value(cells, number, column, merged) for name, column in self.columns.items()}
            filled = any(text(value) for value in values.values())
            blank = 0 if filled else blank + 1
            if filled:
                yield f"{self.name} row {number}", values
            if blank == BLANK_ROWS:
                return


def files(folder: Path) -> list[Path]:
    """Workbooks in a dataset folder and one level below it; Office's lock files and hidden files are none."""
    found = [*folder.glob("*.xlsx"), *folder.glob("*/*.xlsx")]
    return sorted(file for file in found if not file.name.startswith(("~", ".")))


def coding_sheet(folder: Path, columns: Sequence[str]) -> Sheet:
    """The one worksheet in the folder that has all `columns`; raises BadData for none, for several, for a bad file."""
    workbooks = files(folder)
    if not workbooks:
        raise BadData(
            f"{folder}: expected a coding sheet (.xlsx) with the columns {', '.join(columns)}, got none; "
            "copy the dataset's sheet into the folder (an .xls saved as .xlsx)."
        )
    sheets = [sheet for file in workbooks for sheet in _sheets(file, columns)]
    complete = [sheet for sheet in sheets if len(sheet.columns) == len(columns)]
    if len(complete) > 1:
        names = " and ".join(sheet.name for sheet in complete)
        raise BadData(f"{folder}: expected one coding sheet, got {names}; keep the one you mean.")
    if not complete:
        raise _incomplete(max(sheets, key=lambda sheet: len(sheet.columns)), columns)
    return complete[0]


def _incomplete(sheet: Sheet, columns: Sequence[str]) -> BadData:
    missing = ", ".join(repr(column) for column in columns if column not in sheet.columns)
    header = [text(cell.value) for cell in sheet.worksheet[sheet.header_row]]
    got = ", ".join(repr(name) for name in header if name) or "no text"
    return BadData(
        f"{sheet.name} row {sheet.header_row}: expected the column {missing}, got {got}; "
        "name the columns as the dataset does."
    )


def _sheets(file: Path, columns: Sequence[str]) -> list[Sheet]:
    data = io.BytesIO(file.read_bytes())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and validations that openpyxl does not keep
            workbook = openpyxl.load_workbook(data, data_only=True)
    except Exception as error:  # whatever a broken archive makes the parser raise
        raise BadData(
            f"{file.name}: expected an .xlsx workbook, got a file that cannot be opened ({error}); "
            "save it as .xlsx again."
        ) from error
    return [_sheet(f"{file.name} [{worksheet.title}]", worksheet, columns) for worksheet in workbook.worksheets]


def _sheet(name: str, worksheet: Any, columns: Sequence[str]) -> Sheet:
    """The worksheet with the row that names most of the columns as its header."""
    rows = enumerate(worksheet.iter_rows(max_row=HEADER_WITHIN), 1)
    candidates = [(row, _located([text(cell.value) for cell in cells], columns)) for row, cells in rows]
    row, located = max(candidates, key=lambda candidate: len(candidate[1]))
    return Sheet(name, worksheet, row, located)


def _located(header: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    """Column index (from 0) by name; the first of several equal names, case and white space aside."""
    folded = [_folded(name) for name in header]
    return {column: folded.index(_folded(column)) for column in columns if _folded(column) in folded}


def _folded(name: str) -> str:
    return "".join(name.split()).replace("_", "").casefold()


def _merged_values(worksheet: Any) -> dict[tuple[int, int], object]:
    """A cell merged over several rows says its value once: (row, column from 1) -> value, in its first column."""
    return {
        (row, area.min_col): worksheet.cell(area.min_row, area.min_col).value
        for area in worksheet.merged_cells.ranges
        for row in range(area.min_row + 1, area.max_row + 1)
    }


def _value(cells: Sequence[Any], row: int, column: int, merged: Mapping[tuple[int, int], object]) -> object:
    value = cells[column].value
    return merged.get((row, column + 1)) if value is None else value

"""Coding sheets: found by their columns, read by column name. Preambles, blank cells and extra cells are allowed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.ingest.catalogue.cells import cell_text
from services.ingest.catalogue.spreadsheet import Table, column_letters
from shared.errors import BadData

HEADER_WITHIN = 30  # rows that are searched for a header. Some sheets have a preamble
ColumnNames = Mapping[str, Sequence[str]]  # names of columns in the sheets, by role: "apex" -> ("ApexFrame",)


@dataclass(frozen=True)
class SheetRow:
    """One row: its location for messages, its cells by role, and the sheet's names of the roles."""

    location: str
    cells: Mapping[str, object]
    column_labels: Mapping[str, str]

    def __getitem__(self, role: str) -> object:
        return self.cells.get(role)


@dataclass(frozen=True)
class CodingSheet:
    """One table and its header: row from 1 (0: none), columns from 1 by role."""

    table: Table
    header_row: int
    columns: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.table.name

    def read_rows(self) -> Iterator[SheetRow]:
        """Each row with a value in a named column."""
        heads = {role: self._column_label(column) for role, column in self.columns.items()}
        for number in range(self.header_row + 1, len(self.table.rows) + 1):
            cells = {role: self._cell_value(number, column) for role, column in self.columns.items()}
            if any(cell_text(value) for value in cells.values()):
                yield SheetRow(f"{self.name} row {number}", cells, heads)

    def _cell_value(self, row: int, column: int) -> object:
        if (row, column) in self.table.formulas:
            return "a formula that was never calculated"
        return self.table.cell_at(row, column)

    def _column_label(self, column: int) -> str:
        name = cell_text(self.table.cell_at(self.header_row, column)) if self.header_row else ""
        letters = f"column {column_letters(column)}"
        return f"{name} ({letters})" if name else letters


def find_coding_sheet(
    tables: Sequence[Table], columns: ColumnNames, needed: Sequence[str], folder: Path, faults: Sequence[str] = ()
) -> CodingSheet:
    """The only sheet with all `needed` columns. Raises BadData if there is none or several.

    `faults` are sentences about files that could not be read: one of them may be the sheet.
    """
    names = [columns[role][0] for role in needed]
    if not tables and not faults:
        raise BadData(
            f"{folder}: expected a coding sheet (.xlsx or .csv) with the columns {', '.join(names)}, got none; "
            "copy the dataset's sheet into the folder (an .xls saved as .xlsx)."
        )
    found = [locate_header(table, columns) for table in tables]
    complete = [sheet for sheet in found if set(needed) <= set(sheet.columns)]
    fullest = [sheet for sheet in complete if len(sheet.columns) == max(len(each.columns) for each in complete)]
    if len(fullest) > 1:
        raise BadData(
            f"{folder}: expected one coding sheet, got {' and '.join(sheet.name for sheet in fullest)}; "
            "keep one of them."
        )
    if not fullest and faults:
        raise BadData(" ".join(faults))
    if not fullest:
        raise _missing_columns_error(max(found, key=lambda sheet: len(sheet.columns)), columns, needed)
    return fullest[0]


def locate_header(table: Table, columns: ColumnNames) -> CodingSheet:
    """The table with its header: the row that names most of the columns. Without names there are no columns."""
    rows = enumerate(table.rows[:HEADER_WITHIN], 1)
    candidates = [(row, _match_columns([cell_text(cell) for cell in cells], columns)) for row, cells in rows]
    row, found = max(candidates, key=lambda candidate: len(candidate[1]), default=(1, {}))
    return CodingSheet(table, row, found)


def _missing_columns_error(sheet: CodingSheet, columns: ColumnNames, needed: Sequence[str]) -> BadData:
    missing = ", ".join(repr(columns[role][0]) for role in needed if role not in sheet.columns)
    header = [cell_text(cell) for cell in sheet.table.rows[sheet.header_row - 1]] if sheet.table.rows else []
    got = ", ".join(repr(name) for name in header if name) or "no text"
    return BadData(
        f"{sheet.name} row {sheet.header_row}: expected the column {missing}, got {got}; "
        "name the columns as the dataset does."
    )


def _match_columns(header: Sequence[str], columns: ColumnNames) -> dict[str, int]:
    """Column (from 1) by role, without regard to case and white space. Of equal names the first counts."""
    folded = [_fold_name(name) for name in header]
    known = {
        role: [_fold_name(name) for name in names if _fold_name(name) in folded] for role, names in columns.items()
    }
    return {role: folded.index(names[0]) + 1 for role, names in known.items() if names}


def _fold_name(name: str) -> str:
    return "".join(name.split()).replace("_", "").casefold()

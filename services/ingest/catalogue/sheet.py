"""Coding sheets: found by the columns they have, read by column name; preambles, blank and extra cells allowed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.ingest.catalogue.cells import text
from services.ingest.catalogue.spreadsheet import Table, column_name
from shared.errors import BadData

HEADER_WITHIN = 30  # rows; some sheets have a preamble
Columns = Mapping[str, Sequence[str]]  # what each thing is called in the sheets, by role: "apex" -> ("ApexFrame",)


@dataclass(frozen=True)
class Row:
    """One row: its place for messages, its cells by role, and what the sheet calls those roles."""

    where: str
    cells: Mapping[str, object]
    heads: Mapping[str, str]

    def __getitem__(self, role: str) -> object:
        return self.cells.get(role)


@dataclass(frozen=True)
class Sheet:
    """One table and where its header lies (row from 1, 0 = none; columns from 1 by role)."""

    table: Table
    header_row: int
    columns: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.table.name

    def rows(self) -> Iterator[Row]:
        """Each row that has anything in a named column."""
        heads = {role: self._head(column) for role, column in self.columns.items()}
        for number in range(self.header_row + 1, len(self.table.rows) + 1):
            cells = {role: self._cell(number, column) for role, column in self.columns.items()}
            if any(text(value) for value in cells.values()):
                yield Row(f"{self.name} row {number}", cells, heads)

    def _cell(self, row: int, column: int) -> object:
        if (row, column) in self.table.formulas:
            return "a formula that was never calculated"
        return self.table.cell(row, column)

    def _head(self, column: int) -> str:
        name = text(self.table.cell(self.header_row, column)) if self.header_row else ""
        place = f"column {column_name(column)}"
        return f"{name} ({place})" if name else place


def coding_sheet(
    tables: Sequence[Table], columns: Columns, needed: Sequence[str], folder: Path, faults: Sequence[str] = ()
) -> Sheet:
    """The one sheet that has all `needed` columns; raises BadData for none and for several.

    `faults` are sentences on files that could not be read: one of them may have been the sheet.
    """
    names = [columns[role][0] for role in needed]
    if not tables and not faults:
        raise BadData(
            f"{folder}: expected a coding sheet (.xlsx or .csv) with the columns {', '.join(names)}, got none; "
            "copy the dataset's sheet into the folder (an .xls saved as .xlsx)."
        )
    found = [located(table, columns) for table in tables]
    complete = [sheet for sheet in found if set(needed) <= set(sheet.columns)]
    fullest = [sheet for sheet in complete if len(sheet.columns) == max(len(each.columns) for each in complete)]
    if len(fullest) > 1:
        raise BadData(
            f"{folder}: expected one coding sheet, got {' and '.join(sheet.name for sheet in fullest)}; "
            "keep the one you mean."
        )
    if not fullest and faults:
        raise BadData(" ".join(faults))
    if not fullest:
        raise _incomplete(max(found, key=lambda sheet: len(sheet.columns)), columns, needed)
    return fullest[0]


def located(table: Table, columns: Columns) -> Sheet:
    """The table with the row that names most of the columns as its header; no names, no columns."""
    rows = enumerate(table.rows[:HEADER_WITHIN], 1)
    candidates = [(row, _columns([text(cell) for cell in cells], columns)) for row, cells in rows]
    row, found = max(candidates, key=lambda candidate: len(candidate[1]), default=(1, {}))
    return Sheet(table, row, found)


def _incomplete(sheet: Sheet, columns: Columns, needed: Sequence[str]) -> BadData:
    missing = ", ".join(repr(columns[role][0]) for role in needed if role not in sheet.columns)
    header = [text(cell) for cell in sheet.table.rows[sheet.header_row - 1]] if sheet.table.rows else []
    got = ", ".join(repr(name) for name in header if name) or "no text"
    return BadData(
        f"{sheet.name} row {sheet.header_row}: expected the column {missing}, got {got}; "
        "name the columns as the dataset does."
    )


def _columns(header: Sequence[str], columns: Columns) -> dict[str, int]:
    """Column (from 1) by role; the first of several equal names, case and white space aside."""
    folded = [_folded(name) for name in header]
    known = {role: [_folded(name) for name in names if _folded(name) in folded] for role, names in columns.items()}
    return {role: folded.index(names[0]) + 1 for role, names in known.items() if names}


def _folded(name: str) -> str:
    return "".join(name.split()).replace("_", "").casefold()

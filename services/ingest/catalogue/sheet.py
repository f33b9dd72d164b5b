"""Coding sheets: found by their columns, read by column name. Preambles, blank cells and extra cells are allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import BadData
from shared.tables import header, rows
from shared.tables.cells import cell_text
from shared.tables.header import ColumnNames
from shared.tables.table import Table


@dataclass(frozen=True)
class CodingSheet:
    """One table and its header: row from 1 (0: none), columns from 1 by role."""

    table: Table
    header_row: int
    columns: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.table.name

    def read_rows(self) -> list[rows.TableRow]:
        """Each row with a value in a named column."""
        return rows.read_rows(self.table, self.header_row, self.columns)


def find_coding_sheet(
    tables: Sequence[Table], columns: ColumnNames, needed: Sequence[str], folder: Path, faults: Sequence[str] = ()
) -> CodingSheet:
    """The only sheet with all `needed` columns. Raises BadData if there is none or several, or a column twice.

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
    sheet = fullest[0]
    header.check_repeated_columns(sheet.table, sheet.header_row, sheet.columns.values())
    return sheet


def locate_header(table: Table, columns: ColumnNames) -> CodingSheet:
    """The table with its header: the row that names most of the columns. Without names there are no columns."""
    return CodingSheet(table, *header.locate_header(table, columns))


def _missing_columns_error(sheet: CodingSheet, columns: ColumnNames, needed: Sequence[str]) -> BadData:
    missing = ", ".join(repr(columns[role][0]) for role in needed if role not in sheet.columns)
    names = [cell_text(cell) for cell in sheet.table.rows[sheet.header_row - 1]] if sheet.table.rows else []
    got = ", ".join(repr(name) for name in names if name) or "no text"
    return BadData(
        f"{sheet.name} row {sheet.header_row}: expected the column {missing}, got {got}; "
        "name the columns as the dataset does."
    )

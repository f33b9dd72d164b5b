"""The rows of a table by the roles of their columns: each with its place, its cleaned cells, notes, and a fault."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.tables.cells import cell_text, quote_cell
from shared.tables.cleaning import OTHER_ROLES, CellReading, clean_cell
from shared.tables.header import column_label
from shared.tables.surplus import rejoin_units
from shared.tables.table import Table


@dataclass(frozen=True)
class TableRow:
    """One row: its location for messages, its cells by role, and the table's names of the roles.

    `notes` say how the row and its table were read where they deviate. A row with a `fault` cannot be used.
    """

    location: str  # "clips.csv row 2"
    cells: Mapping[str, object]
    column_labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fault: str = ""

    def __getitem__(self, role: str) -> object:
        return self.cells.get(role)


def read_rows(table: Table, header_row: int, columns: Mapping[str, int]) -> list[TableRow]:
    """Each row below the header with a value in one of the `columns` (from 1, by role). All have the table's notes."""
    labels = {role: column_label(table, header_row, column) for role, column in columns.items()}
    numbers = range(header_row + 1, len(table.rows) + 1)
    comments = [number for number in numbers if table.from_text and _is_comment(table.rows[number - 1])]
    rows = {
        number: _read_row(table, number, header_row, columns, labels)
        for number in numbers
        if number not in set(comments)
    }
    found = {number: row for number, row in rows.items() if any(map(cell_text, row.cells.values())) or row.fault}
    hidden = [number for number in found if number in table.hidden]
    notes = (
        *table.notes,
        *_note_rows(table, comments, "begin with # and are comments"),
        *_note_rows(table, hidden, "are hidden in the sheet, and were read as the others"),
    )
    return [replace(row, notes=notes + row.notes) for row in found.values()]


def _read_row(
    table: Table, number: int, header_row: int, columns: Mapping[str, int], labels: Mapping[str, str]
) -> TableRow:
    location = f"{table.name} row {number}"
    cells, notes, fault = _fit_row(table, number, header_row, columns)
    values: dict[str, object] = {}
    for role, column in columns.items():
        value = cells[column - 1] if column <= len(cells) else None
        reading = clean_cell(role, value, table.formulas.get((number, column), ""))
        values[role] = value if reading.fault else reading.value
        notes += [f"{location}: {labels[role]}: {remark}" for remark in reading.remarks]
        if problem := _find_problem(reading, value, labels[role], struck=(number, column) in table.struck):
            if role in OTHER_ROLES:
                values[role] = None
                notes.append(f"{location}: {problem}. The cell was left out")
            else:
                fault = fault or f"{location}: {problem}."
    return TableRow(location, values, labels, tuple(notes), fault)


def _find_problem(reading: CellReading, value: object, label: str, struck: bool) -> str:
    if reading.fault:
        return f"expected {reading.fault[0]} in {label}, got {reading.fault[1]}"
    if struck and value is not None:
        return (
            f"expected a cell that counts in {label}, got {quote_cell(value)} struck out; delete the row, or remove "
            "the line through it"
        )
    return ""


def _fit_row(
    table: Table, number: int, header_row: int, columns: Mapping[str, int]
) -> tuple[Sequence[object], list[str], str]:
    """The cells of a row, a note if they had to be fitted to the header, and a fault if they do not fit."""
    cells = _without_trailing_blanks(table.rows[number - 1])
    header = table.rows[header_row - 1] if header_row else ()
    width = len(_without_trailing_blanks(header))
    if not (table.from_text and header_row and len(cells) > width):
        return cells, [], ""
    fitted = rejoin_units(cells, width, columns)
    if fitted and len(cells) > len(header):
        units = cell_text(fitted[columns["aus"] - 1])
        location = f"{table.name} row {number}"
        return (
            fitted,
            [f"{location}: {len(cells)} cells for {width} columns: the units without quotation marks read as {units}"],
            "",
        )
    if not fitted and len(cells) <= len(header):
        return cells, [], ""  # a column without a name
    return (
        cells,
        [],
        (
            f"{table.name} row {number}: expected {width} cells, got {len(cells)}; put a cell that holds a comma in "
            "quotation marks."
        ),
    )


def _without_trailing_blanks(cells: Sequence[object]) -> Sequence[object]:
    last = max((column for column, cell in enumerate(cells, 1) if cell is not None), default=0)
    return cells[:last]


def _is_comment(cells: Sequence[object]) -> bool:
    """Whether a line is a comment: # at its beginning, but no error such as #N/A and no name such as #1."""
    first = next((cell for cell in cells if cell is not None), "")
    return bool(re.match(r"#(?!\d)", cell_text(first))) and clean_cell("", first).fault is None


def _note_rows(table: Table, numbers: Sequence[int], what: str) -> Iterator[str]:
    if numbers:
        shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
        yield f"{table.name}: row(s) {shown} {what}"

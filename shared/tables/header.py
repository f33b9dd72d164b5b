"""The header of a table: which column has which role, columns that are there twice, columns that are nearly known."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.errors import BadData
from shared.tables.cells import cell_text, quote_cell
from shared.tables.cleaning import strip_invisible
from shared.tables.table import Table, column_letters

HEADER_WITHIN = 30  # rows that are searched for a header. Some sheets have a preamble
NEAR = 0.85  # least likeness (difflib's ratio) of a name to a known one that is probably meant
ColumnNames = Mapping[str, Sequence[str]]  # names of columns in the sheets, by role: "apex" -> ("ApexFrame",)
_TIME_UNIT = r"(?:m?s|m?secs?|(?:milli)?seconds?|秒|毫秒)"
_BRACKETED_UNIT = re.compile(rf"(?<=.)[(\[](?!\s*{_TIME_UNIT}\s*[)\]])[^)\]]*[)\]]$", re.IGNORECASE)
_AFFIX = re.compile(r"^(?:the|coded)|(?:frames?|number|no|nr|index|column|s|\d)$")


def locate_header(table: Table, columns: ColumnNames) -> tuple[int, dict[str, int]]:
    """The row (from 1) that names most of the columns, and the column (from 1) of each role that it names."""
    rows = enumerate(table.rows[:HEADER_WITHIN], 1)
    candidates = ((row, match_columns(cells, columns)) for row, cells in rows)
    return max(candidates, key=lambda candidate: len(candidate[1]), default=(1, {}))


def match_columns(header: Sequence[object], columns: ColumnNames) -> dict[str, int]:
    """Column (from 1) by role, without regard to case, white space and units. Of equal names the first counts."""
    folded = [_fold_name(cell) for cell in header]
    known = {
        role: [_fold_name(name) for name in names if _fold_name(name) in folded] for role, names in columns.items()
    }
    return {role: folded.index(names[0]) + 1 for role, names in known.items() if names}


def check_repeated_columns(table: Table, header_row: int, columns: Iterable[int]) -> None:
    """Raise BadData if the name of one of the columns is there again with other values: which counts is unknown."""
    folded = [_fold_name(cell) for cell in (table.rows[header_row - 1] if header_row else ())]
    for first in columns:
        for second, name in enumerate(folded, 1):
            if name and name == folded[first - 1] and second != first:
                _check_equal_columns(table, header_row, first, second)


def _check_equal_columns(table: Table, header_row: int, first: int, second: int) -> None:
    for row in range(header_row + 1, len(table.rows) + 1):
        values = [quote_cell(table.cell_at(row, column)) for column in (first, second)]
        if values[0] != values[1]:
            raise BadData(
                f"{table.name} row {header_row}: expected the column {quote_cell(table.cell_at(header_row, first))} "
                f"once, got one of them twice (columns {column_letters(first)} and {column_letters(second)}), with "
                f"{values[0]} and {values[1]} in row {row}; remove or rename one of them."
            )


def note_near_columns(table: Table, header_row: int, known: Iterable[str]) -> Iterator[str]:
    """A sentence for each unused column whose name is nearly that of a known one."""
    by_folded = {_fold_name(name): name for name in known}
    for column, cell in enumerate(table.rows[header_row - 1], 1):
        folded = _fold_name(cell)
        if not folded or folded in by_folded:
            continue
        near = difflib.get_close_matches(folded, by_folded, 1, NEAR) or [
            name for name in (_AFFIX.sub("", folded),) if name in by_folded
        ]
        if near:
            yield (
                f"{table.name} row {header_row}: the column {cell_text(cell)!r} ({column_letters(column)}) is not "
                f"used; if it is {by_folded[near[0]]!r}, name it so"
            )


def note_skipped_lines(table: Table, header_row: int) -> Iterator[str]:
    """A sentence on the lines above the header, if they say anything."""
    lines = [" ".join(cell_text(cell) for cell in cells if cell) for cells in table.rows[: header_row - 1]]
    if said := [line for line in lines if line]:
        first = quote_cell(said[0])
        yield f"{table.name}: {len(said)} line(s) above the header in row {header_row} skipped, the first {first}"


def column_label(table: Table, header_row: int, column: int) -> str:
    """A column in messages: "ApexFrame (column E)", or "column E" without a header."""
    name = cell_text(table.cell_at(header_row, column)) if header_row else ""
    letters = f"column {column_letters(column)}"
    return f"{name} ({letters})" if name else letters


def _fold_name(cell: object) -> str:
    """A column's name without case, white space, a unit in brackets, and the number that pandas adds to a second one.

    A unit of time is kept: "onset (s)" is no column of frame numbers.
    """
    text = _BRACKETED_UNIT.sub("", strip_invisible(cell_text(cell))[0].removeprefix("ï»¿"))
    return re.sub(r"\.\d+$", "", "".join(text.split()).replace("_", "").casefold())

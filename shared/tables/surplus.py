"""Rows of a csv with more cells than the header: action units that were written as 6,12,25 without quotation marks."""

import re
from collections.abc import Mapping, Sequence

from shared.action_units import parse_action_units
from shared.tables.cells import cell_text, is_absent, whole_number

_FRAME_ROLES = ("onset", "apex", "offset")
_NUMBER_PARTS = {
    "fps": re.compile(r"\d{1,3},\d{1,3}"),
    **dict.fromkeys(_FRAME_ROLES, re.compile(r"\d{1,3},(\d{3}|0{1,2})")),
}


def rejoin_units(cells: Sequence[object], width: int, columns: Mapping[str, int]) -> list[object] | None:
    """The row in `width` cells, its units joined by plus signs. None unless this is the only reading that fits.

    `columns` are columns from 1 by role. A reading fits if every number is one and no label and no unit is in the
    other's place.
    """
    surplus = len(cells) - width
    if "aus" not in columns or surplus < 1:
        return None
    joined = _join_cells(cells, columns["aus"], surplus, "+")
    parts = cells[columns["aus"] - 1 : columns["aus"] + surplus]
    if not all(_is_units(part) for part in parts) or not _row_fits(joined, columns):
        return None
    return None if any(_row_fits(other, columns) for other in _number_readings(cells, columns, surplus)) else joined


def _number_readings(cells: Sequence[object], columns: Mapping[str, int], surplus: int) -> list[list[object]]:
    """The row with its surplus cell as part of a number: 29,97 or 1,035."""
    places = [(columns[role], pattern) for role, pattern in _NUMBER_PARTS.items() if role in columns and surplus == 1]
    rows = [(_join_cells(cells, column, surplus, ","), column, pattern) for column, pattern in places]
    return [
        [*row[: column - 1], 1, *row[column:]]
        for row, column, pattern in rows
        if pattern.fullmatch(cell_text(row[column - 1]))
    ]


def _join_cells(cells: Sequence[object], column: int, surplus: int, sign: str) -> list[object]:
    parts = cells[column - 1 : column + surplus]
    return [*cells[: column - 1], sign.join(map(cell_text, parts)), *cells[column + surplus :]]


def _row_fits(cells: Sequence[object], columns: Mapping[str, int]) -> bool:
    row = {role: cells[column - 1] if column <= len(cells) else None for role, column in columns.items()}
    frames = all(whole_number(row[role]) is not None or (role == "apex" and is_absent(row[role]))
                 for role in _FRAME_ROLES if role in row)  # fmt: skip
    rate = "fps" not in row or is_absent(row["fps"]) or bool(re.fullmatch(r"[\d.]+", cell_text(row["fps"])))
    words = all(not _is_units(row[role]) for role in ("emotion", "label", "path") if role in row)
    return frames and rate and words and (is_absent(row["aus"]) or _is_units(row["aus"]))


def _is_units(cell: object) -> bool:
    units, remark = parse_action_units(cell_text(cell))
    return bool(units) and not remark

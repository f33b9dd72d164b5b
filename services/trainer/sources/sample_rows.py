"""The rows of a user's table `samples.csv`, as they are written: names, labels, paths, and how files are to be read.

`shared.tables` has the rules of cells, encodings and delimiters. Every error names the table and the row, what was
expected, what was found, and what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from services.trainer.sources.sample_files import (
    CHANNEL_ORDERS,
    VALUE_DEPTHS,
    ChannelOrder,
    ValueDepth,
)
from shared.action_units import parse_action_units
from shared.errors import BadData
from shared.records import ActionUnit
from shared.tables.cells import cell_text, is_absent
from shared.tables.header import check_repeated_columns, locate_header, match_columns, note_skipped_lines
from shared.tables.labels import find_shifted_labels, note_doubtful_labels
from shared.tables.paths import find_path
from shared.tables.rows import TableRow, read_rows
from shared.tables.table import Table, parse_csv

REQUIRED_COLUMNS = ("dataset", "subject", "clip", "label", "path")
OPTIONAL_COLUMNS = ("aus", "order", "depth", "check")
INDEX_COLUMNS = ("Unnamed: 0",)  # the row numbers of pandas, which may also have no name
MapCheck = Literal["on", "off"]


@dataclass(frozen=True)
class SampleRow:
    """A clip of the table. `location`: "samples.csv row 2", with the row number of a spreadsheet."""

    location: str
    dataset: str
    subject: str
    clip: str
    emotion: str | None
    aus: tuple[ActionUnit, ...]
    file: Path
    order: ChannelOrder
    depth: ValueDepth
    check: MapCheck
    notes: tuple[str, ...] = ()  # how the row and the table were read where they deviate

    @property
    def error_prefix(self) -> str:
        return f"{self.location}: {self.file}"


def read_samples_csv(table: Path) -> list[SampleRow]:
    """The rows in their order. Raises BadData for an error in the table, a repeated clip, and no rows."""
    seen: dict[tuple[str, ...], str] = {}
    rows = []
    for table_row in _read_table_rows(table):
        row = _parse_row(table_row, table.parent)
        other = seen.setdefault((row.dataset, row.subject, row.clip), row.location)
        if other != row.location:
            raise BadData(
                f"{row.location}: expected each clip once, got {row.dataset}/{row.subject}/{row.clip} again after "
                f"{other}. Remove one of the two rows, or give the clips different names."
            )
        rows.append(row)
    if not rows:
        raise BadData(f"{table}: expected a row for each clip, got none. Add rows below the header.")
    return rows


def _parse_row(row: TableRow, folder: Path) -> SampleRow:
    location, cells = row.location, {name: cell_text(value) for name, value in row.cells.items()}
    for column in REQUIRED_COLUMNS:
        if not cells[column]:
            raise BadData(f"{location}: expected a {column}, got an empty cell. Fill it in or remove the row.")
    for column in ("dataset", "subject", "clip", "label"):
        if is_absent(cells[column]):
            raise BadData(
                f"{location}: expected a {column}, got {cells[column]!r}, which tables write for a missing value. Fill "
                "it in or remove the row. If it is a name, write it in another way."
            )
    aus, remark = parse_action_units(cells.get("aus", ""))
    if remark:
        raise BadData(
            f"{location}: expected action units such as 4+L7+R12B, got {cells['aus']!r} ({remark}). Correct it."
        )
    identity = {name: cells[name] for name in ("dataset", "subject", "clip")}
    order = _parse_option(location, "order", cells, CHANNEL_ORDERS)
    file, remark = find_path(folder, cells["path"])
    depth = _parse_option(location, "depth", cells, _depths_of_file(file))
    check = _parse_option(location, "check", cells, get_args(MapCheck))
    return SampleRow(
        location=location,
        **identity,
        emotion=cells["label"].casefold(),
        aus=aus,
        file=file,
        order=order,
        depth=depth,
        check=check,
        notes=(*row.notes, f"{location}: {remark}") if remark else row.notes,
    )


def _depths_of_file(file: Path) -> Sequence[str]:
    """The depths that a file may have, its default first: a .png holds no px."""
    stretched = [depth for depth in VALUE_DEPTHS if depth != "px"]
    return stretched if file.suffix.casefold() == ".png" else ["px", *stretched]


def _parse_option(location: str, column: str, cells: Mapping[str, str], allowed_values: Sequence[str]) -> Any:
    """The value of an optional column; a blank or missing cell means the first allowed value."""
    value = cells.get(column, "") or allowed_values[0]
    if value not in allowed_values:
        raise BadData(
            f"{location}: expected {column} {' or '.join(allowed_values)}, got {value!r}. Correct it or leave it blank."
        )
    return value


def _read_table_rows(file: Path) -> list[TableRow]:
    """The rows that are not blank, with notes on what deviates. Raises BadData for a row that is not understood."""
    table = _parse_table(file)
    header_row, columns = locate_header(table, {name: (name,) for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)})
    _require_columns(table, header_row, columns)
    check_repeated_columns(table, header_row, columns.values())
    rows = read_rows(table, header_row, columns)
    if fault := next((row.fault for row in rows if row.fault), ""):
        raise BadData(fault)
    labels = [label for row in rows if not is_absent(label := cell_text(row["label"]).casefold())]
    skipped, doubts = tuple(note_skipped_lines(table, header_row)), note_doubtful_labels(labels)
    if shifted := find_shifted_labels(labels):
        row = next(row for row in rows if cell_text(row["label"]).casefold() in shifted)
        raise BadData(
            f"{row.location}: expected a word in label, as in the other rows, got {row['label']!r}. Correct the cell."
        )
    return [replace(row, notes=(*skipped, *doubts.values(), *row.notes)) for row in rows]


def _require_columns(table: Table, header_row: int, columns: Mapping[str, int]) -> None:
    header = [cell_text(cell) for cell in table.rows[header_row - 1]] if table.rows else []
    expected = (
        f"{table.name} row {header_row}: expected the columns {','.join(REQUIRED_COLUMNS)} and, if wanted, "
        f"{','.join(OPTIONAL_COLUMNS)}, got {','.join(header) or 'an empty file'}"
    )
    if missing := [name for name in REQUIRED_COLUMNS if name not in columns]:
        raise BadData(f"{expected}. Add {', '.join(missing)}.")
    known = {name: (name,) for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *INDEX_COLUMNS)}
    if unknown := [name for name in header if name and not match_columns([name], known)]:
        raise BadData(f"{expected}. Rename or remove {', '.join(map(repr, unknown))}.")


def _parse_table(file: Path) -> Table:
    try:
        return parse_csv(file.read_bytes(), file.name)
    except OSError as error:
        raise BadData(f"{file}: expected a table, got {error.strerror}. Give the path of a samples.csv.") from None

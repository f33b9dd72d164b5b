"""Features of a user: a table `samples.csv` names the labels of each clip and the file of its arrays.

    dataset,subject,clip,label,aus,path
    casme2,sub01,EP02_01f,happiness,12,maps/sub01_EP02_01f.npz
    casme2,sub01,EP03_02,others,4+L7,maps/sub01_EP03_02.png

`path` is relative to the table. `sample_files` describes the files, and the optional columns `order` and `depth`. Maps
are measured over all rows, whether a protocol selects them or not, and refused if they contradict their order or unit.
The column `check` excepts rows with the value `off`. The column `aus` may be blank or missing. `shared.tables` has
the rules of cells, encodings and delimiters. Every error names the table and the row, what was expected, what was
found, and what to do.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from services.trainer.data.arrays import ArrayAllocator
from services.trainer.data.features import build_features
from services.trainer.evaluation.clip_selection import select_by_protocol
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.learners.registry import require_arrays
from services.trainer.options import TrainingOptions
from services.trainer.sources.map_table import check_map_table
from services.trainer.sources.map_values import GivenMap
from services.trainer.sources.sample_files import (
    CHANNEL_ORDERS,
    VALUE_DEPTHS,
    ChannelOrder,
    ValueDepth,
    decode_map_values,
    read_sample_arrays,
)
from shared.action_units import parse_action_units
from shared.errors import BadData
from shared.records import ActionUnit, TableClip
from shared.stage import Arrays
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


def load_plan_from_table(table: Path, options: TrainingOptions, allocate: ArrayAllocator = np.empty) -> EvaluationPlan:
    """The evaluation plan of the table's clips.

    Raises BadData for an error in the table or a file, and if the model needs other arrays than the files hold. It also
    raises BadData as `select_by_protocol` and `build_features` do.
    """
    rows = read_samples_csv(table)
    first = _read_row_arrays(rows[0])
    names = tuple(name for name in first if name != "factors")
    require_arrays(names, options.settings.model, table.name)
    contents = [[clip.sha256] for clip in table_clips(rows)]
    notes = tuple(dict.fromkeys(note for row in rows for note in row.notes))
    if "maps" in names:
        notes += _check_rows_with_maps(rows, first, contents)
    found = select_by_protocol(rows, options.protocol, options.classes, contents)

    def read_clip_arrays(row: int) -> Arrays:
        chosen = rows[found.clips[row].row]
        arrays = _read_matching_arrays(chosen, rows[0], first)
        return {**arrays, **_decoded_maps(chosen, arrays)}

    features = build_features(found.clips, read_clip_arrays, found.classes, found.other_emotions, allocate, names)
    return EvaluationPlan(features, options.protocol, options.seeds, found, notes)


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


def table_clips(rows: Sequence[SampleRow]) -> list[TableClip]:
    """The clips with the digests of their files, independent of file names. Raises BadData for a missing file."""
    return [
        TableClip(
            **{name: getattr(row, name) for name in ("dataset", "subject", "clip", "emotion", "aus")},
            sha256=hashlib.sha256(_read_clip_file(row)).hexdigest(),
        )
        for row in rows
    ]


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


def _read_clip_file(row: SampleRow) -> bytes:
    try:
        return row.file.read_bytes()
    except OSError as error:
        raise BadData(
            f"{row.error_prefix}: expected the clip's file, got {error.strerror}. Paths are relative to the table: "
            "correct the path or put the file there."
        ) from None


def _read_row_arrays(row: SampleRow) -> Arrays:
    return read_sample_arrays(_read_clip_file(row), row.file.suffix.casefold(), row.error_prefix, row.order)


def _read_matching_arrays(row: SampleRow, first_row: SampleRow, first_arrays: Arrays) -> Arrays:
    """The arrays of a row. Raises BadData unless it has the same arrays and factors as the first row."""
    found = _read_row_arrays(row)
    if found.keys() != first_arrays.keys():
        kinds = [", ".join(name for name in arrays if name != "factors") for arrays in (first_arrays, found)]
        raise BadData(
            f"{row.error_prefix}: expected {kinds[0]}, as {first_row.location} has, got {kinds[1]}. Give all rows the "
            "same arrays."
        )
    if not np.array_equal(found["factors"], first_arrays["factors"]):
        raise BadData(
            f"{row.error_prefix}: expected the factors {first_arrays['factors'].tolist()} of {first_row.location}, got "
            f"{found['factors'].tolist()}. Give all rows the same factors."
        )
    return found


def _decoded_maps(row: SampleRow, arrays: Arrays) -> Arrays:
    """The maps of a row in their unit, if it has maps."""
    return {
        name: decode_map_values(array, row.depth, row.error_prefix) for name, array in arrays.items() if name == "maps"
    }


def _check_rows_with_maps(rows: Sequence[SampleRow], first: Arrays, contents: Sequence[list[str]]) -> tuple[str, ...]:
    """Measure the maps of all rows, and add the digest of each to its `contents`.

    A copy that was saved again has other bytes and the same digest. Returns sentences for the report. Raises BadData as
    `check_map_table` and `decode_map_values` do.
    """
    maps = []
    for row, content in zip(rows, contents, strict=True):
        values = _read_matching_arrays(row, rows[0], first)["maps"]
        content.append(hashlib.sha256(np.ascontiguousarray(values).data).hexdigest())
        if row.check == "on":
            maps.append(GivenMap(row.error_prefix, row.dataset, row.order, row.depth, values))
            decode_map_values(values, row.depth, row.error_prefix)
    notes = check_map_table(maps) if maps else []
    if unchecked := len(rows) - len(maps):
        notes.append(f"{unchecked} of {len(rows)} maps state check off, so their order and unit were not measured.")
    return tuple(notes)

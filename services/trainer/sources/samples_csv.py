"""Features of a user: a table `samples.csv` names the labels of each clip and the file of its arrays.

    dataset,subject,clip,label,aus,path
    casme2,sub01,EP02_01f,happiness,12,maps/sub01_EP02_01f.npz
    casme2,sub01,EP03_02,others,4+L7,maps/sub01_EP03_02.png

`path` is relative to the table. `sample_files` describes the files, and the optional columns `order` and `depth`. Maps
are measured over all rows, whether a protocol selects them or not, and refused if they contradict their order or unit.
The column `check` excepts rows with the value `off`. The column `aus` may be blank or missing. `shared.csv_rows` names
the encodings and delimiters. Every error names the table and the row, what was expected, what was found, and what
to do.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from shared.csv_rows import numbered_rows, parse_csv
from shared.errors import BadData
from shared.records import ActionUnit, TableClip
from shared.stage import Arrays

REQUIRED_COLUMNS = ("dataset", "subject", "clip", "label", "path")
OPTIONAL_COLUMNS = ("aus", "order", "depth", "check")
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
    notes = _check_rows_with_maps(rows, first, contents) if "maps" in names else ()
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
    for location, cells in _read_cells(table):
        row = _parse_row(location, cells, table.parent)
        other = seen.setdefault((row.dataset, row.subject, row.clip), location)
        if other != location:
            raise BadData(
                f"{location}: expected each clip once, got {row.dataset}/{row.subject}/{row.clip} again after {other}. "
                "Remove one of the two rows, or give the clips different names."
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


def _parse_row(location: str, cells: Mapping[str, str], folder: Path) -> SampleRow:
    for column in REQUIRED_COLUMNS:
        if not cells[column]:
            raise BadData(f"{location}: expected a {column}, got an empty cell. Fill it in or remove the row.")
    aus, remark = parse_action_units(cells.get("aus", ""))
    if remark:
        raise BadData(
            f"{location}: expected action units such as 4+L7+R12B, got {cells['aus']!r} ({remark}). Correct it."
        )
    identity = {name: cells[name] for name in ("dataset", "subject", "clip")}
    order = _parse_option(location, "order", cells, CHANNEL_ORDERS)
    file = folder / cells["path"].replace("\\", "/")
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


def _read_cells(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The location and the cells by column of each line that is not blank."""
    rows = numbered_rows(_parse_table(table))
    number, header = next(rows, (1, []))
    columns = [name.casefold() for name in header]
    _require_columns(f"{table.name} row {number}", columns)
    for number, row in rows:
        location = f"{table.name} row {number}"
        if len(row) > len(columns):
            raise BadData(
                f"{location}: expected {len(columns)} cells, got {len(row)}. Put a cell that holds a comma in "
                "quotation marks."
            )
        yield location, dict(zip(columns, row + [""] * (len(columns) - len(row)), strict=True))


def _require_columns(location: str, columns: Sequence[str]) -> None:
    expected = f"expected the columns {','.join(REQUIRED_COLUMNS)} and, if wanted, {','.join(OPTIONAL_COLUMNS)}"
    got = ",".join(columns) or "an empty file"
    if missing := [name for name in REQUIRED_COLUMNS if name not in columns]:
        raise BadData(f"{location}: {expected}, got {got}. Add {', '.join(missing)}.")
    if unknown := [name for name in columns if name not in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)]:
        raise BadData(f"{location}: {expected}, got {got}. Rename or remove {', '.join(map(repr, unknown))}.")
    if len(set(columns)) < len(columns):
        raise BadData(f"{location}: {expected}, got {got}, one of them twice. Remove one of the two.")


def _parse_table(table: Path) -> list[list[str]]:
    try:
        return parse_csv(table.read_bytes(), str(table))
    except OSError as error:
        raise BadData(f"{table}: expected a table, got {error.strerror}. Give the path of a samples.csv.") from None


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

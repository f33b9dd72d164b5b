"""Features of a user: a table `samples.csv` names the labels of each clip and the file of its arrays.

    dataset,subject,clip,label,aus,path
    casme2,sub01,EP02_01f,happiness,12,maps/sub01_EP02_01f.npz
    casme2,sub01,EP03_02,others,4+L7,maps/sub01_EP03_02.png

`path` is relative to the table. `sample_files` describes the files, and the optional columns `order` and `depth`. Maps
are measured over all rows, whether a protocol selects them or not, and refused if they contradict their order or unit.
The column `check` excepts rows with the value `off`. The column `aus` may be blank or missing: the clip was then not
coded for action units. `0` means that it was coded and shows none. `sample_rows` reads the table. Every error names the
table and the row, what was expected, what was found, and what to do.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.trainer.data.arrays import ArrayAllocator
from services.trainer.data.features import build_features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.learners.registry import require_arrays
from services.trainer.sources.map_table import check_map_table
from services.trainer.sources.map_values import GivenMap
from services.trainer.sources.sample_files import (
    decode_map_values,
    read_sample_arrays,
)
from services.trainer.sources.sample_rows import SampleRow, read_samples_csv
from shared.errors import BadData
from shared.run_contents import TableClip
from shared.stage import Arrays
from shared.training.clip_selection import select_by_protocol
from shared.training.options import TrainingOptions


def load_plan_from_table(table: Path, options: TrainingOptions, allocate: ArrayAllocator = np.empty) -> EvaluationPlan:
    """The evaluation plan of the table's clips.

    Raises BadData for an error in the table or a file, and if the model needs other arrays than the files hold. It also
    raises BadData as `select_by_protocol` and `build_features` do.
    """
    samples = open_table(table)
    require_arrays(samples.array_names, options.settings.model, table.name)
    found = select_by_protocol(samples.rows, options.protocol, options.classes, samples.contents)

    features = build_features(
        found.clips,
        lambda row: samples.read_arrays(found.clips[row].row),
        found.classes,
        found.other_emotions,
        allocate,
        samples.array_names,
        found.units,
    )
    return EvaluationPlan(features, options.protocol, options.seeds, found, samples.notes)


@dataclass(frozen=True)
class OpenedTable:
    """The rows of a table that was checked. `contents`: digests of each row's file and maps. `notes`: sentences."""

    rows: Sequence[SampleRow]
    contents: Sequence[list[str]]
    notes: tuple[str, ...]
    first: Arrays  # the arrays of the first row, which all others must have

    @property
    def array_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.first if name != "factors")

    def read_arrays(self, row: int) -> Arrays:
        """The arrays of row number `row`, maps [F,3,28,28] in their unit. Raises BadData unless they fit the first."""
        chosen = self.rows[row]
        arrays = _read_matching_arrays(chosen, self.rows[0], self.first)
        return {**arrays, **_decoded_maps(chosen, arrays)}


def open_table(table: Path) -> OpenedTable:
    """Read the table, and measure the maps of all rows. Raises BadData for an error in the table or a file."""
    rows = read_samples_csv(table)
    first = _read_row_arrays(rows[0])
    contents = [[clip.sha256] for clip in table_clips(rows)]
    notes = tuple(dict.fromkeys(note for row in rows for note in row.notes))
    if "maps" in first:
        notes += _check_rows_with_maps(rows, first, contents)
    return OpenedTable(rows, contents, notes, first)


def table_clips(rows: Sequence[SampleRow]) -> list[TableClip]:
    """The clips with the digests of their files, independent of file names. Raises BadData for a missing file."""
    return [
        TableClip(
            **{name: getattr(row, name) for name in ("dataset", "subject", "clip", "emotion", "aus")},
            sha256=hashlib.sha256(_read_clip_file(row)).hexdigest(),
        )
        for row in rows
    ]


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

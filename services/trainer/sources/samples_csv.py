"""Somebody's own features: a table `samples.csv` that names for each clip its labels and the file of its arrays.

    dataset,subject,clip,label,aus,path
    casme2,sub01,EP02_01f,happiness,12,maps/sub01_EP02_01f.npz
    casme2,sub01,EP03_02,others,4+L7,maps/sub01_EP03_02.png

`path` is relative to the table. What such a file may be, and how a picture is decoded, says `table_file`; `order` and
`depth` are columns too. `aus` may be blank or absent; UTF-8, commas or semicolons. Every fault names table, row, what
was expected, what was found and what to do.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.trainer.data.arrays import Empty
from services.trainer.data.features import assemble
from services.trainer.evaluation.clip_selection import taken
from services.trainer.evaluation.plan import Evaluation
from services.trainer.learners import registry
from services.trainer.options import Choice
from services.trainer.sources.sample_files import DEPTHS, ORDERS, Depth, Order, arrays_of
from shared.errors import BadData
from shared.records import ActionUnit, TableClip
from shared.stage import Arrays

NEEDED = ("dataset", "subject", "clip", "label", "path")
OPTIONAL = ("aus", "order", "depth")
Parse = Callable[[str], tuple[tuple[ActionUnit, ...], str]]  # a cell of units -> units, and what was not understood


@dataclass(frozen=True)
class Row:
    """A clip of the table. `where`: "samples.csv row 2", rows as a spreadsheet counts them."""

    where: str
    dataset: str
    subject: str
    clip: str
    emotion: str | None
    aus: tuple[ActionUnit, ...]
    file: Path
    order: Order
    depth: Depth

    @property
    def told(self) -> str:
        return f"{self.where}: {self.file}"


def gather(table: Path, choice: Choice, parse: Parse, empty: Empty = np.empty) -> Evaluation:
    """What the table's clips are trained and tested on. Raises BadData for a fault of table or file, as `taken` does,
    and where the arrays do not suffice for the model that is to be trained."""
    rows = read(table, parse)
    first = _arrays(rows[0])
    names = tuple(name for name in first if name != "factors")
    registry.require(names, choice.settings.model, table.name)
    contents = [(clip.sha256,) for clip in clips(rows)]
    found = taken(rows, choice.protocol, choice.classes, contents)

    def arrays(row: int) -> Arrays:
        return _alike(rows[found.clips[row].row], rows[0], first)

    features = assemble(found.clips, arrays, found.classes, found.others, empty, names)
    return Evaluation(features, choice.protocol, choice.seeds, found)


def read(table: Path, parse: Parse) -> list[Row]:
    """The rows in their order. Raises BadData."""
    seen: dict[tuple[str, ...], str] = {}
    rows = []
    for where, cells in _cells(table):
        row = _row(where, cells, table.parent, parse)
        other = seen.setdefault((row.dataset, row.subject, row.clip), where)
        if other != where:
            raise BadData(
                f"{where}: expected each clip once, got {row.dataset}/{row.subject}/{row.clip} again after {other}; "
                "take one of the two rows out, or give the clips different names."
            )
        rows.append(row)
    if not rows:
        raise BadData(f"{table}: expected a row for each clip, got none; add rows below the header.")
    return rows


def clips(rows: Sequence[Row]) -> list[TableClip]:
    """What the rows stand for, whatever their files are called. Raises BadData for an absent file."""
    return [
        TableClip(
            **{name: getattr(row, name) for name in ("dataset", "subject", "clip", "emotion", "aus")},
            sha256=hashlib.sha256(_bytes(row)).hexdigest(),
        )
        for row in rows
    ]


def _row(where: str, cells: Mapping[str, str], folder: Path, parse: Parse) -> Row:
    for column in NEEDED:
        if not cells[column]:
            raise BadData(f"{where}: expected a {column}, got an empty cell; fill it in or take the row out.")
    aus, doubt = parse(cells.get("aus", ""))
    if doubt:
        raise BadData(f"{where}: expected action units such as 4+L7+R12B, got {cells['aus']!r} ({doubt}); correct it.")
    identity = {name: cells[name] for name in ("dataset", "subject", "clip")}
    order: Order = _one_of(where, "order", cells, ORDERS)
    depth: Depth = _one_of(where, "depth", cells, DEPTHS)
    file = folder / cells["path"].replace("\\", "/")
    return Row(where=where, **identity, emotion=cells["label"].casefold(), aus=aus, file=file, order=order, depth=depth)


def _one_of(where: str, column: str, cells: Mapping[str, str], known: Sequence[str]) -> str:
    """Blank or absent: the first."""
    value = cells.get(column, "") or known[0]
    if value not in known:
        raise BadData(f"{where}: expected {column} {' or '.join(known)}, got {value!r}; correct it or leave it blank.")
    return value


def _cells(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line that is not blank, its cells by column."""
    text = _text(table)
    semicolons = text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",")
    header, *lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if semicolons else ",")) or [[]]
    columns = [name.strip().casefold() for name in header]
    _check_columns(table, columns)
    for number, line in enumerate(lines, 2):
        if len(line) > len(columns):
            raise BadData(
                f"{table.name} row {number}: expected {len(columns)} cells, got {len(line)}; put a cell that holds a "
                "comma in quotation marks."
            )
        if any(cell.strip() for cell in line):
            cells = [cell.strip() for cell in line] + [""] * (len(columns) - len(line))
            yield f"{table.name} row {number}", dict(zip(columns, cells, strict=True))


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    expected = f"expected the columns {','.join(NEEDED)} and, if wanted, {','.join(OPTIONAL)}"
    got = ",".join(columns) or "an empty file"
    if missing := [name for name in NEEDED if name not in columns]:
        raise BadData(f"{table.name} row 1: {expected}, got {got}; add {', '.join(missing)}.")
    if unknown := [name for name in columns if name not in (*NEEDED, *OPTIONAL)]:
        raise BadData(f"{table.name} row 1: {expected}, got {got}; rename or take out {', '.join(map(repr, unknown))}.")
    if len(set(columns)) < len(columns):
        raise BadData(f"{table.name} row 1: {expected}, got {got}, one of them twice; take one of the two out.")


def _text(table: Path) -> str:
    try:
        return table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(f"{table}: expected UTF-8, got {error.reason} at byte {error.start}; save it as UTF-8.") from None
    except OSError as error:
        raise BadData(f"{table}: expected a table, got {error.strerror}; give the path of a samples.csv.") from None


def _bytes(row: Row) -> bytes:
    try:
        return row.file.read_bytes()
    except OSError as error:
        raise BadData(
            f"{row.told}: expected the clip's file, got {error.strerror}; paths are relative to the table: correct the "
            "path or put the file there."
        ) from None


def _arrays(row: Row) -> Arrays:
    return arrays_of(_bytes(row), row.file.suffix.casefold(), row.told, row.order, row.depth)


def _alike(row: Row, model: Row, first: Arrays) -> Arrays:
    """A row's arrays, which must be those of the first row and of the same factors."""
    found = _arrays(row)
    if found.keys() != first.keys():
        kinds = [", ".join(name for name in arrays if name != "factors") for arrays in (first, found)]
        raise BadData(
            f"{row.told}: expected {kinds[0]}, as {model.where} has, got {kinds[1]}; give all rows the same arrays."
        )
    if not np.array_equal(found["factors"], first["factors"]):
        raise BadData(
            f"{row.told}: expected the factors {first['factors'].tolist()} of {model.where}, got "
            f"{found['factors'].tolist()}; give all rows the same factors."
        )
    return found

"""The plain layout: `clips.csv` names per clip a folder of numbered frames or a video file, relative to the csv."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from services.ingest.catalogue.cells import text
from services.ingest.catalogue.entry import Entry, Layout, Reading
from services.ingest.catalogue.tree import Tree
from shared.errors import BadData

NAME = "clips.csv"
COLUMNS = ("dataset", "subject", "clip", "path", "onset", "apex", "offset", "fps", "emotion", "aus")
YES = {"1", "yes", "true"}


def likeness(tree: Tree) -> tuple[float, ...]:
    return (math.inf,) if (tree.folder / NAME).is_file() else ()


def entries(tree: Tree, dataset: str, how: Reading) -> Iterator[Entry]:
    """One entry per line. The csv's own `dataset` column counts; `dataset` stands in where it is blank."""
    for where, row in _rows(tree.folder / NAME):
        yield Entry(
            where=where,
            dataset=row["dataset"] or dataset,
            subject=row["subject"],
            clip=row["clip"],
            place=tree.folder / row["path"].replace("\\", "/"),
            onset=row["onset"],
            apex=row["apex"],
            offset=row["offset"],
            fps=how.fps or row["fps"],
            emotion=row["emotion"],
            aus=row["aus"],
            cropped=row.get("cropped", "").casefold() in YES,
            labels={"emotion": row["emotion"]},
            filename=row["clip"],
        )


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line that is not blank: "clips.csv row 2" (rows as a spreadsheet counts them) and its cells by column."""
    lines = list(csv.reader(io.StringIO(_decoded(file), newline=""), delimiter=_delimiter(_decoded(file))))
    header = [name.strip().casefold() for name in lines[0]] if lines else []
    if missing := [column for column in COLUMNS if column not in header]:
        raise BadData(
            f"{NAME} row 1: expected the columns {','.join(COLUMNS)}, got {','.join(header) or 'an empty file'} "
            f"without {', '.join(map(repr, missing))}; add them (apex, emotion and aus may be left blank)."
        )
    for number, line in enumerate(lines[1:], 2):
        cells = dict(zip(header, (text(cell) for cell in [*line, *[""] * len(header)]), strict=False))
        if any(cells.values()):
            yield f"{NAME} row {number}", cells


def _decoded(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(
            f"{NAME}: expected UTF-8 text, got {error.reason} at byte {error.start}; save it as UTF-8."
        ) from None


def _delimiter(content: str) -> str:
    """A spreadsheet set to a language with decimal commas writes semicolons."""
    first = content.partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else ","


LAYOUT = Layout(
    key="clips",
    name="clips.csv",
    expects=f"{NAME} with the columns {','.join(COLUMNS)}",
    likeness=likeness,
    entries=entries,
)

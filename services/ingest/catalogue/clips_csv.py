"""The plain layout: `clips.csv` names per clip a folder of numbered frames or a video file, relative to the csv."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from services.ingest.catalogue.cells import cell_text
from services.ingest.catalogue.entry import AnnotationEntry, DatasetLayout, ReadingOptions
from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData

CLIPS_CSV_NAME = "clips.csv"
COLUMNS = ("dataset", "subject", "clip", "path", "onset", "apex", "offset", "fps", "emotion", "aus")
YES = {"1", "yes", "true"}


def clips_csv_likeness(tree: DatasetTree) -> tuple[float, ...]:
    return (math.inf,) if (tree.folder / CLIPS_CSV_NAME).is_file() else ()


def read_csv_entries(tree: DatasetTree, dataset: str, reading: ReadingOptions) -> Iterator[AnnotationEntry]:
    """One entry per line. The csv's own `dataset` column counts; `dataset` stands in where it is blank."""
    for where, row in _csv_rows(tree.folder / CLIPS_CSV_NAME):
        yield AnnotationEntry(
            location=where,
            dataset=row["dataset"] or dataset,
            subject=row["subject"],
            clip=row["clip"],
            source_path=tree.folder / row["path"].replace("\\", "/"),
            onset=row["onset"],
            apex=row["apex"],
            offset=row["offset"],
            fps=reading.fps or row["fps"],
            emotion=row["emotion"],
            aus=row["aus"],
            cropped=row.get("cropped", "").casefold() in YES,
            labels={"emotion": row["emotion"]},
            filename=row["clip"],
        )


def _csv_rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line that is not blank: "clips.csv row 2" (rows as a spreadsheet counts them) and its cells by column."""
    lines = list(csv.reader(io.StringIO(_read_utf8(file), newline=""), delimiter=_guess_delimiter(_read_utf8(file))))
    header = [name.strip().casefold() for name in lines[0]] if lines else []
    if missing := [column for column in COLUMNS if column not in header]:
        raise BadData(
            f"{CLIPS_CSV_NAME} row 1: expected the columns {','.join(COLUMNS)}, got "
            f"{','.join(header) or 'an empty file'} "
            f"without {', '.join(map(repr, missing))}; add them (apex, emotion and aus may be left blank)."
        )
    for number, line in enumerate(lines[1:], 2):
        cells = dict(zip(header, (cell_text(cell) for cell in [*line, *[""] * len(header)]), strict=False))
        if any(cells.values()):
            yield f"{CLIPS_CSV_NAME} row {number}", cells


def _read_utf8(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(
            f"{CLIPS_CSV_NAME}: expected UTF-8 text, got {error.reason} at byte {error.start}; save it as UTF-8."
        ) from None


def _guess_delimiter(content: str) -> str:
    """A spreadsheet set to a language with decimal commas writes semicolons."""
    first = content.partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else ","


CLIPS_CSV_LAYOUT = DatasetLayout(
    key="clips",
    name="clips.csv",
    expects=f"{CLIPS_CSV_NAME} with the columns {','.join(COLUMNS)}",
    likeness=clips_csv_likeness,
    read_entries=read_csv_entries,
)

"""The plain layout: `clips.csv` names for each clip a folder of numbered frames or a video, relative to the csv."""

import math
from collections.abc import Iterator
from pathlib import Path

from services.ingest.catalogue.cells import cell_text
from services.ingest.catalogue.entry import AnnotationEntry, DatasetLayout, ReadingOptions
from services.ingest.catalogue.tree import DatasetTree
from shared.csv_rows import numbered_rows, parse_csv
from shared.errors import BadData

CLIPS_CSV_NAME = "clips.csv"
COLUMNS = ("dataset", "subject", "clip", "path", "onset", "apex", "offset", "fps", "emotion", "aus")
SECONDS_COLUMNS = {"onset": "onset_s", "apex": "apex_s", "offset": "offset_s"}  # in place of frames, or beside them
YES = {"1", "yes", "true"}


def clips_csv_likeness(tree: DatasetTree) -> tuple[float, ...]:
    """Infinite for a folder with a clips.csv, since it is written for merstream. Otherwise ()."""
    return (math.inf,) if (tree.folder / CLIPS_CSV_NAME).is_file() else ()


def read_csv_entries(tree: DatasetTree, dataset: str, reading: ReadingOptions) -> Iterator[AnnotationEntry]:
    """One entry per row. `dataset` is the name of the dataset if the column `dataset` is blank."""
    for location, row in _csv_rows(tree.folder / CLIPS_CSV_NAME):
        yield AnnotationEntry(
            location=location,
            dataset=row["dataset"] or dataset,
            subject=row["subject"],
            clip=row["clip"],
            source_path=tree.folder / row["path"].replace("\\", "/"),
            onset=row.get("onset", ""),
            apex=row.get("apex", ""),
            offset=row.get("offset", ""),
            fps=reading.fps or row["fps"],
            emotion=row["emotion"],
            aus=row["aus"],
            cropped=row.get("cropped", "").casefold() in YES,
            labels={"emotion": row["emotion"]},
            filename=row["clip"],
            numbering=row.get("numbering", ""),
            seconds={role: row.get(column, "") for role, column in SECONDS_COLUMNS.items()},
        )


def _csv_rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row that is not blank: its location ("clips.csv row 2") and its cells by column."""
    rows = numbered_rows(parse_csv(file.read_bytes(), CLIPS_CSV_NAME))
    number, first = next(rows, (1, []))
    header = [name.casefold() for name in first]
    if missing := [column for column in COLUMNS if not {column, SECONDS_COLUMNS.get(column)} & {*header}]:
        raise BadData(
            f"{CLIPS_CSV_NAME} row {number}: expected the columns {','.join(COLUMNS)}, got "
            f"{','.join(header) or 'an empty file'} without {', '.join(map(repr, missing))}; "
            "add them (apex, emotion and aus may be left blank)."
        )
    for number, row in rows:
        cells = zip(header, [*map(cell_text, row), *[""] * len(header)], strict=False)
        yield f"{CLIPS_CSV_NAME} row {number}", dict(cells)


CLIPS_CSV_LAYOUT = DatasetLayout(
    key="clips",
    name="clips.csv",
    expects=f"{CLIPS_CSV_NAME} with the columns {','.join(COLUMNS)}",
    likeness=clips_csv_likeness,
    read_entries=read_csv_entries,
)

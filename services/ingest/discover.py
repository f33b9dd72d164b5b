"""Discovery: a dataset folder -> its clips, each found or with a sentence on what is wrong with it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from services.ingest.catalogue.cells import text
from services.ingest.catalogue.entry import Entry, Found, Prefer, Problem
from services.ingest.catalogue.registry import layout_of
from services.ingest.catalogue.resolve import problem, resolve


def discover(folder: Path, dataset: str = "", prefer: Prefer = "cropped") -> Iterator[Found | Problem]:
    """Every annotated clip of the dataset in `folder`, in the order of its sheet.

    `dataset` names the dataset (default: the folder's name; a `clips.csv` names its own). `prefer` chooses where a
    dataset carries both face crops and raw frames. A bad clip is a `Problem` and stops no other; a fault of the
    dataset (no sheet, two sheets, a missing column, ...) raises BadData before the first clip.
    """
    layout = layout_of(folder)
    entries = list(layout.entries(folder, dataset or text(folder.resolve().name), prefer))
    rows = _rows_by_identity(entries)
    return (_checked(entry, folder, rows[_identity(entry)]) for entry in entries)


def _checked(entry: Entry, folder: Path, rows: list[str]) -> Found | Problem:
    """A name given twice means that one of the rows is wrong, and nobody but the lab can tell which."""
    if len(rows) == 1 or not entry.clip:
        return resolve(entry, folder)
    others = ", ".join(row for row in rows if row != entry.where)
    name = f"{entry.subject}/{entry.clip}"
    sentence = f"{entry.where}: expected one row for {name}, got another at {others}; rename or delete one of them."
    return problem(entry, sentence)


def _rows_by_identity(entries: list[Entry]) -> dict[tuple[str, str, str], list[str]]:
    rows: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for entry in entries:
        rows[_identity(entry)].append(entry.where)
    return rows


def _identity(entry: Entry) -> tuple[str, str, str]:
    return entry.dataset, entry.subject, entry.clip

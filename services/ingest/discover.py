"""Discovery: a dataset folder -> its clips, each found or with a sentence on what is wrong with it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from services.ingest.catalogue import corrections
from services.ingest.catalogue.cells import text
from services.ingest.catalogue.entry import Change, Entry, Found, Prefer, Problem, Reading
from services.ingest.catalogue.registry import recognised
from services.ingest.catalogue.resolve import problem, resolve
from services.ingest.catalogue.tree import Tree

DEFAULT = Reading()


def discover(
    folder: Path, dataset: str = "", prefer: Prefer = "cropped", how: Reading | None = None
) -> Iterator[Found | Problem]:
    """Every annotated clip of the dataset in `folder`, in the order of its sheet. Frames are never opened.

    `dataset` names the dataset (default: the folder's name; a `clips.csv` names its own). `prefer` chooses where a
    dataset carries both face crops and raw frames; `how` is that and all else that can be chosen. A bad clip is a
    `Problem` and stops no other; a fault of the dataset (no sheet, two sheets, a missing column, ...) raises BadData
    before the first clip.
    """
    return read(Tree(folder), dataset, how or Reading(prefer=prefer))


def read(tree: Tree, dataset: str = "", how: Reading = DEFAULT) -> Iterator[Found | Problem]:
    """The same for a folder that was looked at already."""
    layout = recognised(tree)
    found = layout.entries(tree, dataset or text(tree.folder.resolve().name), how)
    entries = [corrections.apply(entry, layout.key, how.corrections) for entry in found]
    rows = _rows_by_identity([entry for entry, _ in entries])
    return (_checked(entry, tree.folder, rows[_identity(entry)], changes) for entry, changes in entries)


def _checked(entry: Entry, folder: Path, rows: list[str], changes: tuple[Change, ...]) -> Found | Problem:
    """A name given twice means that one of the rows is wrong, and nobody but the lab can tell which."""
    if len(rows) == 1 or not entry.clip:
        return resolve(entry, folder, changes)
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

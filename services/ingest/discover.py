"""Discovery: from a dataset folder to its clips, each found or with a sentence on its problem."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from services.ingest.catalogue import corrections
from services.ingest.catalogue.entry import AnnotationChange, AnnotationEntry, ClipProblem, FoundClip
from services.ingest.catalogue.numbering import DatasetNumbering, survey_numbering
from services.ingest.catalogue.registry import recognise_layout
from services.ingest.catalogue.resolve import problem_of_entry, resolve_entry
from services.ingest.catalogue.shared_frames import note_shared_frames
from services.ingest.catalogue.tree import DatasetTree
from shared.inbox.reading_options import PreferredFrames, ReadingOptions
from shared.tables.cells import cell_text, is_absent
from shared.tables.labels import find_shifted_labels, note_doubtful_labels

DEFAULT_READING = ReadingOptions()


def discover_clips(
    folder: Path, dataset: str = "", prefer: PreferredFrames = "cropped", reading: ReadingOptions | None = None
) -> Iterator[FoundClip | ClipProblem]:
    """Every annotated clip of the dataset in `folder`, in the order of its sheet. Frames are never opened.

    `dataset` is the dataset's name, by default the folder's. A `clips.csv` has its own names. `prefer` selects face
    crops or raw frames if there are both. `reading` has all options, `prefer` among them. A bad clip becomes a
    `ClipProblem`, and the others continue. A fault of the dataset (no sheet, two sheets, a missing column, ...) raises
    BadData before the first clip.
    """
    return discover_tree(DatasetTree(folder), dataset, reading or ReadingOptions(prefer=prefer))


def discover_tree(
    tree: DatasetTree, dataset: str = "", reading: ReadingOptions = DEFAULT_READING
) -> Iterator[FoundClip | ClipProblem]:
    """The same for a folder whose tree was read already."""
    layout = recognise_layout(tree)
    found = layout.read_entries(tree, dataset or cell_text(tree.folder.resolve().name), reading)
    entries = [
        corrections.apply_corrections(entry, layout.key, reading.corrections)
        for entry in note_shared_frames(_compare_labels(found))
    ]
    rows = _rows_by_identity([entry for entry, _ in entries])
    numbering = survey_numbering([entry for entry, _ in entries], tree)
    return (
        _resolve_unique(entry, tree.folder, rows[_entry_identity(entry)], changes, numbering)
        for entry, changes in entries
    )


def _resolve_unique(
    entry: AnnotationEntry,
    folder: Path,
    rows: list[str],
    changes: tuple[AnnotationChange, ...],
    numbering: DatasetNumbering,
) -> FoundClip | ClipProblem:
    """Resolve an entry whose name is unique. If two rows have one name, only the lab knows which row is wrong."""
    if len(rows) == 1 or not entry.clip:
        return resolve_entry(entry, folder, changes, numbering)
    others = ", ".join(row for row in rows if row != entry.location)
    name = f"{entry.subject}/{entry.clip}"
    sentence = f"{entry.location}: expected one row for {name}, got another at {others}; rename or delete one of them."
    return problem_of_entry(entry, sentence)


def _compare_labels(entries: Iterable[AnnotationEntry]) -> list[AnnotationEntry]:
    """The entries with notes on labels that are nearly equal, and faults for numbers among words."""
    found = list(entries)
    labels = [cell_text(entry.emotion).lower() for entry in found if not is_absent(entry.emotion) and not entry.fault]
    doubts, shifted = note_doubtful_labels(labels), find_shifted_labels(labels)
    return [_compare_label(entry, doubts, shifted) for entry in found]


def _compare_label(entry: AnnotationEntry, doubts: Mapping[str, str], shifted: Collection[str]) -> AnnotationEntry:
    label = cell_text(entry.emotion).lower()
    if label in shifted and not entry.fault:
        column = entry.column_label("emotion")
        fault = f"{entry.location}: expected a word in {column}, as in the other rows, got {label!r}; correct the cell."
        return replace(entry, fault=fault)
    return replace(entry, label_notes=(*entry.label_notes, doubts[label])) if label in doubts else entry


def _rows_by_identity(entries: list[AnnotationEntry]) -> dict[tuple[str, str, str], list[str]]:
    rows: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for entry in entries:
        rows[_entry_identity(entry)].append(entry.location)
    return rows


def _entry_identity(entry: AnnotationEntry) -> tuple[str, str, str]:
    return entry.dataset, entry.subject, entry.clip

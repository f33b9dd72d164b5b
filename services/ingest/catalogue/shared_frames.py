"""Frames that two rows give to two persons: a row is wrong, or both are in the picture and neither is named."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from services.ingest.catalogue.annotated_seconds import read_seconds
from services.ingest.catalogue.cells import cell_text, whole_number
from services.ingest.catalogue.entry import AnnotationEntry
from shared.errors import BadData

Span = tuple[str, float, float]  # "frames" or "seconds", first and last


def note_shared_frames(entries: Sequence[AnnotationEntry]) -> list[AnnotationEntry]:
    """The entries, with a note for two persons in the same frames. Different cells `face` tell the persons apart.

    Such rows would train on a person and test on the same frames. Training itself only finds equal clips.
    """
    rows: dict[tuple[str, str], list[AnnotationEntry]] = defaultdict(list)
    for entry in entries:
        rows[_source_key(entry)].append(entry)
    persons = {key: {(entry.dataset, entry.subject) for entry in found} for key, found in rows.items()}
    several = {key: found for key, found in rows.items() if len(persons[key]) > 1}
    return [_compare_entry(entry, several.get(_source_key(entry), [])) for entry in entries]


def _source_key(entry: AnnotationEntry) -> tuple[str, str]:
    return str(entry.source_path), cell_text(entry.face).casefold()


def _compare_entry(entry: AnnotationEntry, same_source: Sequence[AnnotationEntry]) -> AnnotationEntry:
    others = [each for each in same_source if _is_other_person(entry, each)]
    other = next((each for each in others if _overlap(entry, each)), None)
    if other is None:
        return entry
    note = (
        f"{entry.location}: {entry.subject} has frames that {other.location} gives to {other.subject}. If both are in "
        "the picture, say which face is whose in the column face"
    )
    return replace(entry, label_notes=(*entry.label_notes, note))


def _is_other_person(entry: AnnotationEntry, other: AnnotationEntry) -> bool:
    return bool(entry.subject and other.subject) and (entry.dataset, entry.subject) != (other.dataset, other.subject)


def _overlap(entry: AnnotationEntry, other: AnnotationEntry) -> bool:
    """Whether two rows have frames in common. Rows of frames and of seconds are not compared."""
    theirs = {kind: (first, last) for kind, first, last in _spans(other)}
    return any(
        first <= theirs[kind][1] and theirs[kind][0] <= last for kind, first, last in _spans(entry) if kind in theirs
    )


def _spans(entry: AnnotationEntry) -> list[Span]:
    onset, offset = whole_number(entry.onset), whole_number(entry.offset)
    frames: list[Span] = [("frames", onset, offset)] if onset is not None and offset is not None else []
    try:
        seconds = read_seconds(entry)
    except BadData:  # a fault of the row, which is told later
        seconds = None
    if frames or not seconds or seconds[0] is None or seconds[2] is None:
        return frames
    return [("seconds", seconds[0], seconds[2])]

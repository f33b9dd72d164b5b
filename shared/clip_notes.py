"""Notes on clips as people read them: a note on several clips is told once."""

from collections import defaultdict
from collections.abc import Iterable

from shared.records import Record


def group_notes(notes: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence for each note: "s1/c1: ..." or "3 clips (s1/c1, ...): ...". `notes` are pairs of clip and note."""
    clips: dict[str, list[str]] = defaultdict(list)
    for clip, note in notes:
        clips[note].append(clip)
    return [
        f"{names[0]}: {note}" if len(names) == 1 else f"{len(names)} clips ({names[0]}, ...): {note}"
        for note, names in clips.items()
    ]


def describe_record_notes(records: Iterable[Record]) -> list[str]:
    """The notes that the stages made on the clips of these records."""
    return group_notes((record.sample.identity, note) for record in records for note in record.notes)

"""Notes on clips and rows as people read them: what holds for several of them is told once."""

import re
from collections import defaultdict
from collections.abc import Iterable

from shared.records import Record

SPOTTED_APEX = ": spotted at frame"  # stands in the note on a clip whose apex is not the coded one


def group_notes(notes: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence for each note: "s1/c1: ..." or "3 clips (s1/c1, ...): ...". `notes` are pairs of clip and note."""
    clips: dict[str, list[str]] = defaultdict(list)
    for clip, note in notes:
        clips[note].append(clip)
    return [
        f"{names[0]}: {note}" if len(names) == 1 else f"{len(names)} clips ({names[0]}, ...): {note}"
        for note, names in clips.items()
    ]


def summarise_notes(sentences: Iterable[str]) -> list[str]:
    """One sentence for all that differ in numbers alone, such as the apexes of a dataset that were all spotted.

    `sentences` begin with a clip or a row and a colon.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for sentence in sentences:
        _, colon, note = sentence.partition(": ")
        alike[re.sub(r"\d+", "#", note if colon else sentence)].append(sentence)
    return [
        found[0] if len(found) == 1 else f"{found[0]} ({len(found) - 1} more differ in numbers alone)"
        for found in alike.values()
    ]


def describe_record_notes(records: Iterable[Record]) -> list[str]:
    """The notes that the stages made on the clips of these records."""
    return group_notes((record.sample.identity, note) for record in records for note in record.notes)

"""Known errors of the distributed sheets, as data: `corrections.csv`, keyed by dataset, subject and file name.

A row is applied and reported if the sheet still has `old`: a value, `absent`, `=onset` or `=offset` (the cell repeats
that cell), `offset=40` (another cell has that value) or `contains or`. Several of these are separated by `|`. `old` is
empty if the source does not state it. Such a row is reported and never applied. `confidence`:

    documented   the source names the clip and the error. Applied by default
    estimated    a judgement from optical flow
    row order    the source names a row of its own copy of the sheet. The clip was inferred from it
    disputed     versions of the sheet differ, and none is known to be right
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from services.ingest.catalogue.entry import AnnotationChange, AnnotationEntry
from shared.inbox.reading_options import CorrectionSwitch
from shared.names import spelling_key
from shared.tables.cells import cell_text, is_absent

CORRECTIONS_CSV = Path(__file__).with_name("corrections.csv")
CONFIDENCE = ("documented", "estimated", "row order", "disputed")
FIELDS = ("onset", "apex", "offset", "aus", "emotion")
CorrectionKey = tuple[str, str, str]


@dataclass(frozen=True)
class Correction:
    dataset: str
    subject: str
    filename: str
    field: str
    old: str
    new: str
    confidence: str
    source: str
    remark: str

    @property
    def key(self) -> CorrectionKey:
        return self.dataset, spelling_key(self.subject), spelling_key(self.filename)

    def matches_entry(self, entry: AnnotationEntry) -> bool:
        """Whether the sheet still has the wrong value."""
        return any(_cell_holds(entry, self.field, old) for old in self.old.split("|"))


def apply_corrections(
    entry: AnnotationEntry, dataset: str, switch: CorrectionSwitch
) -> tuple[AnnotationEntry, tuple[AnnotationChange, ...]]:
    """The entry with its corrections, and all changes that were or could be made.

    All conditions are tested on the sheet's own cells, so that one correction does not hide another.
    """
    known = _load_corrections().get(
        (dataset, spelling_key(entry.subject), spelling_key(entry.filename or entry.clip)), []
    )
    changes, cells = [], {}
    for correction in known:
        old = cell_text(getattr(entry, correction.field))
        if old == correction.new or (correction.old and not correction.matches_entry(entry)):
            continue  # correct already, or a sheet of another version
        applied = bool(correction.old) and is_wanted(correction, switch)
        changes.append(_describe_change(entry, correction, old, applied))
        if applied:
            cells[correction.field] = correction.new
    return _replace_cells(entry, cells), tuple(changes)


def is_wanted(correction: Correction, switch: CorrectionSwitch) -> bool:
    return switch == "all" or (switch == "documented" and correction.confidence == "documented")


@cache
def _load_corrections() -> Mapping[CorrectionKey, list[Correction]]:
    known: dict[CorrectionKey, list[Correction]] = defaultdict(list)
    with CORRECTIONS_CSV.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            correction = Correction(**row)
            known[correction.key].append(correction)
    return known


def _replace_cells(entry: AnnotationEntry, cells: Mapping[str, str]) -> AnnotationEntry:
    if not cells:
        return entry
    labels = {**entry.labels, "emotion": cells["emotion"]} if "emotion" in cells else entry.labels
    return replace(entry, **{**cells, "labels": labels})


def _describe_change(entry: AnnotationEntry, correction: Correction, old: str, applied: bool) -> AnnotationChange:
    source = f"{correction.source}; {correction.remark}" if correction.remark else correction.source
    clip = f"{entry.subject}/{entry.clip}"
    return AnnotationChange(clip, correction.field, old, correction.new, correction.confidence, source, applied)


def _cell_holds(entry: AnnotationEntry, field: str, old: str) -> bool:
    value = cell_text(getattr(entry, field))
    if old == "absent":
        return is_absent(value)
    if old.startswith("="):
        return not is_absent(value) and value == cell_text(getattr(entry, old[1:]))
    if old.startswith("contains "):
        return old.removeprefix("contains ") in value.casefold().split()
    if "=" in old:
        other, _, expected = old.partition("=")
        return cell_text(getattr(entry, other)) == expected
    return value == old

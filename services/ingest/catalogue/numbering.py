"""Facts on frame numbers that hold for a whole dataset, decided from all its rows and files.

They are: which number of a file's name counts the frames, and whether the sheet counts from another number than the
files.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.ingest.catalogue.entry import AnnotationEntry
from services.ingest.catalogue.frame_names import Habits, NameReading, most_common_counters
from services.ingest.catalogue.numbered import read_frame_folder
from services.ingest.catalogue.tree import DatasetTree
from services.ingest.catalogue.video_length import VideoLength
from shared.tables.cells import cell_text, whole_number

FRAME_ROLES = ("onset", "apex", "offset")
SHIFT_NOTES = {  # by what is added to the numbers of a sheet that counts from 0 and its files from 1, or vice versa
    1: "the frame numbers of the whole sheet are 1 less than those of the frames: 1 was added",
    -1: "the frame numbers of the whole sheet are 1 more than those of the frames: 1 was subtracted",
}
DISPUTED_NOTE = "rows disagree on whether the sheet counts from 0 or from 1: no number was changed for that"
TELLING_SHARE = 0.05  # of rows with onset 0 where files count from 1. Fewer are slips of single rows


@dataclass(frozen=True)
class RowEvidence:
    """A row's numbers, the numbers of its folder's first and last file, and the shifts with which both ends exist."""

    onset: int
    offset: int
    first: int
    last: int
    fits: frozenset[int]

    def contradicts(self, shift: int) -> bool:
        """Whether only the numbers as they are lie within those of the files. A hole in the files says nothing."""
        inside = self.first <= self.onset + shift and self.offset + shift <= self.last
        return self.onset + shift < 0 or (0 in self.fits and not inside)


@dataclass(frozen=True)
class DatasetNumbering:
    """`shifts`: what is added to the sheet's numbers, by dataset and whether its clips are folders of frames."""

    habits: Habits = field(default_factory=dict)
    shifts: Mapping[tuple[str, bool], int] = field(default_factory=dict)
    disputed: frozenset[tuple[str, bool]] = frozenset()  # whose rows disagree on the shift

    def shift_entry(self, entry: AnnotationEntry) -> AnnotationEntry:
        """The entry with its files' frame numbers, noted."""
        clips = (entry.dataset, entry.source_path.is_dir())
        shift = self.shifts.get(clips, 0)
        if clips in self.disputed and entry.coded:
            return replace(entry, notes=(*entry.notes, DISPUTED_NOTE))
        numbers = {role: whole_number(getattr(entry, role)) for role in FRAME_ROLES}
        moved = {role: number + shift for role, number in numbers.items() if number is not None}
        if not shift or not moved or not entry.coded:
            return entry
        return replace(entry, **moved, notes=(*entry.notes, SHIFT_NOTES[shift]))

    def describe_doubts(self, reading: NameReading, location: str) -> tuple[str, ...]:
        """A folder in which another number counts the frames than in most folders with such names."""
        return tuple(
            f"{location}: number {group + 1} of its file names counts the frames, number {self.habits[pattern] + 1} in "
            "other folders"
            for pattern, group in reading.counters.items()
            if self.habits.get(pattern, group) != group
        )


def survey_numbering(entries: Sequence[AnnotationEntry], tree: DatasetTree) -> DatasetNumbering:
    """Read the names in every folder, and the length of every video, inside the dataset. Decide for all rows."""
    rows: dict[tuple[Path, bool], list[AnnotationEntry]] = defaultdict(list)
    for entry in entries:
        if entry.source_path.is_relative_to(tree.folder) and ".." not in entry.source_path.parts:
            rows[entry.source_path, entry.cropped].append(entry)
    counters, evidence = [], defaultdict(list)
    for (path, cropped), mine in rows.items():
        reading, numbers = _read_numbers(path, cropped, mine, tree.video_length)
        counters.append(reading.counters)
        for entry in mine if numbers else ():
            evidence[entry.dataset, path.is_dir()] += _weigh_row(entry, numbers)
    shifts = {clips: decide_shift(found) for clips, found in evidence.items()}
    disputed = frozenset(clips for clips, found in evidence.items() if not shifts[clips] and is_disputed(found))
    return DatasetNumbering(most_common_counters(counters), shifts, disputed)


def decide_shift(evidence: Iterable[RowEvidence]) -> int:
    """What must be added to every row's numbers: 1, -1, or 0 where rows contradict each other or say too little."""
    rows = list(evidence)
    known = [row for row in rows if row.fits]
    return next((shift for shift in SHIFT_NOTES if not _is_contradicted(rows, shift) and _is_shifted(known, shift)), 0)


def is_disputed(evidence: Iterable[RowEvidence]) -> bool:
    """Whether a shift is told by rows, and contradicted by others that are not more than they."""
    rows = [row for row in evidence if row.fits]
    for shift in SHIFT_NOTES:
        agreeing = [row for row in rows if not row.contradicts(shift)]
        telling = [row for row in agreeing if shift in row.fits and _lies_outside(row, shift)]
        if 0 < len(rows) - len(agreeing) <= len(telling) and _is_shifted(agreeing, shift):
            return True
    return False


def _is_contradicted(rows: Sequence[RowEvidence], shift: int) -> bool:
    """One row says so, or as many rows end further behind their files as end just so: files were lost there."""
    behind = [row.offset + shift - row.last for row in rows if shift < 0 and row.offset > row.last]
    return any(row.contradicts(shift) for row in rows) or 0 < sum(map(bool, behind)) >= behind.count(0)


def _is_shifted(rows: Sequence[RowEvidence], shift: int) -> bool:
    telling = [row for row in rows if shift in row.fits and _lies_outside(row, shift)]
    exact = [row for row in telling if (row.onset + shift, row.offset + shift) == (row.first, row.last)]
    if telling and 2 * len(exact) >= len(rows):
        return True
    if shift > 0:  # onset 0, and no folder has a frame 0
        from_0 = [row for row in telling if row.onset == 0]
        return all(row.first > 0 for row in rows) and len(from_0) > TELLING_SHARE * len(rows)
    # Files from 0, and an offset one behind the last file. A single one may be a file that was lost.
    return all(row.first == 0 for row in rows) and len(telling) >= min(2, max(len(rows), 1))


def _lies_outside(row: RowEvidence, shift: int) -> bool:
    return row.onset < row.first if shift > 0 else row.offset > row.last


def _read_numbers(
    path: Path, cropped: bool, rows: Sequence[AnnotationEntry], video_length: VideoLength
) -> tuple[NameReading, Collection[int]]:
    """The names in a folder of frames, and its frame numbers or those of a video."""
    try:
        if path.is_dir():
            reading = read_frame_folder(path, cropped)
            return reading, reading.numbers.keys()
        if path.is_file():
            offsets = [whole_number(entry.offset) or 0 for entry in rows]
            return NameReading(), range(video_length(path, max(offsets)))
    except (OSError, ValueError):  # a name that no file system accepts: a problem of the row, which is told later
        pass
    return NameReading(), ()


def _weigh_row(entry: AnnotationEntry, numbers: Collection[int]) -> list[RowEvidence]:
    onset, offset = whole_number(entry.onset), whole_number(entry.offset)
    timed = cell_text(entry.numbering).casefold() == "timed"  # such a number may lie beyond the count of frames
    if onset is None or offset is None or not entry.coded or timed:
        return []
    fits = frozenset(shift for shift in (0, *SHIFT_NOTES) if onset + shift in numbers and offset + shift in numbers)
    return [RowEvidence(onset, offset, min(numbers), max(numbers), fits)]

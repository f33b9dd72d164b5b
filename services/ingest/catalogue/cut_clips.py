"""Clips that were cut out of their recordings: their files count from the clip's first frame, their sheet does not.

Whether a dataset's clips are so, and where their files begin, is decided from all its clips.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.ingest.catalogue.numbered import numbered_images
from services.ingest.catalogue.numbering import FRAME_ROLES
from shared.tables.cells import whole_number
from shared.tables.rows import TableRow

CUT_NOTE = "frames are counted from the clip's own first"


@dataclass(frozen=True)
class CutClip:
    """A row, its numbers if it has a sheet's, and those of its folder's first and last file."""

    row: TableRow
    onset: int
    offset: int
    first: int
    last: int
    has_onset: bool  # a file has the number of the onset

    @property
    def is_whole(self) -> bool:
        """Whether the folder has as many frames as the clip."""
        return self.last - self.first == self.offset - self.onset

    @property
    def is_cut(self) -> bool:
        return self.is_whole and not self.has_onset


@dataclass(frozen=True)
class RenumberedRow:
    """A row with its files' frame numbers. `fault` says why the row cannot be used."""

    row: TableRow
    notes: tuple[str, ...] = ()
    fault: str = ""


def renumber_cut_clips(rows: Sequence[tuple[TableRow, Path | None]]) -> list[RenumberedRow]:
    """Number clips by their files, if the folders have as many frames as the clips, and none has the onset's number.

    If most clips are so, all are: one with another number of files is refused, for its numbers may mean either.
    """
    clips = [_look_at_clip(row, folder) for row, folder in rows]
    known = [clip for clip in clips if clip]
    most = 2 * sum(clip.is_cut for clip in known) > len(known)
    return [_renumber_clip(row, clip, most) for (row, _), clip in zip(rows, clips, strict=True)]


def shift_to_first_files(rows: Sequence[tuple[TableRow, Path | None]]) -> list[RenumberedRow]:
    """Number clips by their files, if the sheet says in `first` what number the first file of each would have.

    If most files have the sheet's numbers, nothing is shifted. If most folders begin with one number, all do: where it
    is missing, the first files were lost.
    """
    firsts = [min(numbered_images(folder), default=None) if folder else None for _, folder in rows]
    stated = [whole_number(row["first"]) for row, _ in rows]
    begin = [first for first in firsts if first is not None]
    usual, count = Counter(begin).most_common(1)[0] if begin else (None, 0)
    same = sum(first is not None and first == there for first, there in zip(stated, firsts, strict=True))
    return [
        RenumberedRow(row)
        if 2 * same > len(begin)
        else _shift_to_first_file(row, first, there, usual if 2 * count > len(begin) else None)
        for (row, _), first, there in zip(rows, stated, firsts, strict=True)
    ]


def _look_at_clip(row: TableRow, folder: Path | None) -> CutClip | None:
    onset, offset = whole_number(row["onset"]), whole_number(row["offset"])
    files = numbered_images(folder) if folder else {}
    if onset is None or offset is None or not files:
        return None
    return CutClip(row, onset, offset, min(files), max(files), onset in files)


def _renumber_clip(row: TableRow, clip: CutClip | None, most: bool) -> RenumberedRow:
    if clip is None or clip.first == clip.onset or not (most or clip.is_cut):
        return RenumberedRow(row)
    if clip.is_whole:
        return RenumberedRow(_add_to_numbers(row, clip.first - clip.onset), (CUT_NOTE,))
    frames, files = clip.offset - clip.onset + 1, clip.last - clip.first + 1
    return RenumberedRow(
        row,
        fault=f"expected {frames} frames as in onset {clip.onset} to offset {clip.offset}, since most clips of the "
        f"dataset are cut out of their recordings, got {files} ({clip.first} to {clip.last}); restore the files or "
        "correct the row.",
    )


def _shift_to_first_file(row: TableRow, stated: int | None, first: int | None, usual: int | None) -> RenumberedRow:
    if first is None:
        return RenumberedRow(row)
    if stated is None:
        label = row.column_labels.get("first", "first")
        return RenumberedRow(row, fault=f"expected the number of the first frame in {label}, got none; fill it in.")
    if usual is None or first <= usual:
        return RenumberedRow(_add_to_numbers(row, first - stated))
    note = f"the files begin with {first}, those of most clips with {usual}: the first were taken as missing"
    return RenumberedRow(_add_to_numbers(row, usual - stated), (note,))


def _add_to_numbers(row: TableRow, shift: int) -> TableRow:
    moved = {role: number + shift for role in FRAME_ROLES if (number := whole_number(row[role])) is not None}
    return replace(row, cells={**row.cells, **moved})

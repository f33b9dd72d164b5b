"""A dataset as its owners hand it out, told as data: where frames lie, what the sheet's columns are called, the rate.

A `Distribution` turns its folder into entries; what no dataset shares with another is a small function in its own file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from services.ingest.catalogue import numbered
from services.ingest.catalogue.cells import is_absent, text, whole
from services.ingest.catalogue.clip_folders import Pattern, Place, Places, located
from services.ingest.catalogue.entry import Entry, Layout, Reading
from services.ingest.catalogue.sheet import Columns, Row, Sheet, coding_sheet
from services.ingest.catalogue.sheet import located as header
from services.ingest.catalogue.spreadsheet import Table
from services.ingest.catalogue.tree import Tree

NUMBERS = ("onset", "apex", "offset")
Sheets = Literal["needed", "optional"]


@dataclass(frozen=True)
class Distribution:
    """One dataset. `columns` are names by role: subject, clip, onset, apex, offset, aus, emotion; more if it has them:
    objective (class), duration, first (number of the first file), fps, kind (micro or macro), file.
    """

    key: str
    name: str
    example: str  # where frames lie, for messages
    fps: float
    patterns: tuple[Pattern, ...]
    columns: Columns
    optional: frozenset[str] = frozenset({"aus", "emotion", "objective", "duration", "first", "fps", "kind"})
    sheet: Sheets = "needed"
    digits: int = 2  # of a subject's number: 1, "01" and "sub01" are one person
    subject: str = r"(?:sub|s)?[ _-]?0*(\d{1,18})"  # how sheets and folders write a subject; group 1 is the number
    clip: str = ".+"  # file names as its sheet writes them: tells datasets with equal columns apart
    subject_in_clip: str = ""  # where the file name holds the subject's number: group 1
    several: bool = False  # several expressions may bear one file name: the onset joins the clip's name
    zero_offset: Literal["refuse", "apex"] = "refuse"  # what an offset of 0 means
    folders: Mapping[str, str] = field(default_factory=dict)  # label by folder's name, where they differ
    footer: bool = False  # text follows the last clip's row
    renumbered: bool = False  # clips may be cut out of their recording and count from their own first frame
    ignore: str = "$^"  # sheets of this name are others than the coding sheet, though their columns are the same
    extra: Mapping[str, Columns] = field(default_factory=dict)  # label sets in a sheet of their own
    read: Callable[[Tree, "Distribution"], Iterable[Row]] | None = None
    rates: Callable[[Row, Place | None], object] | None = None

    @property
    def needed(self) -> list[str]:
        return [role for role in self.columns if role not in self.optional]

    @property
    def layout(self) -> Layout:
        return Layout(self.key, self.name, f"{self.name} ({self.example})", self.likeness, self.entries, self.clips)

    def clips(self, tree: Tree) -> list[tuple[str, tuple[str, str]]]:
        """Every folder that holds a clip, annotated or not: its path, subject and file name as `loose` writes them."""
        return [(str(place.folder), place.key(self.number)) for place in located(tree, self.patterns)]

    def likeness(self, tree: Tree) -> tuple[float, ...]:
        """(frames as here, a complete sheet, how particular the folders are, share of file names as here)."""
        place = next(located(tree, self.patterns), None)
        sheets = [header(table, self.columns) for table in self._tables(tree)]
        complete = [sheet for sheet in sheets if set(self.needed) <= set(sheet.columns)] if self.needed else []
        named = max((self._named(sheet) for sheet in complete), default=0.0)
        if place is None and not named:
            return ()
        return (place is not None, bool(complete), len(place.pattern.segments) if place else 0, named)

    def entries(self, tree: Tree, dataset: str, how: Reading) -> Iterator[Entry]:
        """One entry per row of the coding sheet; without a sheet, where it is optional, one per folder."""
        places = Places(tree, self.patterns, how.prefer, self.example, self.number)
        others = {name: self._labels(tree, columns) for name, columns in self.extra.items()}
        for row in self._rows(tree, places):
            entry = self._entry(row, tree, places, dataset, how)
            more = {name: labels.get((entry.subject, entry.filename)) for name, labels in others.items()}
            yield with_label(replace(entry, labels={**entry.labels, **more}), how.labels)

    def number(self, name: str) -> str:
        """A subject as this dataset's keys write it: "01"; a name that is no number stays, without its prefix."""
        match = re.fullmatch(self.subject, name, re.IGNORECASE)
        return f"{int(match[1]):0{self.digits}d}" if match else re.sub("^(sub)(?=.)", "", name, flags=re.IGNORECASE)

    def _named(self, sheet: Sheet) -> float:
        names = [text(row["clip"]) for row, _ in zip(sheet.rows(), range(20), strict=False)]
        return sum(bool(re.fullmatch(self.clip, name)) for name in names) / max(len(names), 1)

    def _rows(self, tree: Tree, places: Places) -> Iterable[Row]:
        if self.read:
            return self.read(tree, self)
        sheets = [header(table, self.columns) for table in self._tables(tree)]
        if self.sheet == "optional" and not any(set(self.needed) <= set(sheet.columns) for sheet in sheets):
            return [_from_folder(place, tree, self.folders) for place in places.all]
        sheet = coding_sheet(self._tables(tree), self.columns, self.needed, tree.folder, tree.faults)
        return self._above_footer(sheet.rows()) if self.footer else sheet.rows()

    def _tables(self, tree: Tree) -> list[Table]:
        return [table for table in tree.tables if not re.search(self.ignore, table.name)]

    def _above_footer(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if not re.fullmatch(self.clip, text(row["clip"]), re.IGNORECASE) and whole(row["offset"]) is None:
                return
            yield row

    def _entry(self, row: Row, tree: Tree, places: Places, dataset: str, how: Reading) -> Entry:
        clip = text(row["clip"])
        subject = self.number(text(row["subject"]) or self._subject_of(clip))
        place = places.find(subject, clip)
        name = place.clip if place else clip
        row, notes = self._repaired(row, tree.folder / place.folder if place else None)
        expected = places.expected({"subject": subject, "clip": clip, "emotion": text(row["emotion"])})
        return Entry(
            where=row.where,
            dataset=dataset,
            subject=subject,
            clip=f"{name}_{text(row['onset'])}" if self.several and name else name,
            place=tree.folder / (place.folder if place else expected),
            onset=row["onset"],
            apex=row["apex"],
            offset=row["offset"],
            fps=how.fps or self._rate(row, place),
            emotion=row["emotion"],
            aus=row["aus"],
            cropped=places.cropped,
            heads=row.heads,
            labels={"emotion": row["emotion"], "objective": row["objective"]},
            filename=name,
            duration=row["duration"],
            notes=notes,
            doubts=tuple(self._doubts(row, subject, clip, place)),
            coded=bool(row.heads),
        )

    def _rate(self, row: Row, place: Place | None) -> object:
        if not is_absent(row["fps"]):
            return row["fps"]
        return self.rates(row, place) if self.rates else self.fps

    def _subject_of(self, clip: str) -> str:
        match = re.match(self.subject_in_clip, clip, re.IGNORECASE) if self.subject_in_clip else None
        return match[1] if match else ""

    def _repaired(self, row: Row, folder: Path | None) -> tuple[Row, tuple[str, ...]]:
        row = shifted(row, folder) if "first" in row.cells and folder else row
        if self.renumbered and folder and (moved := from_its_first(row, folder)):
            return moved, ("frames are counted from the clip's own first",)
        if self.zero_offset == "apex" and text(row["offset"]) in ("", "0") and whole(row["apex"]) is not None:
            note = f"the sheet has no offset: the apex {text(row['apex'])} was taken for it"
            return replace(row, cells={**row.cells, "offset": row["apex"]}), (note,)
        return row, ()

    def _doubts(self, row: Row, subject: str, clip: str, place: Place | None) -> Iterator[str]:
        inside = self._subject_of(clip)
        if inside and self.number(inside) != subject:
            yield f"{row.where}: the subject is {subject}, the file name {clip} says {self.number(inside)}"
        folder = place.fields.get("emotion", "").casefold() if place else ""
        label, told = text(row["emotion"]).casefold(), self.folders.get(folder, folder)
        if folder and label and told != label and folder != label:
            yield f"{row.where}: the label is {label}, the clip lies in the folder {folder}"

    def _labels(self, tree: Tree, columns: Columns) -> dict[tuple[str, str], object]:
        """Labels of a sheet of their own, by subject and file name: never by row."""
        sheets = [header(table, columns) for table in tree.tables]
        found = [sheet for sheet in sheets if set(columns) <= set(sheet.columns)]
        return {
            (self.number(text(row["subject"])), text(row["clip"])): row["label"]
            for sheet in found[:1]
            for row in sheet.rows()
        }


def with_label(entry: Entry, labels: str) -> Entry:
    """The entry with the label of the chosen set as its emotion."""
    return entry if labels == "emotion" else replace(entry, emotion=entry.labels.get(labels))


def shifted(row: Row, folder: Path) -> Row:
    """Frame numbers of a sheet that counts from its own first number, as those of the files."""
    first = whole(row["first"])
    files = numbered.images(folder)
    if first is None or not files:
        return row
    by = min(files) - first
    moved = {role: number + by for role in NUMBERS if (number := whole(row[role])) is not None}
    return replace(row, cells={**row.cells, **moved})


def from_its_first(row: Row, folder: Path) -> Row | None:
    """The row of a clip that was cut out: as many files as frames, none of them the onset's; None for any other."""
    onset, offset = whole(row["onset"]), whole(row["offset"])
    files = numbered.images(folder)
    if onset is None or offset is None or not files or onset in files:
        return None
    if max(files) - min(files) != offset - onset:
        return None
    return shifted(replace(row, cells={**row.cells, "first": onset}), folder)


def _from_folder(place: Place, tree: Tree, labels: Mapping[str, str]) -> Row:
    """A clip that no sheet knows: all its frames, the label of its folder."""
    numbers: Sequence[int] = sorted(numbered.images(tree.folder / place.folder)) or [0, 1]
    folder = place.fields.get("emotion", "").casefold()
    cells = {
        "subject": place.subject,
        "clip": place.clip,
        "onset": numbers[0],
        "offset": numbers[-1],
        "emotion": labels.get(folder, folder),
    }
    return Row(str(place.folder), cells, {})

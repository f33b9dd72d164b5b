"""A dataset as its owners distribute it, described as data: folders of frames, columns of the sheet, frame rate.

A `Distribution` reads entries from its folder. Rules of one dataset alone are small functions in its own file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from services.ingest.catalogue.clip_folders import ClipFolder, ClipFolders, FolderPattern, find_clip_folders
from services.ingest.catalogue.cut_clips import RenumberedRow, renumber_cut_clips, shift_to_first_files
from services.ingest.catalogue.entry import AnnotationEntry, DatasetLayout
from services.ingest.catalogue.numbered import numbered_images
from services.ingest.catalogue.sheet import CodingSheet, find_coding_sheet
from services.ingest.catalogue.sheet import locate_header as header
from services.ingest.catalogue.tree import DatasetTree
from shared.inbox.reading_options import ReadingOptions
from shared.names import spelling_key
from shared.tables.cells import cell_text, is_absent, whole_number
from shared.tables.header import ColumnNames
from shared.tables.rows import TableRow
from shared.tables.table import Table

SheetNeed = Literal["needed", "optional"]


@dataclass(frozen=True)
class Distribution:
    """One dataset. `columns` are the sheet's names by role: subject, clip, onset, apex, offset, aus, emotion.

    Further roles are objective (class), duration, first (number of the first file), fps, kind (micro or macro).
    """

    key: str
    name: str
    example: str  # path of a frame, for messages
    fps: float
    patterns: tuple[FolderPattern, ...]
    columns: ColumnNames
    optional: frozenset[str] = frozenset({"aus", "emotion", "objective", "duration", "first", "fps", "kind"})
    sheet: SheetNeed = "needed"
    subject_digits: int = 2  # digits of a subject's number: 1, "01" and "sub01" are one person
    subject: str = r"(?:sub|s)?[ _-]?0*(\d{1,18})"  # a subject in sheets and folders. Group 1 is the number
    clip: str = ".+"  # file names in its sheet. They distinguish datasets with equal columns
    subject_in_clip: str = ""  # the subject's number within the file name: group 1
    shares_file_names: bool = False  # several expressions may have one file name: the onset joins the clip's name
    zero_offset: Literal["refuse", "apex"] = "refuse"  # the meaning of an offset of 0
    folders: Mapping[str, str] = field(default_factory=dict)  # label by name of the folder, where they differ
    footer: bool = False  # text follows the row of the last clip
    renumbered: bool = False  # clips may be cut out of their recording and count from their own first frame
    ignored_sheets: str = "$^"  # names of sheets that are no coding sheets, although they have the same columns
    extra_label_sheets: Mapping[str, ColumnNames] = field(default_factory=dict)  # label sets in a sheet of their own
    read_own_rows: Callable[[DatasetTree, "Distribution"], Iterable[TableRow]] | None = None
    row_frame_rate: Callable[[TableRow, ClipFolder | None], object] | None = None

    @property
    def needed_roles(self) -> list[str]:
        return [role for role in self.columns if role not in self.optional]

    @property
    def layout(self) -> DatasetLayout:
        return DatasetLayout(
            self.key,
            self.name,
            f"{self.name} ({self.example})",
            self.likeness,
            self.read_entries,
            self.list_clip_folders,
        )

    def list_clip_folders(self, tree: DatasetTree) -> list[tuple[str, tuple[str, str]]]:
        """Every clip folder, annotated or not: its path, and subject and file name as `spelling_key` writes them."""
        return [
            (str(found.folder), found.clip_key(self.subject_key)) for found in find_clip_folders(tree, self.patterns)
        ]

    def likeness(self, tree: DatasetTree) -> tuple[float, ...]:
        """(frames match, the sheet is complete, number of folder levels that match, share of file names that match).

        () for a folder of another kind.
        """
        first = next(find_clip_folders(tree, self.patterns), None)
        sheets = [header(table, self.columns) for table in self._candidate_tables(tree)]
        complete = (
            [sheet for sheet in sheets if set(self.needed_roles) <= set(sheet.columns)] if self.needed_roles else []
        )
        named = max((self._matching_name_share(sheet) for sheet in complete), default=0.0)
        if first is None and not named:
            return ()
        return (first is not None, bool(complete), len(first.pattern.segments) if first else 0, named)

    def read_entries(self, tree: DatasetTree, dataset: str, reading: ReadingOptions) -> Iterator[AnnotationEntry]:
        """One entry per row of the coding sheet. If the sheet is optional and absent, one per clip folder."""
        clip_folders = ClipFolders(tree, self.patterns, reading.prefer, self.example, self.subject_key)
        others = {name: self._read_labels(tree, columns) for name, columns in self.extra_label_sheets.items()}
        for row in self._renumber_rows(self._clip_rows(tree, clip_folders), tree, clip_folders):
            entry = self._build_entry(row, tree, clip_folders, dataset, reading)
            more = {name: labels.get(_label_key(entry.subject, entry.filename)) for name, labels in others.items()}
            labels = {name: row["label"] if row else None for name, row in more.items()}
            if chosen := more.get(reading.labels):
                entry = replace(entry, label_notes=entry.label_notes + chosen.notes, fault=entry.fault or chosen.fault)
            elif others.get(reading.labels):
                note = f"{entry.location}: the sheet with the label {reading.labels} has no row for this clip"
                entry = replace(entry, label_notes=(*entry.label_notes, note))
            yield select_label(replace(entry, labels={**entry.labels, **labels}), reading.labels)

    def subject_key(self, name: str) -> str:
        """A subject as this dataset's keys write it: "01". A name that is no number only loses its prefix."""
        if match := re.fullmatch(self.subject, name, re.IGNORECASE):
            return f"{int(match[1]):0{self.subject_digits}d}"
        return re.sub("^(sub)(?=.)", "", name, flags=re.IGNORECASE)

    def _matching_name_share(self, sheet: CodingSheet) -> float:
        cells = (row[sheet.columns["clip"] - 1 :][:1] for row in sheet.table.rows[sheet.header_row :])
        names = list(islice((name for cell in cells if cell and (name := cell_text(cell[0]))), 20))
        return sum(bool(re.fullmatch(self.clip, name)) for name in names) / max(len(names), 1)

    def _clip_rows(self, tree: DatasetTree, clip_folders: ClipFolders) -> Iterable[TableRow]:
        if self.read_own_rows:
            return self.read_own_rows(tree, self)
        sheets = [header(table, self.columns) for table in self._candidate_tables(tree)]
        if self.sheet == "optional" and not any(set(self.needed_roles) <= set(sheet.columns) for sheet in sheets):
            return [_row_from_folder(each, clip_folders, self.folders) for each in clip_folders.all]
        sheet = find_coding_sheet(
            self._candidate_tables(tree), self.columns, self.needed_roles, tree.folder, tree.faults
        )
        rows = sheet.read_rows()
        return self._rows_above_footer(rows) if self.footer else rows

    def _candidate_tables(self, tree: DatasetTree) -> list[Table]:
        return [table for table in tree.tables if not re.search(self.ignored_sheets, table.name)]

    def _rows_above_footer(self, rows: Iterable[TableRow]) -> Iterator[TableRow]:
        for row in rows:
            if (
                not re.fullmatch(self.clip, cell_text(row["clip"]), re.IGNORECASE)
                and whole_number(row["offset"]) is None
            ):
                return
            yield row

    def _renumber_rows(
        self, rows: Iterable[TableRow], tree: DatasetTree, clip_folders: ClipFolders
    ) -> list[RenumberedRow]:
        """The rows with their files' numbers, if the clips of this dataset may be cut out of their recordings."""
        found = [(row, clip_folders.find_folder(*self._row_identity(row))) for row in rows]
        located = [(row, tree.folder / clip.folder if clip else None) for row, clip in found]
        if self.renumbered:
            return renumber_cut_clips(located)
        if any("first" in row.cells for row, _ in located):
            return shift_to_first_files(located)
        return [RenumberedRow(row) for row, _ in located]

    def _row_identity(self, row: TableRow) -> tuple[str, str]:
        """Subject and file name of a row."""
        clip = cell_text(row["clip"])
        return self.subject_key(cell_text(row["subject"]) or self._subject_of_clip(clip)), clip

    def _build_entry(
        self,
        renumbered: RenumberedRow,
        tree: DatasetTree,
        clip_folders: ClipFolders,
        dataset: str,
        reading: ReadingOptions,
    ) -> AnnotationEntry:
        subject, clip = self._row_identity(renumbered.row)
        found = clip_folders.find_folder(subject, clip)
        name = found.clip if found else clip
        row, notes = self._repair_row(renumbered.row)
        expected = clip_folders.expected_folder(
            {"subject": subject, "clip": clip, "emotion": cell_text(row["emotion"])}
        )
        return AnnotationEntry(
            location=row.location,
            dataset=dataset,
            subject=subject,
            clip=f"{name}_{cell_text(row['onset'])}" if self.shares_file_names and name else name,
            source_path=tree.folder / (found.folder if found else expected),
            onset=row["onset"],
            apex=row["apex"],
            offset=row["offset"],
            fps=reading.fps or self._frame_rate(row, found),
            emotion=row["emotion"],
            aus=row["aus"],
            cropped=clip_folders.cropped,
            column_labels=row.column_labels,
            labels={"emotion": row["emotion"], "objective": row["objective"]},
            filename=name,
            duration=row["duration"],
            notes=renumbered.notes + notes,
            doubts=tuple(self._find_doubts(row, subject, clip, found)),
            coded=bool(row.column_labels),
            label_notes=row.notes,
            fault=row.fault or (f"{row.location}: {renumbered.fault}" if renumbered.fault else ""),
        )

    def _frame_rate(self, row: TableRow, clip_folder: ClipFolder | None) -> object:
        if not is_absent(row["fps"]):
            return row["fps"]
        return self.row_frame_rate(row, clip_folder) if self.row_frame_rate else self.fps

    def _subject_of_clip(self, clip: str) -> str:
        match = re.match(self.subject_in_clip, clip, re.IGNORECASE) if self.subject_in_clip else None
        return match[1] if match else ""

    def _repair_row(self, row: TableRow) -> tuple[TableRow, tuple[str, ...]]:
        if (
            self.zero_offset == "apex"
            and cell_text(row["offset"]) in ("", "0")
            and whole_number(row["apex"]) is not None
        ):
            note = f"the sheet has no offset: the apex {cell_text(row['apex'])} was taken for it"
            return replace(row, cells={**row.cells, "offset": row["apex"]}), (note,)
        return row, ()

    def _find_doubts(self, row: TableRow, subject: str, clip: str, clip_folder: ClipFolder | None) -> Iterator[str]:
        inside = self._subject_of_clip(clip)
        if inside and self.subject_key(inside) != subject:
            yield f"{row.location}: the subject is {subject}, the file name {clip} says {self.subject_key(inside)}"
        folder = clip_folder.fields.get("emotion", "").casefold() if clip_folder else ""
        label, folder_label = cell_text(row["emotion"]).casefold(), self.folders.get(folder, folder)
        if folder and label and folder_label != label and folder != label:
            yield f"{row.location}: the label is {label}, the clip is in the folder {folder}"

    def _read_labels(self, tree: DatasetTree, columns: ColumnNames) -> dict[tuple[str, str], TableRow]:
        """The rows of a sheet of labels, by subject and file name, never by row."""
        sheets = [header(table, columns) for table in tree.tables]
        found = [sheet for sheet in sheets if set(columns) <= set(sheet.columns)]
        return {
            _label_key(self.subject_key(cell_text(row["subject"])), cell_text(row["clip"])): row
            for sheet in found[:1]
            for row in sheet.read_rows()
        }


def _label_key(subject: str, clip: str) -> tuple[str, str]:
    """The name of a clip in every sheet, without case and zeros, as folders are found."""
    return spelling_key(subject), spelling_key(clip)


def select_label(entry: AnnotationEntry, labels: str) -> AnnotationEntry:
    """The entry with the label of the label set `labels` as its emotion."""
    return entry if labels == "emotion" else replace(entry, emotion=entry.labels.get(labels))


def _row_from_folder(clip_folder: ClipFolder, clip_folders: ClipFolders, labels: Mapping[str, str]) -> TableRow:
    """The row of a clip without a sheet: all its frames, the label of its folder."""
    files = numbered_images(clip_folders.tree.folder / clip_folder.folder, clip_folders.cropped)
    numbers: Sequence[int] = sorted(files) or [0, 1]
    folder = clip_folder.fields.get("emotion", "").casefold()
    cells = {
        "subject": clip_folder.subject,
        "clip": clip_folder.clip,
        "onset": numbers[0],
        "offset": numbers[-1],
        "emotion": labels.get(folder, folder),
    }
    return TableRow(str(clip_folder.folder), cells, {})

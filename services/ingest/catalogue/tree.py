"""A dataset folder: its folders and its sheets, each read once. Frames are never opened."""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from services.ingest.catalogue.own_outputs import DRAWN_DATASET, describe_own_output
from services.ingest.catalogue.spreadsheet import SheetReader, read_tables
from services.ingest.catalogue.video_length import VideoLength, count_video_frames
from shared.errors import BadData
from shared.inbox.names import WORKBOOK_SUFFIXES
from shared.tables.table import Table

FOLDER_DEPTH = 8  # levels below the dataset's folder. Deeper folders are not read
LEAF_FILES = 2000  # this many files without a folder among them are frames: the rest of the folder is not listed

SHEET_LEVELS, TEXT_LEVELS = ("*", "*/*", "*/*/*"), ("*", "*/*")  # where sheets may be
FOREIGN_SUFFIXES = (".xls", ".xlsb", ".ods", ".numbers")  # sheets that a program must save in another format first

_NUMBERS = re.compile(r"([^0-9]*)([0-9]*)")


class DatasetTree:
    """`folders` are relative to `folder`, in order, without hidden ones. `tables` are its workbooks and csv files.

    What merstream wrote inside the dataset is in neither. A drawn dataset that is alone in `folder` counts as data,
    unless `folder` itself lies `beside_others`. `video_length` counts the frames of a video.
    `read_sheet` reads the tables of a sheet.
    """

    def __init__(
        self,
        folder: Path,
        beside_others: bool = False,
        video_length: VideoLength = count_video_frames,
        read_sheet: SheetReader = read_tables,
    ) -> None:
        self.folder, self.beside_others = folder, beside_others
        self.video_length, self.read_sheet = video_length, read_sheet

    @property
    def folders(self) -> tuple[PurePosixPath, ...]:
        return self._folders_and_outputs[0]

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """A sentence per folder that merstream wrote."""
        return tuple(
            f"{folder}: {writer} wrote this folder. It is no data and was ignored"
            for folder, writer in self._folders_and_outputs[1].items()
        )

    @cached_property
    def _folders_and_outputs(self) -> tuple[tuple[PurePosixPath, ...], dict[PurePosixPath, str]]:
        outputs: dict[PurePosixPath, str] = {}
        found = _walk_folders(self.folder, PurePosixPath(), FOLDER_DEPTH, outputs, not self.beside_others)
        return tuple(sorted(found, key=_natural_order)), dict(sorted(outputs.items()))

    def _find_sheets(self) -> list[Path]:
        """Workbooks and csv files in the folder and two levels below, without hidden files and lock files of Office.

        Text files (.txt) count only where there is no other sheet, and one level below: many of them are no tables.
        """
        sheets = _find_files(self.folder, (*WORKBOOK_SUFFIXES, ".csv", ".tsv"))
        return [file for file in sheets if not self._is_own_output(file)] or _find_files(
            self.folder, (".txt",), TEXT_LEVELS
        )

    def _is_own_output(self, file: Path) -> bool:
        return (
            not self._folders_and_outputs[1]
            .keys()
            .isdisjoint(PurePosixPath(file.relative_to(self.folder).as_posix()).parents)
        )

    @cached_property
    def tables_and_faults(self) -> tuple[tuple[Table, ...], tuple[str, ...]]:
        found, faults = [], []
        for file in self._find_sheets():
            try:
                found += self.read_sheet(file)
            except BadData as fault:
                faults.append(str(fault))
        return tuple(found), (*faults, *_name_foreign_sheets(self.folder))

    @property
    def tables(self) -> tuple[Table, ...]:
        return self.tables_and_faults[0]

    @property
    def faults(self) -> tuple[str, ...]:
        """One sentence per sheet file that cannot be read."""
        return self.tables_and_faults[1]


def _find_files(folder: Path, suffixes: tuple[str, ...], levels: tuple[str, ...] = SHEET_LEVELS) -> list[Path]:
    found = {file for level in levels for file in folder.glob(level) if file.suffix.lower() in suffixes}
    return sorted(file for file in found if not file.name.startswith(("~", ".")) and file.is_file())


def _name_foreign_sheets(folder: Path) -> list[str]:
    return [
        f"{file.name}: expected a sheet as .xlsx or .csv, got {file.suffix}; open it and save it as .xlsx."
        for file in _find_files(folder, FOREIGN_SUFFIXES)
    ]


def _walk_folders(
    folder: Path, relative: PurePosixPath, depth: int, outputs: dict[PurePosixPath, str], alone: bool
) -> Iterator[PurePosixPath]:
    """Every folder at `relative` and below that is data. What wrote the others goes into `outputs`.

    `alone`: there is nothing beside this folder. Then a drawn dataset in it is what the user means.
    """
    children, names = _list_folder(folder / relative)
    writer = describe_own_output(names) if relative.parts else ""
    if writer and not (alone and writer == DRAWN_DATASET):
        outputs[relative] = writer
        return
    if relative.parts:
        yield relative
    for name in children if depth else ():
        yield from _walk_folders(folder, relative / name, depth - 1, outputs, alone and len(names) == 1)


def _natural_order(path: PurePosixPath) -> list[list[tuple[str, int]]]:
    """Sort key that puts s2 before s11, part by part."""
    return [[(other, int(n or -1)) for other, n in _NUMBERS.findall(part)] for part in path.parts]


def _list_folder(folder: Path) -> tuple[list[str], set[str]]:
    """The names of the folders in it, and those of everything in it. Of very many files only the first."""
    folders: list[str] = []
    names: set[str] = set()
    with os.scandir(folder) as listing:
        for item in listing:
            if item.name.startswith((".", "__MACOSX")):
                continue
            names.add(item.name)
            if item.is_dir():
                folders.append(item.name)
            if len(names) >= LEAF_FILES and not folders:
                break
    return folders, names

"""The plain layout: `clips.csv` names for each clip a folder of numbered frames or a video, relative to the csv."""

import math
from collections.abc import Iterator
from pathlib import Path

from services.ingest.catalogue.entry import AnnotationEntry, DatasetLayout
from services.ingest.catalogue.sheet import CodingSheet, find_coding_sheet, locate_header
from services.ingest.catalogue.spreadsheet import SheetReader
from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData
from shared.inbox.names import TEXT_SUFFIXES, WORKBOOK_SUFFIXES
from shared.inbox.reading_options import ReadingOptions
from shared.tables.cells import cell_text, is_absent
from shared.tables.header import note_near_columns, note_skipped_lines
from shared.tables.paths import find_path
from shared.tables.rows import TableRow

CLIPS_CSV_NAME = "clips.csv"
COLUMNS = ("dataset", "subject", "clip", "path", "onset", "apex", "offset", "fps", "emotion", "aus")
OPTIONAL_COLUMNS = ("cropped", "face", "numbering")
SECONDS_COLUMNS = {"onset": "onset_s", "apex": "apex_s", "offset": "offset_s"}  # in place of frames, or beside them
COLUMN_NAMES = {name: (name,) for name in (*COLUMNS, *OPTIONAL_COLUMNS, *SECONDS_COLUMNS.values())}
YES, NO = {"1", "yes", "true"}, {"", "0", "no", "false"}


def clips_csv_likeness(tree: DatasetTree) -> tuple[float, ...]:
    """Infinite for a folder with a clips.csv, since it is written for merstream. Otherwise ()."""
    return (math.inf,) if _find_clips_files(tree) else ()


def read_csv_entries(tree: DatasetTree, dataset: str, reading: ReadingOptions) -> Iterator[AnnotationEntry]:
    """One entry per row. `dataset` is the name of the dataset if the column `dataset` is blank."""
    sheet = _open_clips_csv(_find_clips_files(tree), tree.read_sheet)
    notes = (
        *note_skipped_lines(sheet.table, sheet.header_row),
        *note_near_columns(sheet.table, sheet.header_row, COLUMN_NAMES),
    )
    for row in sheet.read_rows():
        cells = {role: cell_text(row[role]) for role in COLUMN_NAMES}
        source_path, remark = find_path(tree.folder, cells["path"])
        remarks = (f"{row.location}: {remark}",) if remark else ()
        yield AnnotationEntry(
            location=row.location,
            dataset=dataset if is_absent(cells["dataset"]) else cells["dataset"],
            subject=cells["subject"],
            clip=cells["clip"],
            source_path=source_path,
            onset=cells["onset"],
            apex=cells["apex"],
            offset=cells["offset"],
            fps=reading.fps or cells["fps"],
            emotion=cells["emotion"],
            aus=cells["aus"],
            cropped=cells["cropped"].casefold() in YES,
            labels={"emotion": cells["emotion"]},
            filename=cells["clip"],
            label_notes=(*notes, *row.notes, *remarks),
            fault=row.fault or _find_fault(row),
            face=cells["face"],
            numbering=cells["numbering"],
            seconds={role: cells[column] for role, column in SECONDS_COLUMNS.items()},
        )


def _find_clips_files(tree: DatasetTree) -> list[Path]:
    """The files that are the folder's clips.csv, whatever their case, else text files and workbooks like it."""
    folder = tree.folder
    if not folder.is_dir():
        return []
    files = [file for file in sorted(folder.iterdir()) if file.stem.casefold() == "clips" and file.is_file()]
    others = [file for file in files if file.suffix.lower() in (*TEXT_SUFFIXES, *WORKBOOK_SUFFIXES)]
    named = [file for file in files if file.suffix.lower() == ".csv"]
    return named or [file for file in others if _is_complete(file, tree.read_sheet)]


def _is_complete(file: Path, read_sheet: SheetReader) -> bool:
    try:
        return not all(_missing_columns(locate_header(table, COLUMN_NAMES)) for table in read_sheet(file))
    except BadData:
        return False


def _open_clips_csv(files: list[Path], read_sheet: SheetReader) -> CodingSheet:
    """The table and its header. Raises BadData for several files or tables, a missing column, and a column twice."""
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise BadData(f"{files[0].parent}: expected one {CLIPS_CSV_NAME}, got {names}; keep one of them.")
    tables = read_sheet(files[0])
    sheets = [locate_header(table, COLUMN_NAMES) for table in tables]
    fullest = max(sheets, key=lambda sheet: len(sheet.columns))
    if all(map(_missing_columns, sheets)):
        raise _clips_columns_error(fullest)
    needed = [column for column in COLUMNS if column in fullest.columns]
    return find_coding_sheet(tables, COLUMN_NAMES, needed, files[0].parent)


def _missing_columns(sheet: CodingSheet) -> list[str]:
    """The columns that are not there, neither as frames nor as seconds."""
    return [column for column in COLUMNS if not {column, SECONDS_COLUMNS.get(column)} & {*sheet.columns}]


def _clips_columns_error(sheet: CodingSheet) -> BadData:
    missing = ", ".join(map(repr, _missing_columns(sheet)))
    header = sheet.table.rows[sheet.header_row - 1] if sheet.table.rows else ()
    return BadData(
        f"{sheet.name} row {sheet.header_row}: expected the columns {','.join(COLUMNS)}, got "
        f"{','.join(map(cell_text, header)).casefold() or 'an empty file'} without {missing}; "
        "add them (apex, emotion and aus may be left blank)."
    )


def _find_fault(row: TableRow) -> str:
    cropped = cell_text(row["cropped"])
    if cropped.casefold() in YES | NO:
        return ""
    return f"{row.location}: expected yes or no in cropped, got {cropped!r}; correct the cell, or a comma before it."


CLIPS_CSV_LAYOUT = DatasetLayout(
    key="clips",
    name="clips.csv",
    expects=f"{CLIPS_CSV_NAME} with the columns {','.join(COLUMNS)}",
    likeness=clips_csv_likeness,
    read_entries=read_csv_entries,
)

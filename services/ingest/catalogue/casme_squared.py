"""CAS(ME)^2 (Qu et al. 2018): long videos as `rawpic/s15/15_0101disgustingteeth/img001.jpg`, 30 frames per second.

The coding sheet has no header. Two further pages give the folder of each subject's number and of each video's name.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution
from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData
from shared.tables.cells import cell_text, whole_number
from shared.tables.rows import TableRow, read_rows
from shared.tables.table import Table

ROLES = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion", "kind", "self")


def read_micro_rows(tree: DatasetTree, spec: Distribution) -> Iterator[TableRow]:
    """The rows of micro-expressions, with the folders' names of subject and video. Raises BadData without the pages."""
    coding, subjects, videos = _find_pages(tree)
    subject_folders, names = _subject_folders(subjects), _video_codes(videos)
    for row in read_rows(coding, 0, {role: column for column, role in enumerate(ROLES, 1)}):
        if "macro" in cell_text(row["kind"]).casefold():
            continue
        subject = cell_text(row["subject"])
        folder = subject_folders.get(subject, subject)
        video = cell_text(row["clip"])
        code = names.get(video.casefold()) or names.get(video.rpartition("_")[0].casefold()) or video
        yield replace(row, cells={**row.cells, "subject": folder, "clip": f"{folder}_{code}"})


def is_coding_table(table: Table) -> bool:
    """Whether a table has no header, and its first row a subject's number, a video's name and three frame numbers."""
    first = [cell_text(cell) for cell in (table.rows[0] if table.rows else ())]
    return (
        len(first) >= 8
        and whole_number(first[1]) is None
        and all(whole_number(first[column]) is not None for column in (0, 2, 3, 4))
    )


def _find_pages(tree: DatasetTree) -> tuple[Table, Table, Table]:
    rules = {table.title.casefold().replace(" ", ""): table for table in tree.tables}
    coding = [table for table in tree.tables if is_coding_table(table)]
    if len(coding) != 1 or not {"namingrule1", "namingrule2"} <= rules.keys():
        got = ", ".join(table.name for table in tree.tables) or "none"
        raise BadData(
            f"{tree.folder}: expected one workbook with the codes (no header) and the pages 'naming rule1' and "
            f"'naming rule2', got {got}; copy CAS(ME)^2's own workbook into the folder."
        )
    return coding[0], rules["namingrule1"], rules["namingrule2"]


def _subject_folders(table: Table) -> dict[str, str]:
    """The number in the folder's name by the subject's number in the codes: 1 -> 15. It is the last of its row."""
    found = {}
    for cells in table.rows:
        numbers = re.findall(r"\d{1,18}", " ".join(cell_text(cell) for cell in cells))
        if len(numbers) >= 2:
            found[numbers[0]] = str(int(numbers[-1]))
    return found


def _video_codes(table: Table) -> dict[str, str]:
    """The code of four digits by the video's name. A spreadsheet writes 0101 as 101."""
    found = {}
    for cells in table.rows:
        words = [cell_text(cell) for cell in cells if cell_text(cell)]
        codes = [word for word in words if re.fullmatch(r"\d{3,4}", word)]
        names = [word for word in words if re.search(r"[a-z]", word, re.IGNORECASE)]
        if codes and names:
            found |= {name.casefold(): f"{int(codes[0]):04}" for name in names}
    return found


CASME_SQUARED = Distribution(
    key="casme-squared",
    name="CAS(ME)^2",
    example="rawpic/s15/15_0101disgustingteeth/img001.jpg",
    fps=30.0,
    patterns=(FolderPattern("s{subject}/{clip}{rest}", {"subject": r"\d+", "clip": r"\d+_\d{4}", "rest": r"\D.*|"}),),
    columns={},
    shares_file_names=True,
    zero_offset="apex",
    read_own_rows=read_micro_rows,
)
CASME_SQUARED_LAYOUT = CASME_SQUARED.layout

"""What a workbook may have at most, counted in its XML before openpyxl makes an object of each cell."""

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from xml.parsers import expat

from services.ingest.zip_directory import check_zip_directory
from shared.errors import BadData

MOST_COLUMNS, MOST_ROWS = 64, 50_000
BLANK_ROWS = 500  # this many blank rows end a sheet that is formatted down to its last row
MOST_CELLS = 500_000  # with those that only have a format
MERGED_CELLS = 200_000  # of all merged areas and links: openpyxl makes a cell for each
PART_BYTES = 16 << 20  # of one part, unpacked
ALL_BYTES = 128 << 20  # of all parts, with pictures
CONTENTS_BYTES = 1 << 20  # of the list of parts
_CHUNK = 1 << 16
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_CONTENT = frozenset({"v", "is", "f"})  # of a cell that is more than a format


@dataclass
class PartSize:
    """What a worksheet has: the last row and column with contents, its cells, the area of merged cells and links."""

    rows: int = 0
    columns: int = 0
    cells: int = 0
    merged: int = 0


def check_workbook(name: str, data: bytes) -> None:
    """Raise BadData for a workbook, the bytes of a file `name`, that would not fit into memory."""
    file = BytesIO(data)
    if not zipfile.is_zipfile(file):
        return  # openpyxl says what is wrong
    check_zip_directory(file, name, CONTENTS_BYTES)
    try:
        opened = zipfile.ZipFile(file)
    except Exception:  # a damaged list of parts makes zipfile raise any error
        return  # openpyxl says so
    with opened as archive:
        parts = archive.infolist()
        for part in parts:
            if part.file_size > PART_BYTES and not part.filename.startswith("xl/media/"):
                raise BadData(
                    f"{name}: expected worksheets of {PART_BYTES >> 20} MB at most, got {part.filename} with "
                    f"{part.file_size >> 20} MB; delete the empty rows and columns beyond the last clip."
                )
        if (size := sum(part.file_size for part in parts)) > ALL_BYTES:
            raise BadData(
                f"{name}: expected a workbook of {ALL_BYTES >> 20} MB at most when unpacked, got {size >> 20} MB; "
                "delete pictures and other worksheets."
            )
        for part in parts:
            if part.filename.startswith("xl/") and not part.filename.startswith("xl/media/"):
                _check_part(name, part.filename, _measure_part(archive, part))


def _check_part(name: str, part: str, found: PartSize) -> None:
    limits = (
        ("columns", found.columns, MOST_COLUMNS),
        ("rows", found.rows, MOST_ROWS),
        ("cells, with those that only have a format,", found.cells, MOST_CELLS),
        ("cells in merged areas and links", found.merged, MERGED_CELLS),
    )
    for what, count, most in limits:
        if count > most:
            raise BadData(
                f"{name}: expected at most {most} {what} in a worksheet, got {count} in {part}; delete what lies "
                "beyond the last clip, and divide merged areas."
            )


def _measure_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> PartSize:
    """Count while the XML streams by. A part that is no XML counts as far as it goes."""
    size, row, column = PartSize(), 0, 0

    def count_element(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column
        kind = tag.rpartition(" ")[2]
        if kind == "row":
            row, column = _read_number(attributes.get("r"), row + 1), 0
        elif kind == "c":
            size.cells += 1
            place = _PLACE.fullmatch(attributes.get("r", ""))
            row, column = (int(place[2]), _column_number(place[1])) if place else (row, column + 1)
        elif kind in _CONTENT:
            if row - size.rows <= BLANK_ROWS:  # reading ends at a larger gap
                size.rows, size.columns = max(size.rows, row), max(size.columns, column)
        elif kind in ("mergeCell", "hyperlink"):
            size.merged += _measure_area(attributes.get("ref", ""))
        if size.cells > MOST_CELLS or size.merged > MERGED_CELLS:
            raise StopIteration

    parser: Any = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = count_element
    try:
        with archive.open(part) as stream:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk, False)
    except Exception:  # StopIteration among them, and whatever damage makes zipfile and zlib raise
        pass  # too much already; or openpyxl says what is wrong
    return size


def _measure_area(reference: str) -> int:
    """The cells in "A1:C5". 0 for a reference to no area."""
    places = [_PLACE.fullmatch(each) for each in reference.split(":")]
    found = [(int(place[2]), _column_number(place[1])) for place in places if place]
    if len(found) < 2:
        return 0
    rows, columns = zip(*found, strict=True)
    return int((max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1))


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _read_number(text: str | None, usual: int) -> int:
    return int(text) if text and text.isdigit() and len(text) < 8 else usual

"""The coding sheet in CASME II's form, written so that equal rows give equal bytes."""

import datetime
import io
import re
import zipfile
from pathlib import Path

from openpyxl import Workbook  # type: ignore[import-untyped]

SHEET_COLUMNS = (
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
)
SHEET_NAME = "CASME2-coding-synthetic.xlsx"
FIXED_DATE = datetime.datetime(2020, 1, 1)


def write_sheet(file: Path, rows: list[tuple[object, ...]]) -> None:
    """Write the header, then `rows` in the order of `SHEET_COLUMNS`."""
    book = Workbook()
    page = book.active
    assert page is not None
    for row in (SHEET_COLUMNS, *rows):
        page.append(row)
    save_workbook(book, file)


def save_workbook(book: Workbook, file: Path) -> None:
    """Save the workbook without its time of creation, so that equal workbooks give equal bytes."""
    book.properties.creator, book.properties.created = "merstream", FIXED_DATE
    dated = io.BytesIO()
    book.save(dated)
    file.write_bytes(_remove_dates(dated.getvalue()))


def _remove_dates(workbook: bytes) -> bytes:
    """The same workbook without its time of creation, in the archive and in its properties."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as dated, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as plain:
        for name in dated.namelist():
            content = dated.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2020-01-01T00:00:00Z", content)
            plain.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()

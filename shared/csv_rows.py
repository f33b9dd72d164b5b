"""Rows of csv files as spreadsheets write them: one rule for encoding, delimiter, blank rows and row numbers."""

import csv
import io
from collections.abc import Iterable, Iterator

from shared.errors import BadData

DELIMITERS = ",;\t"  # a spreadsheet writes semicolons in a language with decimal commas


def parse_csv(data: bytes, name: str) -> list[list[str]]:
    """Every row of the file, blank rows too, its cells without surrounding blanks. Row 1 is the first.

    The text is UTF-8 with or without a byte order mark, else GB 18030, which spreadsheets in China write. The delimiter
    is the most frequent one of the first line that has any. Raises BadData that names the file as `name`.
    """
    text = _decode_text(data, name)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_guess_delimiter(text)))
    except csv.Error as error:
        raise BadData(f"{name}: expected a table, got a file that cannot be read ({error}); save it again.") from None
    return [[cell.strip() for cell in row] for row in rows]


def numbered_rows(rows: Iterable[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with its number as a spreadsheet counts: from 1, blank rows included."""
    return ((number, row) for number, row in enumerate(rows, 1) if any(row))


def _decode_text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            return data.decode("gb18030")
        except UnicodeDecodeError:
            raise BadData(
                f"{name}: expected UTF-8 text, got {error.reason} at byte {error.start}; save it as UTF-8."
            ) from None


def _guess_delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if any(sign in line for sign in DELIMITERS)), "")
    return max(DELIMITERS, key=first.count)

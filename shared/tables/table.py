"""A table as a grid of cells with what a spreadsheet knows of them, and such a table from the text of a csv file."""

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import BadData
from shared.tables.cells import quote_cell
from shared.tables.encoding import decode_table_text

DELIMITERS = ",;\t"  # a spreadsheet writes semicolons in a language with decimal commas
SAMPLE_LINES = 100  # lines that decide on the delimiter
_END_OF_TEXT = "END OF TEXT"  # put below a table, it is a row of its own unless a quotation mark is open
_DECLARED_DELIMITER = re.compile(r'"?sep=(.)"?[,;\t ]*(\r\n|\n|\r)', re.IGNORECASE)  # Excel's own first line
Cells = tuple[object, ...]
Place = tuple[int, int]  # row and column, from 1


@dataclass(frozen=True)
class Table:
    """One worksheet or csv. `rows[0]` is row 1, blank rows included. Rows of a csv have the length of their line."""

    name: str  # in messages: "coding.xlsx [Sheet1]"
    title: str
    rows: tuple[Cells, ...]
    from_text: bool = False  # a csv: a row may have more cells than its header, and lines may be comments
    formulas: Mapping[Place, str] = field(default_factory=dict)  # as written: "=4+12"
    struck: frozenset[Place] = frozenset()  # cells that are struck out, in whole or in part
    hidden: frozenset[int] = frozenset()  # rows that are hidden or filtered out
    notes: tuple[str, ...] = ()  # on the reading of the whole file

    def cell_at(self, row: int, column: int) -> object:
        """The value at row and column, from 1. None beyond the grid."""
        cells = self.rows[row - 1] if 0 < row <= len(self.rows) else ()
        return cells[column - 1] if column <= len(cells) else None


def parse_csv(data: bytes, name: str, title: str = "") -> Table:
    """The table of a csv or text file, cells without surrounding blanks, None for blank cells.

    `encoding` names the encodings. A line `sep=;` above all others gives the delimiter, else the lines' own regularity
    does. Raises BadData that names the file as `name`.
    """
    text, notes = decode_table_text(data, name)
    if declared := _DECLARED_DELIMITER.match(text):
        delimiter, text = (
            declared[1],
            declared[2] + text[declared.end() :],
        )  # the line stays, blank: row numbers count it
    else:
        delimiter = _guess_delimiter(text)
    lines = _split_lines(text, delimiter, name)
    rows = tuple(tuple(cell.strip() or None for cell in line) for line in lines)
    return Table(name, title, rows, from_text=True, notes=notes)


def _split_lines(text: str, delimiter: str, name: str) -> list[list[str]]:
    """The cells of each row. Raises BadData for a quotation mark that is not closed: its cell would hold other rows."""
    with contextlib.suppress(csv.Error):  # a quotation mark within a cell, or one that is not closed
        return _parse_lines(text, delimiter, strict=True)
    ended = text if not text or text[-1] in "\r\n" else f"{text}\n"
    try:
        lines = _parse_lines(ended + _END_OF_TEXT, delimiter, strict=False)
    except csv.Error as error:
        raise BadData(f"{name}: expected a table, got a file that cannot be read ({error}); save it again.") from None
    open_cell = (len(lines), lines[-1][-1]) if lines[-1] != [_END_OF_TEXT] else _find_swallowed_rows(lines, delimiter)
    if open_cell:
        raise BadData(
            f"{name} row {open_cell[0]}: expected a cell in two quotation marks, got one mark before "
            f"{quote_cell(open_cell[1])}. The rows below it would become part of this cell. Close or remove the mark."
        )
    return lines[:-1]


def _parse_lines(text: str, delimiter: str, strict: bool) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict))


def _find_swallowed_rows(lines: list[list[str]], delimiter: str) -> tuple[int, str] | None:
    """The row and text of the first cell that reaches into another row: a line break, and delimiters of a whole row."""
    width = Counter(len(cells) for cells in lines[:-1] if cells).most_common(1)[0][0] if lines[1:] else 0
    return next(
        (
            (number, cell)
            for number, cells in enumerate(lines, 1)
            for cell in cells
            if len(cell.splitlines()) > 1 and cell.count(delimiter) >= max(width - 1, 1)
        ),
        None,
    )


def column_letters(number: int) -> str:
    """1 -> A, 27 -> AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _guess_delimiter(text: str) -> str:
    """The delimiter that most lines have equally often. A title and cells with commas do not decide."""
    lines = [line for line in text.splitlines()[:SAMPLE_LINES] if line.strip()]

    def regularity(sign: str) -> tuple[int, int]:
        counts = Counter(line.count(sign) for line in lines if sign in line)
        return max(((lines_so, count) for count, lines_so in counts.items()), default=(0, 0))

    return max(DELIMITERS, key=regularity)

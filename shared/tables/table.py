"""A table as a grid of cells with what a spreadsheet knows of them, and such a table from the text of a csv file."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import BadData
from shared.tables.encoding import decode_table_text

DELIMITERS = ",;\t"  # a spreadsheet writes semicolons in a language with decimal commas
SAMPLE_LINES = 100  # lines that decide on the delimiter
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
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise BadData(f"{name}: expected a table, got a file that cannot be read ({error}); save it again.") from None
    rows = tuple(tuple(cell.strip() or None for cell in line) for line in lines)
    return Table(name, title, rows, from_text=True, notes=notes)


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

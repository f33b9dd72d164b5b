"""Cells of sheets that people fill in: whole numbers as text, blanks, slashes, composed and decomposed accents."""

import math
import unicodedata

from shared.errors import BadData

ABSENT = {"", "/", "-", "–", "?", "na", "n/a", "nan", "none"}


def cell_text(value: object) -> str:
    """A cell as trimmed NFC text. A whole float has no decimal point, a blank cell is ''."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", str(value)).strip()


def is_absent(value: object) -> bool:
    """Whether a cell is blank or one of the marks that sheets use for "not coded"."""
    return cell_text(value).casefold() in ABSENT


def whole_number(value: object) -> int | None:
    """A whole number of at most 18 digits, from a number or its text. None for anything else."""
    digits = cell_text(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        return None
    return int(digits)


def quote_cell(value: object) -> str:
    """A cell as messages quote it, at most 60 characters."""
    text = cell_text(value)
    return repr(text if len(text) <= 60 else text[:60] + "...")


def frame_number(value: object, column: str, location: str) -> int:
    """A frame number, from a number or its text. Raises BadData for anything else."""
    number = whole_number(value)
    if number is None:
        got = "an empty cell" if cell_text(value) == "" else quote_cell(value)
        raise BadData(f"{location}: expected a whole frame number in {column}, got {got}; correct the cell.")
    return number


def frame_rate(value: object, column: str, location: str) -> float:
    """Frames per second, above 0. Raises BadData."""
    try:
        fps = float(cell_text(value))
    except ValueError:
        fps = math.nan
    if not (0 < fps < math.inf):
        raise BadData(
            f"{location}: expected frames per second above 0 in {column}, got {quote_cell(value)}; correct the cell."
        )
    return fps

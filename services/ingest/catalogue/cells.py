"""Cells of sheets as people fill them in: whole numbers as text, blanks, slashes, composed and decomposed accents."""

import math
import unicodedata

from shared.errors import BadData

ABSENT = {"", "/", "-", "–", "?", "na", "n/a", "nan", "none"}


def cell_text(value: object) -> str:
    """A cell as trimmed NFC text; a whole float is written without its point, a blank cell is ''."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", str(value)).strip()


def is_absent(value: object) -> bool:
    """Blank, or one of the marks that sheets use for "not coded"."""
    return cell_text(value).casefold() in ABSENT


def whole_number(value: object) -> int | None:
    """A whole number of at most 18 digits, from a number or its text; None for anything else."""
    digits = cell_text(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        return None
    return int(digits)


def quote_cell(value: object) -> str:
    """A cell as messages quote it: not the whole of a novel."""
    words = cell_text(value)
    return repr(words if len(words) <= 60 else words[:60] + "...")


def frame_number(value: object, column: str, location: str) -> int:
    """A frame number, from a number or its text; raises BadData for anything else."""
    number = whole_number(value)
    if number is None:
        got = "an empty cell" if cell_text(value) == "" else quote_cell(value)
        raise BadData(f"{location}: expected a whole frame number in {column}, got {got}; correct the cell.")
    return number


def frame_rate(value: object, column: str, location: str) -> float:
    """Frames per second, > 0; raises BadData."""
    try:
        fps = float(cell_text(value))
    except ValueError:
        fps = math.nan
    if not (0 < fps < math.inf):
        raise BadData(
            f"{location}: expected frames per second above 0 in {column}, got {quote_cell(value)}; correct the cell."
        )
    return fps

"""Cells of sheets as people fill them in: whole numbers as text, blanks, slashes, composed and decomposed accents."""

import math
import unicodedata

from shared.errors import BadData

ABSENT = {"", "/", "-", "–", "?", "na", "n/a", "nan", "none"}


def text(value: object) -> str:
    """A cell as trimmed NFC text; a whole float is written without its point, a blank cell is ''."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", str(value)).strip()


def is_absent(value: object) -> bool:
    """Blank, or one of the marks that sheets use for "not coded"."""
    return text(value).casefold() in ABSENT


def whole(value: object) -> int | None:
    """A whole number of at most 18 digits, from a number or its text; None for anything else."""
    digits = text(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        return None
    return int(digits)


def shown(value: object) -> str:
    """A cell as messages quote it: not the whole of a novel."""
    words = text(value)
    return repr(words if len(words) <= 60 else words[:60] + "...")


def frame_number(value: object, column: str, where: str) -> int:
    """A frame number, from a number or its text; raises BadData for anything else."""
    number = whole(value)
    if number is None:
        got = "an empty cell" if text(value) == "" else shown(value)
        raise BadData(f"{where}: expected a whole frame number in {column}, got {got}; correct the cell.")
    return number


def rate(value: object, column: str, where: str) -> float:
    """Frames per second, > 0; raises BadData."""
    try:
        fps = float(text(value))
    except ValueError:
        fps = math.nan
    if not (0 < fps < math.inf):
        raise BadData(f"{where}: expected frames per second above 0 in {column}, got {shown(value)}; correct the cell.")
    return fps

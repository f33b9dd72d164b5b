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


def frame_number(value: object, column: str, where: str) -> int:
    """A frame number, from a number or its text; raises BadData for anything else."""
    digits = text(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit()):
        got = "an empty cell" if digits == "" else repr(digits)
        raise BadData(f"{where}: expected a whole frame number in {column}, got {got}; correct the cell.")
    return int(digits)


def rate(value: object, column: str, where: str) -> float:
    """Frames per second, > 0; raises BadData."""
    try:
        fps = float(text(value))
    except ValueError:
        fps = math.nan
    if not (0 < fps < math.inf):
        raise BadData(
            f"{where}: expected frames per second above 0 in {column}, got {text(value)!r}; correct the cell."
        )
    return fps

"""Cells as text and as whole numbers, from whatever a spreadsheet, a program or a person stored."""

import re
import unicodedata

ABSENT = {
    *("", "/", "-", "--", "---", "–", "—", "−", ".", "..", "...", "?", "??"),
    *("na", "n/a", "n.a.", "n.a", "<na>", "nan", "none", "null", "nil"),
}
_WHOLE_NUMBER = re.compile(r"([0-9]{1,18})(?:[.,]0{1,2})?")  # "15.0" and "15,0" too: a column with a gap, in pandas
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # ４ -> 4, ＋ -> +, as Chinese keyboards write


def cell_text(value: object) -> str:
    """A cell as trimmed NFC text. A whole float has no decimal point, a blank cell is ''."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", str(value)).strip()


def narrow_text(text: str) -> str:
    """The text with ordinary digits, letters and signs instead of full-width ones."""
    return text.translate(_FULL_WIDTH)


def is_absent(value: object) -> bool:
    """Whether a cell is blank or one of the marks that sheets use for "not coded"."""
    return cell_text(value).casefold() in ABSENT


def whole_number(value: object) -> int | None:
    """A whole number of at most 18 digits, from a number or its text. None for anything else."""
    match = _WHOLE_NUMBER.fullmatch(narrow_text(cell_text(value)))
    return int(match[1]) if match and not isinstance(value, bool) else None


def quote_cell(value: object) -> str:
    """A cell as messages quote it, at most 60 characters."""
    text = cell_text(value)
    return repr(text if len(text) <= 60 else text[:60] + "...")

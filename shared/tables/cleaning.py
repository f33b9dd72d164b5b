"""One cell by the role of its column: what is cleaned and noted, and what is refused because its value was lost."""

import datetime
import re
import unicodedata
from dataclasses import dataclass

from shared.tables.cells import cell_text, narrow_text, quote_cell

NUMBER_ROLES = frozenset({"onset", "apex", "offset", "duration", "first", "fps", "onset_s", "apex_s", "offset_s"})
NAME_ROLES = frozenset({"dataset", "subject", "clip"})
OTHER_ROLES = frozenset({"duration", "objective"})  # a clip can be used without them
_ERROR = re.compile(r"#(N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|ERROR!|#+)", re.IGNORECASE)
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = re.compile(  # as spreadsheets show and export dates
    rf"\d{{1,2}}-{_MONTH}(?:-\d{{2,4}})?|{_MONTH}-\d{{2,4}}|(?:\d{{4}}年)?\d{{1,2}}月\d{{1,2}}日"
    r"|\d{1,2}([-/.])\d{1,2}\1\d{4}|\d{4}([-/.])\d{1,2}\2\d{1,2}(?:[ T]\d.*)?"
)
_SUM = re.compile(r"=\+?\s*\d{1,2}(?:\s*\+\s*\d{1,2})+\s*")
_NUMBERS_ONLY = re.compile(r"=[-+]?[\d.\s()]+[-+*/^][-+*/^\d.\s()]+")
_TEXT_FORMULA = re.compile(r'="([^"]*)"')  # how a csv keeps 01 from becoming 1
_QUOTED = re.compile(r"([“”„‟«»‹›‘’‚\"'])([^“”„‟«»‹›‘’‚\"']*)[“”«»‹›‘’\"']")
_WIDE_WORD = re.compile(r"[０-９Ａ-Ｚａ-ｚ]+")
_DATE_REMARK = "a date that a spreadsheet made of entries such as 4-12 or 4/12; type the entry again as text"
_BAD_BYTES = re.compile(r"[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0178\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]")


@dataclass(frozen=True)
class CellReading:
    """A cleaned value, what was cleaned, and why the cell is refused: what was expected, and what was found."""

    value: object
    remarks: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None


def clean_cell(role: str, value: object, formula: str = "") -> CellReading:
    """The reading of a cell. `role` is that of its column, `formula` what was typed if the value was calculated."""
    if formula and (reading := _read_formula(role, value, formula)):
        return reading
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return _refuse(
            "text or a number",
            f"a date or time ({cell_text(value)}), which a spreadsheet makes of entries such as "
            f"{_possible_entries(value)}; type the entry again in a cell of the format Text",
        )
    if not isinstance(value, str):
        return CellReading(value)
    if _ERROR.fullmatch(value.strip()):
        return _refuse("a value", f"the spreadsheet's error {value.strip()}; correct the cell")
    return CellReading(value.strip()) if role == "path" else _clean_text(role, value)


def strip_invisible(text: str) -> tuple[str, tuple[str, ...]]:
    """NFC text with ordinary blanks and without characters that nobody sees, and the code points left out."""
    if text.isascii() and text.isprintable():
        return text.strip(), ()
    found = [each for each in text if unicodedata.category(each) in ("Cf", "Cc") and each not in "\t\r\n"]
    plain = "".join(" " if unicodedata.category(each) == "Zs" else each for each in text if each not in found)
    return unicodedata.normalize("NFC", plain).strip(), tuple(f"U+{ord(each):04X}" for each in dict.fromkeys(found))


def _read_formula(role: str, value: object, formula: str) -> CellReading | None:
    """The reading of a calculated cell. None if its value counts like a typed one."""
    if role == "aus" and _SUM.fullmatch(formula):
        units = "+".join(re.findall(r"\d+", formula))
        return CellReading(units, (f"the formula {formula!r} read as the units {units}, not as its sum",))
    if value is None:
        got = f"a formula that was never calculated ({quote_cell(formula)})"
        return _refuse("a value", f"{got}; open the file in a spreadsheet program and save it")
    if role in NUMBER_ROLES or not isinstance(value, int | float):
        return None
    if _NUMBERS_ONLY.fullmatch(formula) or (role == "aus" and re.search(r"[-+*/^]", formula)):
        got = f"the formula {quote_cell(formula)}, calculated as {cell_text(value)}"
        return _refuse("text", f"{got}; type the entry again in a cell of the format Text")
    return None


def _clean_text(role: str, value: str) -> CellReading:
    if _BAD_BYTES.search(value) and (intended := _redecode(value)):
        got = f"{quote_cell(value)}, which is {intended.strip()!r} in a wrong encoding"
        return _refuse("readable text", f"{got}; write it so")
    remarks = []
    text, invisible = strip_invisible(value)
    if invisible:
        remarks.append(f"{', '.join(invisible)}, which nobody sees, left out of {text!r}")
    shown, text = text, _WIDE_WORD.sub(lambda match: narrow_text(match[0]), text)
    if text != shown and role not in NUMBER_ROLES and role != "aus":
        remarks.append(f"full-width {shown!r} read as {text!r}")
    if fault := _find_lost_value(role, text):
        return CellReading(text, tuple(remarks), fault)
    if role in NAME_ROLES and _DATE.fullmatch(text) and not text[:4].isdigit():
        remarks.append(f"{text!r} may be {_DATE_REMARK}")
    shown, (text, why) = text, _unwrap_text(role, text)
    if why:
        remarks.append(f"{why} {shown!r} read as {text!r}")
    if text.startswith("=") and len(text) > 1:
        return _refuse("a value", f"the formula {quote_cell(text)}; type its value")
    return CellReading(text, tuple(remarks))


def _unwrap_text(role: str, text: str) -> tuple[str, str]:
    """The text without what a program put around it, and what that was ('' for nothing)."""
    if match := _TEXT_FORMULA.fullmatch(text):
        return match[1], "the text formula"
    if role == "aus" and _SUM.fullmatch(text):
        return "+".join(re.findall(r"\d+", text)), "the formula"
    if match := _QUOTED.fullmatch(text):
        return match[2].strip(), "the quoted"
    if re.fullmatch(r"'[^']+", text):
        return text[1:], "with Excel's mark of text,"
    if role == "fps" and re.fullmatch(r"\d{1,3},\d{1,2}", text):
        return text.replace(",", "."), "the decimal comma of"
    if role == "subject" and re.fullmatch(r"\d+\.0", text):
        return text[:-2], "the number"
    return text, ""


def _find_lost_value(role: str, text: str) -> tuple[str, str] | None:
    """Why a text cannot be what was written: a spreadsheet made it a date, or a program replaced letters by marks."""
    if "\ufffd" in text or (role in NAME_ROLES and re.fullmatch(r"\?{2,}", text)):
        return "readable text", f"{quote_cell(text)}, whose letters were lost in a change of encoding; restore them"
    if role == "aus" and _DATE.fullmatch(text):
        return "text", f"{quote_cell(text)}, {_DATE_REMARK}"
    return None


def _redecode(text: str) -> str:
    """The text whose UTF-8 bytes look like this in a Western encoding. '' if there is none."""
    try:
        data = b"".join(each.encode("latin-1" if ord(each) < 256 else "cp1252") for each in text)
        return data.decode("utf-8")
    except UnicodeError:
        return ""


def _possible_entries(value: object) -> str:
    if isinstance(value, datetime.date):
        return f"{value.month}-{value.day}, {value.day}.{value.month} or {value.month}/{value.day}"
    return "1:02"


def _refuse(expected: str, got: str) -> CellReading:
    return CellReading(None, (), (expected, got))

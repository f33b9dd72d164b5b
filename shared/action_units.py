"""Action units as coders write them: '4+L7', '12R', '4 or 7', 'AU12B', '0', '?', '' (Ekman & Friesen, FACS 1978)."""

import re

from shared.records import ActionUnit
from shared.tables.cells import is_absent, narrow_text

_BOTH = "⇔"  # stands for L/R and R/L, so that a slash separates everywhere else
_UNIT = re.compile(
    rf"(?:AUs?)?(?P<before>[LR{_BOTH}B])?0?(?P<number>[1-9]\d?)(?:\.0)?"
    rf"(?P<intensity>[A-E])?(?P<after>[LR{_BOTH}])?(?P<later_intensity>[A-E])?(?P<ending>_[rc])?",
    re.IGNORECASE,
)
_DOUBTED = re.compile(r"[^\s+,;，、]+\s*\(k\)", re.IGNORECASE)
_NEUTRAL = re.compile(r"(?:AUs?)?0{1,2}(?:\.0)?|neutral", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s+﹢,;、&|()\[\]?/\\\"'“”„‘’«»]+|\b(?:or|and)\b", re.IGNORECASE)
_PREFIX = re.compile(r"\b(?:action\s+units?|AUs?)[\s:._-]*(?=[LRB]?\d)", re.IGNORECASE)
_BOTH_SIDES = re.compile(r"(?<!\d)(?:L/R|R/L)(?=\d)|(?<=\d)(?:L/R|R/L)(?![0-9])", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:no|not|non|without|w/o|absent|minus|ohne|kein|nicht)\b|[无無非未没]", re.IGNORECASE)
_SIGN_BEFORE_BLANK = re.compile(r"([-–−!~¬])\s+(?=\S)")
_BRACKETS = re.compile(r"[(\[]\s*[LRB]?\d", re.IGNORECASE)
NEUTRAL_FACE = ActionUnit(number=0)  # coded, and no unit is present
_SIDE_BY_LETTER = {"L": "left", "R": "right"}


def parse_action_units(text: str) -> tuple[tuple[ActionUnit, ...], str]:
    """The units in a cell, in order and once each, and a remark ('' if nothing was doubtful).

    Units joined by "or" are all kept: the coder saw both as possible, and other loaders keep them too. 4DME marks
    doubtful units with (k). They are left out, as in its own loader. A cell with "no" or "not" has no units: which of
    them the coder denied is not certain.

    () means that the clip was not coded: the cell is blank, or nothing in it is certain. `NEUTRAL_FACE` alone means
    that it was coded and shows no unit. A cell says so with 0, or with "neutral".
    """
    plain = narrow_text(text)
    if is_absent(plain):
        return (), ""
    if denied := _NEGATION.search(plain):
        return (), f"action units {text!r}: the cell says {denied[0]!r}, so no unit was read"
    doubted = _DOUBTED.findall(plain)
    if doubted:
        units, remark = parse_action_units(_DOUBTED.sub("", plain))
        return units, remark or f"action units {text!r}: {', '.join(doubted)} in doubt and left out"
    plain = _BOTH_SIDES.sub(_BOTH, _SIGN_BEFORE_BLANK.sub(r"\1", _PREFIX.sub("", plain)))
    words = [word for word in _SEPARATOR.split(plain) if word]
    read = {word: _read_unit(word) for word in words}
    units = tuple(dict.fromkeys(unit for unit in read.values() if unit))
    if NEUTRAL_FACE in units and len(units) > 1:
        return (), f"action units {text!r}: 0 is a neutral face, which no other unit can stand beside; no unit was read"
    return units, _find_remark(text, plain, [word for word, unit in read.items() if not unit], bool(units))


def _find_remark(text: str, plain: str, strange: list[str], any_units: bool) -> str:
    if strange:
        words = ", ".join(repr(word.replace(_BOTH, "L/R")) for word in strange)
        return f"action units {text!r}: {words} was not understood and left out"
    if re.search(r"\bor\b", plain, re.IGNORECASE) or ("?" in plain and any_units):
        return f"action units {text!r}: doubtful, all units named were kept"
    if _BRACKETS.search(plain):
        return f"action units {text!r}: units in brackets were kept"
    if re.search(r"\d_[rc]\b", plain, re.IGNORECASE):
        return f"action units {text!r}: an ending as OpenFace writes it was taken for no side"
    return ""


def _read_unit(word: str) -> ActionUnit | None:
    if _NEUTRAL.fullmatch(word):
        return NEUTRAL_FACE
    match = _UNIT.fullmatch(word)
    if not match or (match["before"] and match["after"]) or (match["intensity"] and match["later_intensity"]):
        return None
    side, intensity = match["before"] or match["after"], match["intensity"] or match["later_intensity"]
    return ActionUnit.model_validate(
        {
            "number": int(match["number"]),
            "side": _SIDE_BY_LETTER.get(side.upper()) if side else None,
            "intensity": intensity.upper() if intensity else None,
        }
    )

"""Action units as coders write them: '4+L7', 'R12+L14', '4 or 7', 'AU12B', '?', '' (Ekman & Friesen, FACS 1978)."""

import re

from shared.records import ActionUnit

_UNIT_PATTERN = re.compile(r"(?:AU)?(?P<side>[LR]|L/R|B)?(?P<number>[1-9]\d?)(?P<intensity>[A-E])?", re.IGNORECASE)
_DOUBTED_PATTERN = re.compile(r"[^\s+,;，、]+\s*\(k\)", re.IGNORECASE)
_SEPARATOR_PATTERN = re.compile(r"[\s+,;，、&()?]+|\bor\b|/(?!R)", re.IGNORECASE)
_SIDE_BY_LETTER = {"L": "left", "R": "right"}


def parse_action_units(text: str) -> tuple[tuple[ActionUnit, ...], str]:
    """The units in a cell, in order and once each, and a remark ('' if nothing was doubtful).

    Units joined by "or" are all kept: the coder saw both as possible, and other loaders keep them too. 4DME marks
    doubtful units with (k). They are left out, as in its own loader.
    """
    doubted = _DOUBTED_PATTERN.findall(text)
    if doubted:
        units, remark = parse_action_units(_DOUBTED_PATTERN.sub("", text))
        return units, remark or f"action units {text!r}: {', '.join(doubted)} in doubt and left out"
    words = [word for word in _SEPARATOR_PATTERN.split(text) if word]
    matches = [(word, _UNIT_PATTERN.fullmatch(word)) for word in words]
    units = tuple(dict.fromkeys(_action_unit_from(match) for _, match in matches if match))
    strange = [word for word, match in matches if not match]
    if strange:
        return units, f"action units {text!r}: {', '.join(map(repr, strange))} was not understood and left out"
    if re.search(r"\bor\b", text, re.IGNORECASE) or ("?" in text and units):
        return units, f"action units {text!r}: doubtful, all units named were kept"
    return units, ""


def _action_unit_from(match: re.Match[str]) -> ActionUnit:
    side, intensity = match["side"], match["intensity"]
    return ActionUnit.model_validate(
        {
            "number": int(match["number"]),
            "side": _SIDE_BY_LETTER.get(side.upper()) if side else None,
            "intensity": intensity.upper() if intensity else None,
        }
    )

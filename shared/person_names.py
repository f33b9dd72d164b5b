"""Names of persons in different spellings: which names of one dataset may mean one person.

A name has words for "person", a number, and what follows the number. `sub01`, `P 1`, `1.0` and `01_s2` are person 1.
`A1` and `B1` are two people: other letters before a number are a group.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

PERSON_WORDS = (
    "subject|subj|sub|subjekt|sujet|sujeto|soggetto|participant|ppt|pp|versuchsperson|testperson|vpn|vp|proband|pbn|"
    "teilnehmer|"
    "proefpersoon|person|pers|individual|volunteer|user|actor|sp|id|number|num|nr|no|被试|受试者|参与者|被験者|피험자|"
    "испытуемый|участник"
)
PERSON_LETTERS = "sp"  # words for "person" only directly before a number
GROUP_WORDS = "group|grp|gr|g|site|centre|center|lab|family|fam|pair|dyad|couple|team|class|cohort"
CLEAR_SESSION_WORDS = "session|sess|ses|sesion|seance|sitzung|visit|visite|termin|day|tag|jour|week|month"
SESSION_WORDS = (
    f"{CLEAR_SESSION_WORDS}|run|trial|take|rec|recording|"
    "round|wave|block|phase|part|test|retest|pre|post|baseline|followup|repeat|rep|version|ver|copy|kopie|new|old|"
    "first|second|third|morning|evening|clip|video|seq|cam|camera|view|time|"
    "raw|orig|original|crop|cropped|aligned|flip|flipped|hflip|mirror|mirrored|aug|augmented|magnified|micro|macro|"
    "avi|mkv|mov|mp|png|jpg|npz"
)
SESSION_LETTERS = "stvdrw"  # session, time, visit or version, day, run, wave: only before a number
LAST_SESSION_LETTER = "e"
LARGEST_SESSION = 9

_PERSON, _GROUP = re.compile(f"(?:{PERSON_WORDS})+"), re.compile(GROUP_WORDS)
_CLEAR_SESSION = re.compile(CLEAR_SESSION_WORDS)
_SESSION_DATE = r"(?:19|20)\d\d_\d{1,2}_\d{1,2}|\d{1,2}_\d{1,2}_(?:19|20)\d\d"
_SESSION_PART = (
    rf"(?:(?:{SESSION_WORDS})(?:_\d+)?+|[{SESSION_LETTERS}]_\d{{1,3}}|\d+_(?:st|nd|rd|th)|\d{{6,8}}|{_SESSION_DATE})"
)
_SESSIONS = re.compile(rf"{_SESSION_PART}(?:_{_SESSION_PART}|_\d{{1,5}})*+")
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_LATIN_ACCENTS = re.compile("([a-z])[\u0300-\u036f]+")
_LOOK_ALIKE = str.maketrans("авекмнорстхαβεκμνορτυχ", "abekmhopctxabekmnoptyx")  # as capitals look
_SHORT_SUFFIX = re.compile(rf"\d{{1,5}}|[a-{LAST_SESSION_LETTER}]")


@dataclass(frozen=True)
class PersonName:
    """The parts of a name that tell persons apart, without zeros, case, separators and sessions.

    group: letters before the number that are no word for "person". core: the number and what belongs to it. suffix: a
    number or letter that may be a session, or a person of the group `core`. marked: whether a word for "person" was
    there. Equal names mean one person, `marked` or not.
    """

    group: str
    core: tuple[str, ...]
    suffix: str = ""
    marked: bool = field(default=False, compare=False)

    @property
    def is_numbered(self) -> bool:
        return self.core[0].isdecimal()


def parse_person_name(name: str, dataset: str = "") -> PersonName:
    """The parts of a name. The name of its own dataset in front of it says nothing: `lab_01` is person 1 of `lab`."""
    tokens, marked = _strip_front(_split_name(name), _split_name(dataset))
    if not tokens:
        return PersonName("", (name.strip(),))
    first = next((place for place, token in enumerate(tokens) if token.isdecimal()), len(tokens))
    if len(tokens) - first == 1 and first > 1 and _CLEAR_SESSION.fullmatch(tokens[first - 1]):
        return PersonName("", ("".join(tokens[: first - 1]),), tokens[first], marked)  # Anna session 2
    if first == len(tokens):
        return PersonName("", ("".join(tokens),), "", marked)
    words = [token for token, after in pairwise(tokens[: first + 1]) if not _is_person_word(token, after)]
    core, rest = tokens[first : first + 1], tokens[first + 1 :]
    if words and _GROUP.fullmatch(words[-1]) and any(token.isdecimal() for token in rest):
        place = next(place for place, token in enumerate(rest) if token.isdecimal())
        core, rest = [*core, rest[place]], rest[place + 1 :]
    elif words and _GROUP.fullmatch(words[-1]) and len(rest) == 1 == len(rest[0]):
        core, rest = [*core, *rest], []  # pair1_A
    found = PersonName("".join(words), tuple(core), "", marked or len(words) < first)
    return _add_suffix(found, rest)


def find_spellings(people: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The sets of (dataset, subject) that may be one person, each sorted. All datasets must have the same people.

    A short suffix as in `1_2` may be a session of person 1, or person 2 of group 1. It is a person if there are more
    such numbers than numbers in front of them and one is above LARGEST_SESSION.
    """
    parsed = {each: parse_person_name(each[1], each[0]) for each in people}
    merged = _merge_only_group(parsed.values())
    parsed = {each: replace(name, group="") if name.group == merged else name for each, name in parsed.items()}
    whole = {(name.group, name.core) for name in parsed.values() if not name.suffix}
    members = _numbers_persons([name for name in parsed.values() if name.suffix.isdecimal()])
    found: dict[tuple[object, ...], list[tuple[str, str]]] = defaultdict(list)
    for each, name in parsed.items():
        key: tuple[object, ...] = (name.group, name.core)
        if name.suffix.isdecimal() and members and key not in whole:
            key = (*key, name.suffix)
        if len(name.core) > 1 and not name.core[1].isdecimal() and (name.group, name.core[:1]) in whole:
            key = (name.group, name.core[:1])  # 01 and 01_flipped
        if name.is_numbered and len(name.group) > 1 and ("", (name.group,)) in whole:
            key = ("", (name.group,))  # "Anna" and "Anna 2"
        found[key].append(each)
    return sorted(sorted(same) for same in found.values() if len(same) > 1)


def _split_name(name: str) -> list[str]:
    """Runs of letters and runs of digits, lower case, without zeros before numbers: "P_01" -> ["p", "1"]."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
    text = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
    text = re.sub(r"([^\W\d_]+), *([^\W\d_]+)", r"\2 \1", text)  # Schmidt, Anna
    text = re.sub(r"(?<=\d)[.,]0+$", "", text)  # a number that a spreadsheet made of "1": 1.0
    runs = [(kind, "".join(run)) for kind, run in groupby(text, _kind_of_sign)]
    return [run.lstrip("0") or "0" if kind == "digit" else _fold_letters(run) for kind, run in runs if kind]


def _fold_letters(run: str) -> str:
    """Letters without accents, and a Greek or Cyrillic letter that stands alone as the Latin one that looks alike."""
    if len(run) == 1:
        return run.translate(_LOOK_ALIKE)
    return unicodedata.normalize("NFC", _LATIN_ACCENTS.sub(r"\1", unicodedata.normalize("NFD", run)))


def _kind_of_sign(sign: str) -> str:
    if sign.isdecimal():
        return "digit"
    return "letter" if unicodedata.category(sign)[0] in "LMN" else ""


def _strip_front(tokens: list[str], own: list[str]) -> tuple[list[str], bool]:
    """The tokens without the dataset's own, a session and words for "person" in front, and whether there were any."""
    marked = bool(own) and tokens[: len(own)] == own and len(tokens) > len(own)
    tokens = tokens[len(own) :] if marked else tokens
    while len(tokens) > 2 and _CLEAR_SESSION.fullmatch(tokens[0]) and tokens[1].isdecimal():
        tokens = tokens[2:]  # ses-02_sub-01
    if len(tokens) > 2 and _DAY.fullmatch(tokens[0]) and _is_person_word(tokens[1], tokens[2]):
        tokens = tokens[1:]  # 20230501_P01
    while len(tokens) > 1 and _is_person_word(tokens[0], tokens[1]):
        tokens, marked = tokens[1:], True
    return tokens, marked


def _is_person_word(token: str, following: str) -> bool:
    return bool(_PERSON.fullmatch(token)) or (token in PERSON_LETTERS and following.isdecimal())


def _add_suffix(name: PersonName, rest: Sequence[str]) -> PersonName:
    """The name with what follows its number: a session is left out, a doubtful suffix is kept apart."""
    text = "_".join(rest)
    if not rest or _SESSIONS.fullmatch(text):
        return name
    if _SHORT_SUFFIX.fullmatch(text) and not _DAY.fullmatch(name.core[0]):  # 20230501_1 is the first person of a day
        return replace(name, suffix=text)
    return replace(name, core=(*name.core, *rest))


def _merge_only_group(names: Iterable[PersonName]) -> str | None:
    """The letters that say nothing: if some names are bare numbers and all others have these letters in front."""
    numbered = [name for name in names if name.is_numbered]
    groups = {name.group for name in numbered} - {""}
    bare = any(not name.group and not name.marked for name in numbered)
    marked = any(not name.group and name.marked for name in numbered)
    return groups.pop() if bare and not marked and len(groups) == 1 else None


def _numbers_persons(names: Sequence[PersonName]) -> bool:
    """Whether the suffixes are numbers of persons, and what is in front of them is a group."""
    suffixes, groups = {int(name.suffix) for name in names}, {(name.group, name.core) for name in names}
    return len(suffixes) > len(groups) and max(suffixes) > LARGEST_SESSION

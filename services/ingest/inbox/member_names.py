"""Names in archives that do not say their encoding: decided from all names of an archive together, or refused.

A name whose bytes are no UTF-8 is text with escaped bytes (`surrogateescape`) until then. Detectors of encodings need
sentences, and names are a few letters. So each encoding that systems write has to give plausible names: letters of its
own script, and capitals where words have them. If several encodings do, no choice is made.
"""

import re
import unicodedata
from collections.abc import Callable, Collection
from itertools import pairwise

from shared.errors import BadData

_CJK_MARKS = range(0x3000, 0x3040), range(0xFF01, 0xFF5F)  # ideographic punctuation, full-width signs
_IDEOGRAPHS = range(0x4E00, 0xA000)
_KANA = range(0x3040, 0x3100)  # not the half-width ones: any byte pair of Chinese text reads as two of them
_HANGUL = range(0xAC00, 0xD7A4)


def is_undecoded(name: str) -> bool:
    """Whether a name has escaped bytes."""
    return any("\udc80" <= letter <= "\udcff" for letter in name)


def escape_name(raw: bytes) -> str:
    """A name as text whose bytes outside ASCII are escaped."""
    return raw.decode("ascii", "surrogateescape")


def decode_name(name: str, encoding: str) -> str:
    """A name with escaped bytes, decoded."""
    return name.encode("utf-8", "surrogateescape").decode(encoding)


def choose_encoding(undecoded: Collection[str], archive: str) -> str:
    """The one encoding in which all names are plausible. Raises BadData that names the archive and a name."""
    readings: dict[tuple[str, ...], str] = {}
    for encoding, is_plausible in _PLAUSIBLE.items():
        try:
            texts = tuple(decode_name(name, encoding) for name in undecoded)
        except UnicodeDecodeError:
            continue
        if all(map(is_plausible, texts)):
            readings.setdefault(texts, encoding)
    if len(readings) == 1:
        return next(iter(readings.values()))
    first = next(iter(undecoded)).encode("utf-8", "surrogateescape")
    candidates = ", ".join(f"{encoding} {texts[0]!r}" for texts, encoding in readings.items()) or "no known encoding"
    raise BadData(
        f"{archive}: expected names in UTF-8, got {first!r}, which may be {candidates}; pack it again with a program "
        "that writes UTF-8 names, or upload the unpacked folder."
    )


def _foreign_letters(text: str) -> list[str]:
    return [letter for letter in text if not letter.isascii()]


def _is_chinese(text: str) -> bool:
    """Ideographs alone, most of them of GB 2312. Other byte pairs are rare signs that no one names a folder with."""
    letters = _foreign_letters(text)
    common = sum(bool(letter.encode("gb2312", "ignore")) for letter in letters)
    return 4 * common >= 3 * len(letters) and _are_signs(letters, _IDEOGRAPHS)


def _is_traditional_chinese(text: str) -> bool:
    """Ideographs of Big5's first level: its first bytes are A4 to C6."""
    letters = _foreign_letters(text)
    return _are_signs(letters, _IDEOGRAPHS) and all(0xA1 <= letter.encode("big5")[0] <= 0xC6 for letter in letters)


def _is_japanese(text: str) -> bool:
    return _are_signs(_foreign_letters(text), _IDEOGRAPHS, _KANA)


def _is_korean(text: str) -> bool:
    """Common syllables. Their bytes are those of common Chinese signs too, so that few Korean names can be decided."""
    return _are_signs(_foreign_letters(text), _HANGUL)


def _are_signs(letters: Collection[str], *scripts: range) -> bool:
    """Whether these are letters of the scripts, and perhaps full-width signs between them."""
    own = [letter for letter in letters if any(ord(letter) in block for block in scripts)]
    return bool(own) and all(letter in own or any(ord(letter) in block for block in _CJK_MARKS) for letter in letters)


def _is_latin(text: str) -> bool:
    """Words of the Latin script that also have unaccented letters."""
    return _is_alphabetic(text, "LATIN ") and all(
        any(letter.isascii() for letter in word) for word in _words_with_foreign_letters(text)
    )


def _is_cyrillic(text: str) -> bool:
    return _is_alphabetic(text, "CYRILLIC ") and not any(
        letter.isascii() for word in _words_with_foreign_letters(text) for letter in word
    )


def _is_alphabetic(text: str, script: str) -> bool:
    return all(unicodedata.name(letter, "").startswith(script) for letter in _foreign_letters(text)) and all(
        map(_has_usual_capitals, _words_with_foreign_letters(text))
    )


def _words_with_foreign_letters(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]


def _has_usual_capitals(word: str) -> bool:
    """Whether no accented capital follows a small letter, and no accented small letter stands before a capital."""
    return not any(
        first.islower() and second.isupper() and not (first.isascii() and second.isascii())
        for first, second in pairwise(word)
    )


_PLAUSIBLE: dict[str, Callable[[str], bool]] = {
    "gb18030": _is_chinese,
    "big5": _is_traditional_chinese,
    "cp932": _is_japanese,
    "euc_kr": _is_korean,
    "cp437": _is_latin,
    "cp850": _is_latin,
    "latin-1": _is_latin,
    "cp866": _is_cyrillic,
    "cp1251": _is_cyrillic,
}

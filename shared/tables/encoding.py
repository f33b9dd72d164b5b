"""The text of a csv file: UTF-8, UTF-16 with its mark, or GB 18030 where its characters leave no other reading."""

import re

from shared.errors import BadData
from shared.settings_text import marked_encoding

COMMON_SHARE = 0.75  # least share of common characters in text that is taken for GB 18030
_SIGNATURES = (
    (b"PK\x03\x04", "a workbook under this name; save it as .csv"),
    (b"\xd0\xcf\x11\xe0", "an old or protected workbook under this name; save it as .csv"),
)


def decode_table_text(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text, and a note if its encoding had to be found out. Raises BadData that names the file as `name`."""
    for signature, got in _SIGNATURES:
        if data.startswith(signature):
            raise BadData(f"{name}: expected a table of text, got {got}.")
    encoding = marked_encoding(data)
    notes: tuple[str, ...] = ()
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        text, notes = _decode_chinese(data, name, error)
    if "\0" in text:
        raise BadData(
            f"{name}: expected UTF-8 text, got a zero byte at character {text.index(chr(0))}; save it as UTF-8."
        )
    return text, notes


def _decode_chinese(data: bytes, name: str, error: UnicodeDecodeError) -> tuple[str, tuple[str, ...]]:
    """The text in GB 18030. Raises BadData unless most characters outside ASCII are common ones.

    Bytes of Western and other texts are often valid GB 18030 too, but decode to rare characters: Müller to M黮ler.
    """
    try:
        text = data.decode("gb18030") if error.encoding == "utf-8" else ""
    except UnicodeDecodeError:
        text = ""
    wide = [character for character in text if not character.isascii()]
    if not wide or sum(map(_is_common, wide)) < COMMON_SHARE * len(wide):
        raise BadData(
            f"{name}: expected UTF-8 text, got {error.reason} at byte {error.start}; save it as UTF-8."
        ) from None
    example = next(iter(re.findall(r"[^\W\x00-\x7f]+", text)), wide[0])
    return text, (f"{name}: the text is no UTF-8 and was read as GB 18030, for example {example!r}",)


def _is_common(character: str) -> bool:
    """Whether GB 2312 has the character among its signs and its 3,755 common hanzi (rows 1 to 9 and 16 to 55)."""
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return lead <= 0xA9 or 0xB0 <= lead <= 0xD7

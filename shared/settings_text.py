"""The text of a file of settings, however an editor or a shell saved it."""

import codecs

from shared.errors import BadData

# That of UTF-32 begins as that of UTF-16 does, so it comes first. PowerShell's `>` writes UTF-16.
_ENCODING_BY_MARK = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def marked_encoding(data: bytes) -> str:
    """The encoding that the file's byte order mark names; "utf-8" without a mark."""
    return next((each for mark, each in _ENCODING_BY_MARK.items() if data.startswith(mark)), "utf-8")


def decode_settings(data: bytes, name: str) -> str:
    """The text of a file: UTF-8, or UTF-16 and UTF-32, each with or without a byte order mark (UTF-32 only with one).

    Raises BadData that names the line of any other byte.
    """
    encoding = marked_encoding(data)
    if encoding == "utf-8" and b"\0" in data[:2]:  # settings begin with a letter, a brace or a comment
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadData(f"{name}, line {line}: expected UTF-8 text, got {error.reason}; save it as UTF-8.") from None

"""Files of settings as editors and shells save them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadData
from shared.settings_text import decode_settings

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff")).map('{"profile"'.__add__))
def test_any_text_survives_any_of_the_encodings(encoding: str, text: str) -> None:
    assert decode_settings(text.encode(encoding), "x") == text


@given(data=st.binary())
def test_any_bytes_are_text_or_a_named_line(data: bytes) -> None:
    try:
        decode_settings(data, "x.json")
    except BadData as fault:
        found = str(fault)
    else:
        return
    assert found.startswith("x.json, line ")


def test_the_line_of_a_foreign_byte_is_named() -> None:
    with pytest.raises(BadData, match=r"x\.json, line 3: expected UTF-8 text"):
        decode_settings("{\r\n\r\n'ä'}".encode("latin-1"), "x.json")

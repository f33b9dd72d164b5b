import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadData
from shared.tables.encoding import decode_table_text

WESTERN = ["Müller", "Größe", "päällä", "Ärger", "Señor", "garçon", "Øystein", "naïve", "Łukasz"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")))
def test_utf8_is_read_as_it_is(text: str) -> None:
    assert decode_table_text(text.encode(), "x.csv") == (text, ())


@given(st.lists(st.sampled_from(["张三", "厌恶", "高兴", "备注", "微表情", "，", "李四"]), min_size=1))
def test_common_chinese_is_read_and_its_encoding_told(words: list[str]) -> None:
    text = "subject,label\n" + "\n".join(f"s{number},{word}" for number, word in enumerate(words))
    found, (note,) = decode_table_text(text.encode("gb18030"), "x.csv")
    assert found == text
    assert note.startswith("x.csv: the text is no UTF-8 and was read as GB 18030, for example ")


@given(st.lists(st.sampled_from(WESTERN), min_size=1), st.sampled_from(["cp1252", "iso8859-15", "cp1250"]))
def test_western_text_never_becomes_chinese(words: list[str], encoding: str) -> None:
    data = "\n".join(f"lab,{word},c" for word in words).encode(encoding, "ignore")
    if not data.isascii():
        with pytest.raises(BadData, match=r"^x\.csv: expected UTF-8 text, got .* at byte \d+; save it as UTF-8\.$"):
            decode_table_text(data, "x.csv")


@pytest.mark.parametrize(("word", "encoding"), [("Иванов", "cp1251"), ("山田", "shift-jis"), ("張三", "big5")])
def test_other_encodings_are_refused(word: str, encoding: str) -> None:
    with pytest.raises(BadData, match="expected UTF-8 text"):
        decode_table_text(f"lab,{word},c\n".encode(encoding), "x.csv")

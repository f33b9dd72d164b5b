"""Names without an encoding: the right text or a refusal, never another text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.inbox.member_names import choose_encoding, decode_name, escape_name, is_undecoded
from shared.errors import BadData

CASES = {
    "gb18030": ["微表情/被试01/高兴.jpg", "微表情/被试02/惊讶.jpg", "编码表.xlsx"],
    "big5": ["微表情/受試者01/高興.jpg", "編碼表.xlsx"],
    "cp932": ["被験者01/表情.jpg", "被験者02/笑い.jpg", "シート.xlsx"],
    "cp437": ["Müller/café.jpg", "Ärger.xlsx"],
    "latin-1": ["Müller/café.jpg", "garçon/Ärger.xlsx"],
    "cp866": ["Испытуемый/радость.jpg"],
    "cp1251": ["Испытуемый/радость.jpg"],
}


def escaped(names: list[str], encoding: str) -> list[str]:
    return [escape_name(name.encode(encoding)) for name in names]


@pytest.mark.parametrize("encoding", CASES)
def test_all_names_together_decide(encoding: str) -> None:
    undecoded = escaped(CASES[encoding], encoding)
    assert all(map(is_undecoded, undecoded))
    chosen = choose_encoding(undecoded, "d.zip")
    assert [decode_name(name, chosen) for name in undecoded] == CASES[encoding]


def test_a_capital_at_the_end_of_a_word_is_no_reading() -> None:
    """The byte of Latin-1's é is a capital in cp850."""
    assert decode_name("caf\udce9", "cp850") == "cafÚ"
    assert choose_encoding(["caf\udce9"], "d.tar") == "latin-1"


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["山田"], "cp932"),
        (["피험자01/행복.jpg", "코딩.xlsx"], "euc_kr"),
        (["Mädchen"], "latin-1"),
        (["\x80\x81"], "latin-1"),
    ],
)
def test_what_could_be_several_texts_is_refused_with_a_name(names: list[str], encoding: str) -> None:
    with pytest.raises(BadData, match=r"d\.zip: expected names in UTF-8, got b'.*', which may be .*; pack it again"):
        choose_encoding(escaped(names, encoding), "d.zip")


SCRIPTS = {
    "gb18030": [chr(code) for code in range(0x4E00, 0x9FA6) if chr(code).encode("gb2312", "ignore")],
    "cp932": [chr(code) for code in range(0x3041, 0x3094)],
    "euc_kr": [chr(code) for code in range(0xAC00, 0xD7A4) if len(chr(code).encode("euc_kr", "ignore")) == 2],
    "cp1251": [chr(code) for code in range(0x430, 0x450)],
    "cp850": list("äöüéèàçñ"),
}


@given(data=st.data(), encoding=st.sampled_from(sorted(SCRIPTS)))
def test_a_choice_is_never_another_text(data: st.DataObject, encoding: str) -> None:
    word = st.text(st.sampled_from(SCRIPTS[encoding]), min_size=1, max_size=4)
    before = "b" if encoding == "cp850" else "01 "
    names = [before + name for name in data.draw(st.lists(word, min_size=1, max_size=6, unique=True))]
    undecoded = escaped(names, encoding)
    try:
        chosen = choose_encoding(undecoded, "d.zip")
    except BadData:
        return
    assert [decode_name(name, chosen) for name in undecoded] == names

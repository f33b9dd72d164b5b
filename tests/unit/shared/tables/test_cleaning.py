import datetime
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.tables.cleaning import NUMBER_ROLES, clean_cell, strip_invisible

NAMES = st.text("abcXYZ0189_-äé张 ", min_size=1, max_size=12).map(str.strip).filter(bool)
INVISIBLE = st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\x07")
ROLES = st.sampled_from(["subject", "clip", "emotion", "label", "dataset"])


@given(ROLES, NAMES)
def test_a_clean_cell_is_itself_without_a_remark(role: str, name: str) -> None:
    reading = clean_cell(role, name)
    assert (reading.value, reading.remarks, reading.fault) == (name, (), None)


@given(ROLES, NAMES, INVISIBLE, st.integers(0, 12))
def test_invisible_characters_are_left_out_and_told(role: str, name: str, sign: str, place: int) -> None:
    reading = clean_cell(role, name[:place] + sign + name[place:])
    assert reading.value == name
    assert f"U+{ord(sign):04X}, which nobody sees, left out of" in reading.remarks[0]


@given(NAMES, st.sampled_from("\u00a0\u2007\u202f\u3000\u2009"))
def test_blanks_of_other_kinds_are_blanks(name: str, blank: str) -> None:
    assert clean_cell("emotion", f"{blank}{name}{blank}x").value == f"{name} x"


@given(st.lists(st.integers(1, 46), min_size=2, max_size=5), st.sampled_from(["=", "=+"]), st.booleans())
def test_a_sum_of_units_is_its_units_whatever_was_calculated(units: list[int], sign: str, calculated: bool) -> None:
    formula = sign + "+".join(map(str, units))
    reading = clean_cell("aus", sum(units) if calculated else None, formula)
    assert reading.value == clean_cell("aus", formula).value == "+".join(map(str, units))
    assert len(reading.remarks) == 1


@pytest.mark.parametrize("formula", ["=4*12", "=4-12", "=F1+1", "=12/14", "=4+12-1"])
def test_other_arithmetic_is_no_unit(formula: str) -> None:
    assert "the formula" in clean_cell("aus", 16, formula).fault[1]


@pytest.mark.parametrize(
    ("role", "value", "formula"),
    [("onset", 14, "=D2+4"), ("aus", "4+12", '=A1&"+12"'), ("aus", 12, "=VLOOKUP(A1,B:C,2)"), ("clip", 3, "=C2+1")],
)
def test_calculated_values_count_where_they_can_be_meant(role: str, value: object, formula: str) -> None:
    assert clean_cell(role, value, formula).value == value


def test_names_that_became_a_difference_are_refused() -> None:
    assert clean_cell("clip", -1, "=1-2").fault == (
        "text",
        "the formula '=1-2', calculated as -1; type the entry again in a cell of the format Text",
    )


@given(st.dates(datetime.date(1990, 1, 1)), st.sampled_from(["aus", "clip", "subject", "onset", "fps"]))
def test_dates_are_refused_with_what_they_may_have_been(date: datetime.date, role: str) -> None:
    reading = clean_cell(role, datetime.datetime(date.year, date.month, date.day))
    assert f"such as {date.month}-{date.day}, {date.day}.{date.month} or" in reading.fault[1]


@pytest.mark.parametrize("text", ["12-Apr", "Apr-12", "2024-04-12", "12/04/2024", "12.04.2024", "4月12日", "4-Dec-24"])
def test_dates_as_text_are_no_units(text: str) -> None:
    assert "a date that a spreadsheet made" in clean_cell("aus", text).fault[1]
    assert clean_cell("clip", text).fault is None
    assert bool(clean_cell("clip", text).remarks) != text.startswith("2024")


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#name?", "####"])
@pytest.mark.parametrize("role", ["onset", "emotion", "aus", "subject", "path"])
def test_errors_of_spreadsheets_are_refused(role: str, error: str) -> None:
    assert clean_cell(role, error).fault == ("a value", f"the spreadsheet's error {error}; correct the cell")


@pytest.mark.parametrize(
    ("role", "text", "value"),
    [
        ("subject", "'01", "01"),
        ("subject", '="01"', "01"),
        ("subject", "1.0", "1"),
        ("subject", "Ｐ０１", "P01"),
        ("emotion", "“happiness”", "happiness"),
        ("aus", "«6+12»", "6+12"),
        ("fps", "29,97", "29.97"),
    ],
)
def test_what_programs_put_around_a_value_is_left_out_and_told(role: str, text: str, value: str) -> None:
    reading = clean_cell(role, text)
    assert reading.value == value
    assert re.search(re.escape(repr(text)) + ".* read as " + re.escape(repr(value)), reading.remarks[0])


@pytest.mark.parametrize(("role", "text"), [("clip", "1.0"), ("fps", "59,940"), ("subject", "O'Brien")])
def test_what_could_be_meant_so_stays(role: str, text: str) -> None:
    assert (clean_cell(role, text).value, clean_cell(role, text).remarks) == (text, ())


@given(st.text("äöüßéñçÜ", min_size=1, max_size=4), st.sampled_from(["latin-1", "cp1252"]))
def test_utf8_read_in_a_western_encoding_is_refused_with_what_was_meant(letters: str, encoding: str) -> None:
    name = f"M{letters}ller"
    try:
        shown = name.encode().decode(encoding)
    except UnicodeDecodeError:
        assume(False)
    assert f"which is {name!r} in a wrong encoding" in clean_cell("subject", shown).fault[1]


@pytest.mark.parametrize("text", ["M\ufffdller", "??", "???"])
def test_lost_letters_are_refused(text: str) -> None:
    assert "whose letters were lost" in clean_cell("subject", text).fault[1]


def test_a_path_stays_as_it_is_stored() -> None:
    assert clean_cell("path", " Mu\u0308ller/\u200ba.mp4 ").value == "Mu\u0308ller/\u200ba.mp4"


def test_numbers_are_left_to_their_readers() -> None:
    assert all(clean_cell(role, "1,035").value == "1,035" for role in NUMBER_ROLES)
    assert strip_invisible("a\u200bb\u00a0c") == ("ab c", ("U+200B",))

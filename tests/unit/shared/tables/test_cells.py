import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tables.cells import cell_text, is_absent, narrow_text, quote_cell, whole_number

NUMBER = st.integers(0, 10**6)


@given(NUMBER, st.sampled_from(["{}", "{}.0", "{}.00", "{},0", " {} ", "00{}"]), st.booleans())
def test_a_whole_number_in_every_unambiguous_form(number: int, form: str, full_width: bool) -> None:
    text = form.format(number)
    wide = "".join(chr(ord(each) + 0xFEE0) if each.isdigit() else each for each in text)
    assert whole_number(wide if full_width else text) == number
    assert whole_number(float(number)) == number


@given(NUMBER, st.sampled_from(["{},035", "{}.035", "{}.000", "{}e3", "{} 035", "{}'035", "-{}", "{}.5", "{}f"]))
def test_separators_of_thousands_and_powers_may_mean_two_numbers(number: int, form: str) -> None:
    assert whole_number(form.format(number)) is None


@pytest.mark.parametrize("value", [True, "²", "", None, "9" * 19])
def test_what_only_looks_like_a_number(value: object) -> None:
    assert whole_number(value) is None


def test_text_of_cells() -> None:
    assert (cell_text(None), cell_text(3.0), cell_text(" A\u030anna ")) == ("", "3", "Ånna")
    assert narrow_text("４＋Ｒ１２，（k）") == "4+R12,(k)"
    assert quote_cell("x" * 70) == repr("x" * 60 + "...")


@pytest.mark.parametrize("mark", ["N/A", "n.a.", "NULL", "<NA>", "NaN", ".", "—", "--", "??"])
def test_marks_of_a_missing_value(mark: str) -> None:
    assert is_absent(mark)


def test_errors_of_a_spreadsheet_and_numbers_are_no_marks() -> None:
    assert not is_absent("#N/A")
    assert not is_absent("0")

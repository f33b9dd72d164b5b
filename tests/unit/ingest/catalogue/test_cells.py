import unicodedata

import pytest

from services.ingest.catalogue.cells import frame_number, frame_rate
from shared.errors import BadData
from shared.tables.cells import cell_text, is_absent


@pytest.mark.parametrize("value", [46, 46.0, "46", " 46 ", "046"])
def test_whole_numbers_however_they_are_stored(value: object) -> None:
    assert frame_number(value, "OnsetFrame", "row 2") == 46


@pytest.mark.parametrize(("value", "got"), [("forty", "'forty'"), (46.5, "'46.5'"), (None, "an empty cell")])
def test_other_cells_are_named(value: object, got: str) -> None:
    with pytest.raises(BadData) as error:
        frame_number(value, "the onset", "s.xlsx row 2")
    assert str(error.value) == f"s.xlsx row 2: expected a whole frame number in the onset, got {got}; correct the cell."


@pytest.mark.parametrize("value", [True, -1, "²"])
def test_what_only_looks_like_a_number(value: object) -> None:
    with pytest.raises(BadData, match="expected a whole frame number"):
        frame_number(value, "the onset", "row 2")


@pytest.mark.parametrize("value", ["0", "-5", "inf", "nan", "fast", None])
def test_rates_are_above_zero(value: object) -> None:
    with pytest.raises(BadData, match="expected frames per second above 0 in fps"):
        frame_rate(value, "fps", "row 2")


def test_text_is_composed_and_trimmed() -> None:
    assert cell_text(unicodedata.normalize("NFD", " Ånna ")) == "Ånna"
    assert cell_text(3.0) == "3"


@pytest.mark.parametrize("value", [None, "", " / ", "NA", float("nan")])
def test_marks_of_absence(value: object) -> None:
    assert is_absent(value)

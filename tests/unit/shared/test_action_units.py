import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.action_units import parse_action_units
from shared.records import ActionUnit


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("4+L7", "4 L7"),
        ("R12+L14", "R12 L14"),
        ("12A + 25", "12A 25"),
        ("AU4, au7b", "4 7B"),
        ("l10;12", "L10 12"),
        ("4，7", "4 7"),
        ("4+4", "4"),
        ("", ""),
        ("?", ""),
    ],
)
def test_units_as_coders_write_them(text: str, units: str) -> None:
    found, remark = parse_action_units(text)
    assert (" ".join(map(str, found)), remark) == (units, "")


@pytest.mark.parametrize("text", ["4 or 7", "4 OR 7", "4+7?"])
def test_doubtful_units_are_kept_and_said(text: str) -> None:
    found, remark = parse_action_units(text)
    assert found == (ActionUnit(number=4), ActionUnit(number=7))
    assert remark == f"action units {text!r}: doubtful, all units named were kept"


def test_what_is_no_unit_is_left_out_and_said() -> None:
    found, remark = parse_action_units("4+smile+100")
    assert found == (ActionUnit(number=4),)
    assert remark == "action units '4+smile+100': 'smile', '100' was not understood and left out"


units = st.builds(
    ActionUnit,
    number=st.integers(1, 99),
    side=st.sampled_from(["left", "right", None]),
    intensity=st.sampled_from([None, *"ABCDE"]),
)


@given(st.lists(units, unique=True), st.sampled_from(["+", ", ", ";", " + "]))
def test_written_units_read_back(written: list[ActionUnit], joint: str) -> None:
    assert parse_action_units(joint.join(map(str, written))) == (tuple(written), "")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.action_units import NEUTRAL_FACE, parse_action_units
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
        ("AU04", "4"),
        ("AU 4 + AU-12", "4 12"),
        ("Action Units: 4, 12", "4 12"),
        ("12/R14", "12 R14"),
        ("12L + 14R", "L12 R14"),
        ("L/R12", "12"),
        ("12L/R", "12"),
        ("12.0", "12"),
        ("L12B+14ER", "L12B R14E"),
        ("B12", "12"),
        ("１２＋Ｒ１４", "12 R14"),
        ("4&7|12", "4 7 12"),
        ("4 and 7", "4 7"),
        ("“6+12”", "6 12"),
        ("4﹢7", "4 7"),
        ("12.0+L14.0", "12 L14"),
        ("4 ＋ L7", "4 L7"),
        ("0", "0"),
        ("0.0", "0"),
        ("AU0", "0"),
        ("AU 00", "0"),
        ("Neutral", "0"),
        ("none", ""),
        ("nan", ""),
        ("/", ""),
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


@pytest.mark.parametrize(
    ("text", "units", "remark"),
    [
        ("no 12", "", "the cell says 'no', so no unit was read"),
        ("4, not 12", "", "the cell says 'not', so no unit was read"),
        ("12 absent", "", "the cell says 'absent', so no unit was read"),
        ("无12", "", "the cell says '无', so no unit was read"),
        ("4, -12", "4", "'-12' was not understood and left out"),
        ("4 - 12", "4", "'-12' was not understood and left out"),
        ("4-7", "", "'4-7' was not understood and left out"),
        ("4.12", "", "'4.12' was not understood and left out"),
        ("12 B", "12", "'B' was not understood and left out"),
        (
            "0+4",
            "",
            "0 is a neutral face, which no other unit can stand beside; no unit was read",
        ),
        ("L12R", "", "'L12R' was not understood and left out"),
        ("12²", "", "'12²' was not understood and left out"),
        ("au12_r", "12", "an ending as OpenFace writes it was taken for no side"),
        ("4+(12)", "4 12", "units in brackets were kept"),
    ],
)
def test_what_may_mean_something_else_is_said(text: str, units: str, remark: str) -> None:
    found, said = parse_action_units(text)
    assert (" ".join(map(str, found)), said) == (units, f"action units {text!r}: {remark}")


units = st.builds(
    ActionUnit,
    number=st.integers(1, 99),
    side=st.sampled_from(["left", "right", None]),
    intensity=st.sampled_from([None, *"ABCDE"]),
)


@given(st.lists(units, unique=True), st.sampled_from(["+", ", ", ";", " + "]))
def test_written_units_read_back(written: list[ActionUnit], joint: str) -> None:
    assert parse_action_units(joint.join(map(str, written))) == (tuple(written), "")


@given(units, st.sampled_from(["L", "R"]), st.booleans(), st.sampled_from(["", "AU", "au", "AU ", "AU0"]))
def test_a_side_counts_before_and_after_the_number(unit: ActionUnit, side: str, after: bool, prefix: str) -> None:
    number = f"{unit.number}{unit.intensity or ''}"
    if prefix == "AU0":
        prefix, number = "AU", f"{unit.number:02}{unit.intensity or ''}"
    text = f"{prefix}{number}{side}" if after else f"{prefix}{side}{number}"
    expected = unit.model_copy(update={"side": {"L": "left", "R": "right"}[side]})
    assert parse_action_units(text) == ((expected,), "")


@given(st.lists(units, min_size=1), st.sampled_from(["no", "not", "without", "Non", "kein"]), st.integers(0, 3))
def test_a_denied_unit_is_never_read(written: list[ActionUnit], word: str, place: int) -> None:
    words = list(map(str, written))
    words.insert(place, f"{word} {words[-1]}")
    assert parse_action_units(", ".join(words))[0] == ()


def test_coded_without_a_unit_is_not_the_same_as_not_coded() -> None:
    assert parse_action_units("0")[0] == (NEUTRAL_FACE,)
    assert parse_action_units("")[0] == parse_action_units("4(k)")[0] == ()

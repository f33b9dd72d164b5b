import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tables.surplus import rejoin_units

CLIPS = ("dataset", "subject", "clip", "path", "onset", "apex", "offset", "fps", "emotion", "aus")
SHEET = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion")
CELLS = {
    "dataset": "lab",
    "subject": "p1",
    "clip": "c",
    "path": "v.mp4",
    "onset": "15",
    "apex": "24",
    "offset": "35",
    "fps": "30",
    "emotion": "happiness",
    "label": "happiness",
}
UNITS = st.lists(st.sampled_from(["4", "12", "R14", "L7", "25", "6B", "AU1"]), min_size=2, max_size=5)


def columns(roles: tuple[str, ...]) -> dict[str, int]:
    return {role: place for place, role in enumerate(roles, 1)}


def row(roles: tuple[str, ...], **parts: list[str]) -> list[object]:
    return [cell for role in roles for cell in parts.get(role, [CELLS.get(role, "")])]


@pytest.mark.parametrize("roles", [CLIPS, SHEET, ("subject", "clip", "label", "aus", "path")])
@given(units=UNITS)
def test_units_between_commas_are_rejoined_where_only_they_fit(roles: tuple[str, ...], units: list[str]) -> None:
    fitted = rejoin_units(row(roles, aus=units), len(roles), columns(roles))
    assert fitted == row(roles, aus=["+".join(units)])


@pytest.mark.parametrize(
    ("roles", "parts"),
    [
        (CLIPS, {"offset": ["1", "035"], "aus": ["12"]}),  # 1,035 or a shifted row
        (CLIPS, {"fps": ["29", "97"], "aus": ["12"]}),
        (CLIPS, {"fps": ["29", "97"], "emotion": [""], "aus": ["12"]}),
        ((*CLIPS[:8], "aus", "emotion"), {"fps": ["29", "97"], "aus": ["12"]}),  # 29 and the units 97+12, or 29,97
        (CLIPS, {"subject": ["Doe", "J"], "aus": ["12"]}),
        (CLIPS, {"emotion": ["happy", "sad"], "aus": ["12"]}),
        (CLIPS, {"aus": ["12", "remark"]}),
        (CLIPS, {"aus": ["4 or 7", "12"]}),
        ((*CLIPS[:4], "aus", "onset", "apex", "offset", "remark"), {"aus": ["12"], "remark": ["a", "b"]}),
        (CLIPS[:-1], {"emotion": ["12", "4"]}),  # no column of units
    ],
)
def test_a_surplus_that_may_be_something_else_is_not_understood(
    roles: tuple[str, ...], parts: dict[str, list[str]]
) -> None:
    assert rejoin_units(row(roles, **parts), len(roles), columns(roles)) is None

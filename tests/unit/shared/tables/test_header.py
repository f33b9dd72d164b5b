import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadData
from shared.tables.header import (
    check_repeated_columns,
    column_label,
    locate_header,
    match_columns,
    note_near_columns,
    note_skipped_lines,
)
from shared.tables.table import Table

NAMES = {"subject": ("Subject",), "onset": ("OnsetFrame", "Onset"), "fps": ("fps",), "aus": ("Action Units",)}
HEADER = ("Subject", "OnsetFrame", "fps", "Action Units")
DRESS = st.sampled_from(["{}", " {} ", "{}\u200b", "\ufeff{}", "{} (frame)", "{} [no.]", "{}.1", "_{}", "{}\n"])


def table(*rows: tuple[object, ...]) -> Table:
    return Table("t.csv", "t", rows)


@given(st.permutations(range(4)), st.lists(DRESS, min_size=4, max_size=4), st.sampled_from([str, str.upper, str.lower]))
def test_columns_in_any_order_case_and_dress(order: list[int], dress: list[str], case: type[str]) -> None:
    header = [form.format(case(HEADER[column])) for form, column in zip(dress, order, strict=True)]
    assert match_columns(header, NAMES) == {role: order.index(place) + 1 for place, role in enumerate(NAMES)}


@pytest.mark.parametrize("unit", ["(s)", "[ms]", "(sec)", "(seconds)", "（s）".replace("（", "(").replace("）", ")")])
def test_times_are_no_frame_numbers(unit: str) -> None:
    assert "onset" not in match_columns([f"Onset {unit}"], NAMES)
    assert match_columns(["Onset (frames)"], NAMES) == {"onset": 1}


def test_the_header_below_other_lines_and_what_is_told_of_them() -> None:
    grid = table(("# coded by two",), (), ("Subject", "fps"), ("p1", 30))
    assert locate_header(grid, NAMES) == (3, {"subject": 1, "fps": 2})
    assert list(note_skipped_lines(grid, 3)) == [
        "t.csv: 1 line(s) above the header in row 3 skipped, the first '# coded by two'"
    ]
    assert list(note_skipped_lines(table(("Subject",)), 1)) == []
    assert (column_label(grid, 3, 2), column_label(grid, 0, 2)) == ("fps (column B)", "column B")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1), st.sampled_from(["fps", "FPS ", "fps.1"]))
def test_a_column_twice_is_understood_only_if_its_values_agree(pairs: list[tuple[int, int]], second: str) -> None:
    grid = table(("Subject", "fps", second), *((1, *pair) for pair in pairs))
    differing = [row for row, (left, right) in enumerate(pairs, 2) if left != right]
    if not differing:
        check_repeated_columns(grid, 1, (1, 2))
        return
    with pytest.raises(
        BadData, match=rf"'fps' once, got one of them twice \(columns B and C\), .* row {differing[0]};"
    ):
        check_repeated_columns(grid, 1, (1, 2))


def test_columns_nearly_known_are_told_and_others_are_not() -> None:
    known = ("apex", "emotion", "numbering", "subject", "clip", "path", "onset", "onset_s", "fps")
    grid = table(("apexframe", "Emotions", "numbring", "comment", "age", "clip_id", "emotion_raw", "apex", "onset_s"))
    assert list(note_near_columns(grid, 1, known)) == [
        "t.csv row 1: the column 'apexframe' (A) is not used; if it is 'apex', name it so",
        "t.csv row 1: the column 'Emotions' (B) is not used; if it is 'emotion', name it so",
        "t.csv row 1: the column 'numbring' (C) is not used; if it is 'numbering', name it so",
    ]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.repeats import describe_repeats, follow_repeats
from shared.errors import BadData


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 500))
def test_repeats_are_told_by_number_and_more_than_a_quarter_is_a_fault(again: list[bool], onset: int) -> None:
    again[0] = False
    values = np.cumsum([not each for each in again])
    frames = [(f"f{onset + step}", np.full((2, 2, 3), value, np.uint8)) for step, value in enumerate(values)]
    expected = [onset + step for step, each in enumerate(again) if each]
    notes: list[str] = []
    if 4 * len(expected) > len(again):
        with pytest.raises(BadData, match=rf"^{len(expected)} of {len(again)} frames .*: {expected[0]}.*; export"):
            list(follow_repeats(frames, onset, notes))
        assert notes == []
        return
    assert [name for name, _ in follow_repeats(frames, onset, notes)] == [name for name, _ in frames]
    assert notes == ([describe_repeats(expected, len(again))] if expected else [])


def test_a_missing_frame_shown_by_its_neighbours_file_was_told_before() -> None:
    frame = np.zeros((2, 2, 3), np.uint8)
    notes: list[str] = []
    assert len(list(follow_repeats([("a.png", frame)] * 3 + [("b.png", frame + 1)], 7, notes))) == 4
    assert notes == []


def test_a_long_list_is_cut() -> None:
    told = describe_repeats(range(10, 110, 5), 100)
    assert told.startswith("20 of 100 frames are byte for byte the frame before them: 10, 15, ")
    assert told.endswith(", 65 and 8 more")

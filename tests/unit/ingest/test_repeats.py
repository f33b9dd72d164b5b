from typing import Any

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


def noisy(seed: int, light: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A frame [60,60,3] of a camera: texture and noise of its own, in a light."""
    texture = 120 + 40 * np.sin(np.arange(60) / 5 + seed)
    return light * (texture[:, None, None] + np.random.default_rng(seed).normal(0, 2, (60, 60, 3)))


@pytest.mark.parametrize(("period", "expected"), [(2, [13, 15, 17]), (3, [12, 15]), (1, [])])
def test_repeats_that_a_codec_changed_a_little_are_told(period: int, expected: list[int]) -> None:
    """Every second or third frame is a copy, as of 30 or 40 frames per second in 60."""
    seeds = [step - (period > 1 and step % period == period - 1) for step in range(9)]
    frames = [(str(step), noisy(seed).astype(np.uint8)) for step, seed in enumerate(seeds)]
    for step, (_, frame) in enumerate(frames):
        frame[3 * step : 3 * step + 4] += 1
    notes: list[str] = []
    list(follow_repeats(frames, 10, notes))
    numbers = ", ".join(map(str, expected))
    told = f"{len(expected)} of 9 frames are nearly the frame before them, as after a conversion to a higher frame rate"
    assert notes == ([f"{told}: {numbers}"] if expected else [])


def test_lamps_that_flicker_are_no_repeats() -> None:
    """A face at rest under lamps, at four frames per period: the light changes at every second step only."""
    frames = []
    for step in range(12):
        light = 1.05 if step % 4 < 2 else 0.95
        noise = np.random.default_rng(step).normal(0, 1, (60, 60, 3))
        frames.append((str(step), (light * noisy(1) + noise).astype(np.uint8)))
    notes: list[str] = []
    list(follow_repeats(frames, 0, notes))
    assert notes == []


def test_a_missing_frame_shown_by_its_neighbours_file_was_told_before() -> None:
    frame = np.zeros((2, 2, 3), np.uint8)
    notes: list[str] = []
    assert len(list(follow_repeats([("a.png", frame)] * 3 + [("b.png", frame + 1)], 7, notes))) == 4
    assert notes == []


def test_a_long_list_is_cut() -> None:
    told = describe_repeats(range(10, 110, 5), 100)
    assert told.startswith("20 of 100 frames are byte for byte the frame before them: 10, 15, ")
    assert told.endswith(", 65 and 8 more")

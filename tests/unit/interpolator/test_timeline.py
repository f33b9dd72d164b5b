"""Positions: closed forms of the paper's rule, and properties of every clip."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interpolator.timeline import (
    apex_positions,
    count_steps_to_apex,
    frame_positions,
    halved_positions,
    shown_frame_rate,
    uniform_positions,
)


@st.composite
def clips(draw: st.DrawFn) -> tuple[int, int, int]:
    offset = draw(st.integers(1, 2000))
    return 0, draw(st.integers(0, offset)), offset


def test_eleven_frames() -> None:
    assert apex_positions(0, 8, 12, 11) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12]


def test_sixteen_frames_hold_fourteen_up_to_the_apex() -> None:
    assert apex_positions(0, 26, 40, 16) == [*range(0, 27, 2), 33, 40]


def test_five_frames_have_none_between_apex_and_offset() -> None:
    assert apex_positions(0, 6, 9, 5) == [0, 2, 4, 6, 9]


def test_apex_at_the_offset_is_spread_evenly() -> None:
    assert apex_positions(0, 20, 20, 11) == list(range(0, 21, 2))


def test_apex_at_the_onset_repeats_the_onset() -> None:
    assert apex_positions(0, 0, 8, 7) == [0, 0, 0, 0, 0, 4, 8]


def test_uniform() -> None:
    assert uniform_positions(0, 5, 11) == [step / 2 for step in range(11)]
    assert frame_positions("uniform", 0, 2, 5, 11) == uniform_positions(0, 5, 11)
    assert frame_positions("apex", 0, 2, 5, 11) == apex_positions(0, 2, 5, 11)
    assert frame_positions("apex-halves", 0, 2, 5, 11) == halved_positions(0, 2, 5, 11)


@pytest.mark.parametrize(
    ("apex", "offset", "expected"),
    [
        (30, 90, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (40, 72, [0, 8, 16, 24, 32, 40, 48, 56, 64, 72]),
        (2, 82, [0, 2, 12, 22, 32, 42, 52, 62, 72, 82]),  # one step to an early apex
        (80, 81, [0, 10, 20, 30, 40, 50, 60, 70, 80, 81]),
        (20, 40, [0, 4, 8, 12, 16, 20, 25, 30, 35, 40]),  # the odd step is before the apex
        (0, 9, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (9, 9, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_two_even_halves_meet_at_the_apex(apex: int, offset: int, expected: list[float]) -> None:
    assert halved_positions(0, apex, offset, 10) == expected


def test_three_frames_are_onset_apex_and_offset() -> None:
    assert halved_positions(0, 3, 40, 3) == [0, 3, 40]
    assert halved_positions(0, 3, 40, 2) == [0, 40]


@given(st.integers(1, 400), st.integers(1, 400), st.integers(2, 40))
def test_no_other_division_has_more_equal_steps(rise: int, fall: int, steps: int) -> None:
    def unevenness(before: int) -> float:
        lengths = rise / before, fall / (steps - before)
        return max(lengths) / min(lengths)

    chosen = count_steps_to_apex(0, rise, rise + fall, steps)
    assert unevenness(chosen) <= min(unevenness(before) for before in range(1, steps)) * (1 + 1e-8)


def test_rate_is_the_mean_over_the_clip() -> None:
    assert shown_frame_rate(uniform_positions(0, 60, 11), 200) == pytest.approx(200 / 6)
    assert shown_frame_rate(apex_positions(0, 30, 60, 11), 200) == pytest.approx(200 / 6)


@pytest.mark.parametrize("count", [1, 0, -3])
def test_a_timeline_has_two_ends(count: int) -> None:
    for rule in ("apex", "uniform", "apex-halves"):
        with pytest.raises(ValueError, match="at least 2 frames"):
            frame_positions(rule, 0, 3, 5, count)


@given(clips(), st.integers(2, 40), st.sampled_from(["apex", "uniform", "apex-halves"]))
def test_every_timeline(clip: tuple[int, int, int], count: int, rule: str) -> None:
    at = frame_positions(rule, *clip, count)
    assert len(at) == count
    assert at[0] == clip[0]
    assert at[-1] == clip[2]
    assert at == sorted(at)


@given(clips(), st.integers(3, 40))
def test_the_apex_is_shown(clip: tuple[int, int, int], count: int) -> None:
    assert clip[1] in apex_positions(*clip, count)
    if 0 < clip[1] < clip[2]:
        assert clip[1] in halved_positions(*clip, count)


@given(clips(), st.integers(2, 40))
def test_uniform_steps_are_equal(clip: tuple[int, int, int], count: int) -> None:
    at = uniform_positions(clip[0], clip[2], count)
    steps = [after - before for before, after in itertools.pairwise(at)]
    assert max(steps) - min(steps) < 1e-9

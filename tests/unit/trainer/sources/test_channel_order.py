"""Which channel is u, v and strain, measured on drawn maps with known channels, a head's motion and noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.drawn_maps import EXPRESSIONS, Disturbance, draw_maps, stretch_maps
from services.trainer.sources.channel_order import (
    PERMUTATIONS,
    STATED,
    find_contrary_maps,
    is_clear,
    judge_channels,
    measure_channels,
)

MIXED = list(EXPRESSIONS) * 8


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return draw_maps(MIXED, np.random.default_rng(1))


@pytest.mark.parametrize("stretched", [False, True])
def test_maps_in_the_stated_order_agree(clean: np.ndarray, stretched: bool) -> None:
    evidence = measure_channels(stretch_maps(clean) if stretched else clean)
    verdict = judge_channels(evidence)
    assert (verdict.order, verdict.turned, verdict.agrees) == (STATED, False, True)
    assert not find_contrary_maps(evidence).any()


@pytest.mark.parametrize("order", PERMUTATIONS[1:])
def test_every_other_order_is_found(clean: np.ndarray, order: tuple[int, ...]) -> None:
    written = np.empty_like(clean)
    written[:, list(order)] = clean  # u, v and strain at these positions
    verdict = judge_channels(measure_channels(stretch_maps(written)))
    assert (verdict.order, verdict.turned) == (order, False)
    assert not verdict.agrees


def test_maps_on_their_side_are_found(clean: np.ndarray) -> None:
    transposed = clean.swapaxes(-1, -2)
    assert judge_channels(measure_channels(transposed)).turned
    assert judge_channels(measure_channels(np.rot90(clean, 1, (-2, -1)))).turned
    recorded_on_its_side = transposed[:, [1, 0, 2]]  # the vectors are turned with the picture
    verdict = judge_channels(measure_channels(recorded_on_its_side))
    assert (verdict.order, verdict.turned) == ((1, 0, 2), True)


@pytest.mark.parametrize("label", EXPRESSIONS)
@pytest.mark.parametrize(
    "disturbance", [Disturbance(0, 0.02), Disturbance(1, 0.1), Disturbance(0.3, 0.3, 0.5), Disturbance(2, 0.3)]
)
def test_no_clean_table_is_refused(label: str, disturbance: Disturbance) -> None:
    """Of one class only, with a head that moves more than the face, with noise; of few rows and of many."""
    for seed, count in enumerate((1, 3, 6, 20)):
        maps = draw_maps([label] * count, np.random.default_rng(seed), disturbance)
        for seen in (maps, stretch_maps(maps), -maps * [[[1]], [[1]], [[-1]]]):
            evidence = measure_channels(seen)
            assert not judge_channels(evidence).contradicts
            assert not find_contrary_maps(evidence).any()


def test_noise_says_nothing() -> None:
    for seed in range(20):
        verdict = judge_channels(measure_channels(np.random.default_rng(seed).normal(size=(3 + seed, 3, 28, 28))))
        assert not verdict.contradicts
        assert not verdict.agrees


def test_a_mean_counts_from_four_standard_errors_on() -> None:
    """Four equal rows and the usual deviation 0.2: sqrt(4 * 0.04 / 7) = 0.151, so a mean of 0.302 is needed."""
    assert not is_clear(np.full(4, 0.30), 0.15, 0.2)
    assert is_clear(np.full(4, 0.31), 0.15, 0.2)
    assert not is_clear(np.full(4, 0.31), 0.32, 0.2)
    assert not is_clear(np.full(2, 9.0), 0.15, 0.2)
    assert is_clear(np.tile([0.0, 0.4], 50), 0.15, 0.2)
    assert not is_clear(np.tile([-0.6, 1.0], 8), 0.15, 0.2)


def test_two_maps_are_too_few_but_a_single_one_may_be_proof(clean: np.ndarray) -> None:
    evidence = measure_channels(clean[:2, ::-1])
    assert not judge_channels(evidence).contradicts
    assert find_contrary_maps(evidence).all()


@given(
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.sampled_from(PERMUTATIONS),
)
def test_scale_and_offset_of_channels_change_nothing(
    scales: list[float], offsets: list[float], order: tuple[int, ...]
) -> None:
    maps = draw_maps(["positive", "surprise", "negative"] * 2, np.random.default_rng(3))[:, list(order)]
    changed = maps * np.array(scales)[:, None, None] + np.array(offsets)[:, None, None]
    for one, other in zip(vars(measure_channels(maps)).values(), vars(measure_channels(changed)).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)

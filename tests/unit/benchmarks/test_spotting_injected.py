"""Injected expressions on faces at rest."""

import itertools

import numpy as np
import pytest

from benchmarks.real_camera import RestingStretch
from benchmarks.spotting_injected import EXPRESSIONS, LENGTHS, SECONDS_EACH, measure_noise, plan_injections


@pytest.mark.parametrize(("starts", "showings"), [(None, 1), ([2.0, 4.0, 9.5], 6), ([2.0, 4.0, 6.0, 8.0, 10.0], 4)])
def test_each_expression_comes_once_in_each_length_and_alone(starts: list[float] | None, showings: int) -> None:
    plans = plan_injections(1.5, starts)
    assert len(plans) == showings
    units = [(expression, round(span.offset - span.onset, 2)) for plan in plans for expression, span, _ in plan]
    assert units == list(itertools.product(EXPRESSIONS, LENGTHS))
    for plan in plans:
        assert all(second[1].onset - first[1].offset > SECONDS_EACH / 2 for first, second in itertools.pairwise(plan))
        assert starts is None or [span.onset for _, span, _ in plan] == starts[: len(plan)]


def test_noise_is_measured_from_frame_to_frame() -> None:
    rng = np.random.default_rng(0)
    scene = np.kron(rng.uniform(60, 200, (20, 20)), np.ones((5, 5)))
    frames = np.stack([(scene + rng.normal(0, 3, scene.shape)).round() for _ in range(6)]).astype(np.uint8)
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    landmarks = 50 + 40 * np.stack([np.cos(angles), np.sin(angles)], 1)
    heads = np.tile(np.eye(2, 3), (6, 1, 1))
    stretch = RestingStretch("drawn", frames[..., None].repeat(3, -1), 30.0, landmarks, heads)
    assert measure_noise(stretch) == pytest.approx(3, rel=0.1)

"""The plan of injected expressions."""

import itertools
from types import SimpleNamespace
from typing import Any

from benchmarks.spotting_injected import EXPRESSIONS, SECONDS_EACH, plan_injections, play_to_and_fro


def test_a_stretch_is_shown_to_and_fro() -> None:
    stretch: Any = SimpleNamespace(frames=[0, 1, 2, 3])
    assert play_to_and_fro(stretch, 9) == [0, 1, 2, 3, 2, 1, 0, 1, 2]


def test_each_expression_comes_once_and_alone() -> None:
    plan = plan_injections(1.5)
    assert [expression for expression, *_ in plan] == list(EXPRESSIONS)
    assert all(second[1].onset - first[1].offset > SECONDS_EACH / 2 for first, second in itertools.pairwise(plan))

"""Figures of a run and of its repetition."""

import copy

from services.trainer.report.comparison import figure_differences


def test_equal_reports_differ_in_nothing(two):
    assert figure_differences(two(seeds=2)[2], two(seeds=2)[2]) == []


def test_a_figure_that_differs_in_the_last_digit_is_named(two):
    _, _, then = two(seeds=2)
    now = copy.deepcopy(then)
    now["seeds"]["majority"][1]["uar"] += 1e-12
    now["result"]["confusion"][0][0] += 1
    found = figure_differences(then, now)
    assert [sentence.partition(":")[0] for sentence in found] == ["majority, seed 1, uar", "fmer-lite, confusion"]
    assert found[0].endswith("0.333333 recorded, 0.333333 now")


def test_a_learner_or_seed_that_one_lacks_is_named(two):
    found = figure_differences(two(seeds=2)[2], two()[2])
    assert "majority, seed 1, uf1: 0.166667 recorded, None now" in found
    assert all(", seed 1, " in sentence for sentence in found)

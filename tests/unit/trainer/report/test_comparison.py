"""Figures of a run and of its repetition."""

import json

from services.trainer.report.comparison import figure_differences
from services.trainer.report.model import Report


def test_equal_reports_differ_in_nothing(two):
    assert figure_differences(two(seeds=2)[2], two(seeds=2)[2]) == []


def test_a_figure_that_differs_in_the_last_digit_is_named(two):
    _, _, recorded = two(seeds=2)
    said = json.loads(recorded.encode())
    said["seeds"]["majority"][1]["uar"] += 1e-12
    said["result"]["confusion"][0][0] += 1
    found = figure_differences(recorded, Report.decode(json.dumps(said).encode(), "report.json"))
    assert [sentence.partition(":")[0] for sentence in found] == ["majority, seed 1, uar", "fmer-lite, confusion"]
    assert found[0].endswith("0.333333 recorded, 0.333333 now")
    assert found[1].endswith("[[2, 0, 0], [0, 2, 0], [0, 1, 1]] recorded, [[3, 0, 0], [0, 2, 0], [0, 1, 1]] now")


def test_a_learner_or_seed_that_one_lacks_is_named(two):
    found = figure_differences(two(seeds=2)[2], two()[2])
    assert "majority, seed 1, uf1: 0.166667 recorded, None now" in found
    assert all(", seed 1, " in sentence for sentence in found)

"""Every prediction of every learner and seed."""

import csv
import io

import numpy as np
import pytest

from services.trainer.report.csv_tables import render_predictions_csv, render_subjects_csv


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_learner_and_seed_has_every_clip_once_with_its_chances(two):
    features, outcomes, _ = two(seeds=2)
    rows = read(render_predictions_csv(features, outcomes))
    for learner in ("fmer-lite", "majority"):
        for seed in ("0", "1"):
            mine = [row for row in rows if (row["learner"], row["seed"]) == (learner, seed)]
            assert [row["clip"] for row in mine] == features.names.tolist()
            assert [row["emotion"] for row in mine] == [features.classes[e] for e in features.emotions]
            assert [int(row["au12"]) for row in mine] == features.au_targets([12])[:, 0].tolist()
    assert len(rows) == 24
    for row in rows:
        chances = {name: float(row[f"p_{name}"]) for name in features.classes}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-3)
        assert chances[row["predicted"]] == max(chances.values())
        assert row["subject"] == row["held_out"]
        assert row["dataset"] == "toy"
        assert (row["p_au12"] == "") == (row["learner"] == "majority")


def test_accuracy_of_each_subject(two):
    _, _, said = two()
    rows = read(render_subjects_csv(said))
    assert [(row["learner"], row["subject"]) for row in rows[:2]] == [
        ("fmer-lite", "toy/s00"),
        ("fmer-lite", "toy/s01"),
    ]
    assert [float(row["accuracy"]) for row in rows] == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3], abs=1e-4)
    assert np.sum([int(row["clips"]) for row in rows]) == 12

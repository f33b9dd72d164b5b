"""Differences between the learners of one report: the same clips, the same units, coded clips alone."""

from dataclasses import replace

import numpy as np
import pytest

from services.trainer.report.paired_differences import compare_learners
from tests.unit.trainer.report.conftest import outcome


def folds_of(features, wrong_units=(), aus=True):
    """A learner that is right about every emotion, and wrong about units of some subjects."""
    folds = []
    for subject in sorted(set(features.subjects.tolist())):
        fold = outcome(features, subject, [0, 1, 2], aus=aus)
        if subject in wrong_units:
            fold = replace(fold, aus=(1 - np.array(fold.aus)).tolist())
        folds.append(fold)
    return {0: folds}


def test_equal_learners_do_not_differ(two):
    features, *_ = two()
    found = compare_learners(features, folds_of(features), folds_of(features))
    assert (found.uf1.difference, found.uf1.p, found.au_f1.difference, found.au_f1.p) == (0, 1, 0, 1)


def test_units_are_compared_on_coded_clips_alone(two):
    features, *_ = two()
    first, *_ = names = sorted(set(features.subjects.tolist()))
    assert len(names) == 2
    right, wrong = folds_of(features), folds_of(features, wrong_units=[first])
    assert compare_learners(features, right, wrong).au_f1.difference > 0.2
    uncoded = replace(features, au_coded=features.subjects != first)
    assert compare_learners(uncoded, right, wrong).au_f1.difference == 0
    assert compare_learners(replace(features, au_coded=np.zeros(6, bool)), right, wrong).au_f1 is None


def test_units_are_found_by_their_number(two):
    """The second learner predicts the units in another order, and one less."""
    features, *_ = two()
    kept = features.units[:0:-1]
    other = {
        0: [
            replace(fold, units=kept, aus=np.array(fold.aus)[:, [features.units.index(unit) for unit in kept]].tolist())
            for fold in folds_of(features)[0]
        ]
    }
    assert compare_learners(features, folds_of(features), other).au_f1.difference == pytest.approx(0)


def test_a_learner_without_units_has_no_difference_of_units(two):
    features, *_ = two()
    assert compare_learners(features, folds_of(features), folds_of(features, aus=False)).au_f1 is None

"""Clips that were not coded for action units: no learner hears anything from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.metrics import score_action_units
from services.trainer.folds.fold import FoldJob, train_fold
from services.trainer.learners.au_targets import au_target_tensors
from services.trainer.learners.base import NO_CALLBACKS
from services.trainer.learners.registry import create_learner, units_of_learner
from shared.training.annotations import PAPER_UNITS
from shared.training.protocol import loso_folds
from shared.training.settings import TrainSettings, settings_from_profile


@pytest.fixture
def half_coded(toy):
    """Four subjects; the second half was not coded. The labels of those clips are zeros, as in a table."""
    features = toy(4, 3)
    coded = np.arange(12) < 6
    return replace(features, aus=features.aus * coded[:, None].astype(np.uint8), au_coded=coded)


def everything(features):
    return FeatureSubset(features, np.arange(len(features)))


def fit(features, **settings):
    learner = create_learner(3, TrainSettings(**settings), units=features.units)
    learner.fit(everything(features), NO_CALLBACKS)
    return learner


@pytest.mark.parametrize("model", ["majority", "linear"])
def test_what_stands_in_uncoded_rows_changes_no_baseline(half_coded, model):
    other = np.where(half_coded.au_coded[:, None], half_coded.aus, 1).astype(np.uint8)
    one, two = (fit(each, model=model).export_weights() for each in (half_coded, replace(half_coded, aus=other)))
    assert {name: array.tolist() for name, array in one.items()} == {name: a.tolist() for name, a in two.items()}


def test_what_stands_in_uncoded_rows_changes_no_network(half_coded):
    other = np.where(half_coded.au_coded[:, None], half_coded.aus, 1).astype(np.uint8)
    one, two = (
        fit(each, model="fmer-lite", epochs=2).export_weights() for each in (half_coded, replace(half_coded, aus=other))
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_shares_of_units_are_those_of_coded_clips(half_coded):
    """Each of three emotions has a third of the clips; AU12 is of one of them."""
    found = fit(half_coded, model="majority").predict(everything(half_coded)).aus[0]
    assert found[half_coded.units.index(12)] == pytest.approx(1 / 3)


def test_figures_of_an_epoch_are_of_coded_clips(half_coded):
    """A network whose steps change next to nothing predicts the same in the epoch and after it."""
    learner = create_learner(3, TrainSettings(epochs=1, learning_rate=1e-12), units=half_coded.units)
    for layer in learner.module.modules():
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        for head in (*learner.module.au_head, learner.module.middle_head):
            if head is not None:
                head.bias.fill_(1.0)  # every unit is predicted for every clip
    (epoch,) = learner.fit(everything(half_coded), NO_CALLBACKS).epochs
    true = half_coded.au_targets(half_coded.units)[:6]
    assert epoch.au_f1 == score_action_units(true, np.ones_like(true), half_coded.units)["macro"]


@pytest.mark.parametrize("model", ["majority", "linear", "fmer-lite"])
def test_a_fold_without_a_coded_clip_to_train_on_predicts_no_units(half_coded, model):
    features = replace(half_coded, au_coded=half_coded.subjects == "toy/s00")
    (first, *others) = loso_folds(features.subjects)
    settings = TrainSettings(model=model, epochs=1)
    outcome, _ = train_fold(FoldJob(features, first, settings))
    assert (outcome.aus, outcome.units) == (None, ())
    assert np.isfinite(outcome.emotions).all()
    outcome, _ = train_fold(FoldJob(features, others[0], settings))
    assert (np.shape(outcome.aus), outcome.units) == ((3, 6), features.units)


def test_the_published_code_trains_on_zeros_whatever_was_coded(half_coded):
    aus, coded = au_target_tensors(everything(half_coded), PAPER_UNITS, settings_from_profile("paper"))
    assert (aus.shape, bool(aus.any()), bool(coded.all())) == ((12, 9), False, True)


def test_fmer_keeps_its_nine_units_and_others_have_those_of_the_run():
    assert units_of_learner("fmer", (1, 5)) == PAPER_UNITS
    assert units_of_learner("fmer-lite", (1, 5)) == units_of_learner("linear", (1, 5)) == (1, 5)

"""Held-back training subjects choose the epoch; the test fold has no part in it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.protocol import ProtocolSettings, loso_folds, protocol_folds
from services.trainer.folds import fold as folds
from services.trainer.folds import inner
from services.trainer.folds import store as kept
from services.trainer.settings import TrainSettings
from shared.errors import BadData
from shared.store import LocalStore

CHOOSING = TrainSettings(epochs=4, batch=6, learning_rate=5e-3, keep="best-inner", inner=3)


@pytest.fixture(scope="module")
def features(toy):
    return toy(5, 6)


@pytest.mark.parametrize("parts", [2, 3, 9])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "protocol", [ProtocolSettings(), ProtocolSettings(name="k-fold", folds=2)], ids=["loso", "k-fold"]
)
def test_three_parts_without_a_common_subject(features, protocol, seed, parts):
    for fold in protocol_folds(protocol, features.subjects, features.emotions):
        fit, back = inner.split_off_validation_subjects(features, fold, TrainSettings(seed=seed, inner=parts))
        sides = [set(features.subjects[rows].tolist()) for rows in (fit, back, fold.test)]
        assert all(sides)
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]
        assert sorted([*fit, *back]) == sorted(fold.train)


def test_the_epoch_that_is_best_on_the_held_back_subjects_is_tested(features, monkeypatch):
    """The judge's verdicts are the test's: weights of another epoch would predict otherwise."""
    verdicts, seen, real = iter([0.1, 0.6, 0.6, 0.2]), [], inner.validation_uf1
    fold = loso_folds(features.subjects)[0]

    def judge(learner, part):
        seen.append((real(learner, part), learner.predict(FeatureSubset(features, fold.test)).emotions))
        return next(verdicts)

    monkeypatch.setattr(inner, "validation_uf1", judge)
    outcome, _ = folds.train_fold(features, fold, CHOOSING)
    assert outcome.kept_epoch == 1
    assert all(0 <= uf1 <= 1 for uf1, _ in seen)
    assert np.array_equal(outcome.emotions, seen[1][1])
    assert not np.array_equal(outcome.emotions, seen[3][1])
    fit, back = inner.split_off_validation_subjects(features, fold, CHOOSING)
    assert outcome.trained_on == len(fit) == len(fold.train) - len(back)


def test_what_is_tested_shapes_nothing(features):
    """Other labels and other arrays of the held-out clips: the same epoch, the same weights."""
    fold = loso_folds(features.subjects)[1]
    emotions, patches = features.emotions.copy(), np.array(features.patches)
    emotions[fold.test] = (emotions[fold.test] + 1) % 3
    patches[fold.test] += 1
    other = replace(features, emotions=emotions, patches=patches)
    (one, here), (two, there) = (folds.train_fold(each, fold, CHOOSING) for each in (features, other))
    assert one.kept_epoch == two.kept_epoch
    assert one.emotions != two.emotions
    there = there.export_weights()
    for name, value in here.export_weights().items():
        assert np.array_equal(value, there[name]), name


def test_one_training_subject_leaves_nobody_to_hold_back(toy):
    features = toy(2, 3)
    with pytest.raises(BadData, match="Expected at least 2 subjects for 2 folds, got 1: toy/s01"):
        folds.train_fold(features, loso_folds(features.subjects)[0], CHOOSING)


def test_a_baseline_has_nothing_to_choose_and_trains_on_all(features):
    fold = loso_folds(features.subjects)[0]
    outcome, _ = folds.train_fold(features, fold, CHOOSING.model_copy(update={"model": "linear"}))
    assert (outcome.kept_epoch, outcome.trained_on) == (None, len(fold.train))


def test_the_choice_is_kept_with_the_fold(features, tmp_path):
    store, fold = LocalStore(tmp_path), loso_folds(features.subjects)[0]
    name = folds.fold_key(features.digest, CHOOSING, fold)
    outcome = kept.train_and_store_fold(store, name, features, fold, CHOOSING)
    assert outcome.kept_epoch in range(4)
    assert json.loads(store.get(kept.outcome_key(name)))["kept_epoch"] == outcome.kept_epoch
    assert kept.load_outcome(store, name) == outcome

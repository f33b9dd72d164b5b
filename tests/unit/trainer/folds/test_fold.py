"""Validation subjects from the training part select the epoch; the test fold plays no part in it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from services.trainer.data.features import FeatureSubset
from services.trainer.folds.fold import FoldJob, split_off_validation_subjects, train_fold, validation_uf1
from services.trainer.folds.store import FoldTrainer, load_outcome, outcome_key
from services.trainer.learners.base import TrainingCallbacks
from shared.errors import BadData
from shared.store import LocalStore
from shared.training.protocol import ProtocolSettings, loso_folds, protocol_folds
from shared.training.settings import TrainSettings

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
        fit, back = split_off_validation_subjects(FoldJob(features, fold, TrainSettings(seed=seed, inner=parts)))
        sides = [set(features.subjects[rows].tolist()) for rows in (fit, back, fold.test)]
        assert all(sides)
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]
        assert sorted([*fit, *back]) == sorted(fold.train)


def test_the_epoch_that_is_best_on_the_validation_subjects_is_tested(features):
    """The test sets the scores: weights of another epoch would predict otherwise."""
    scores, seen = iter([0.1, 0.6, 0.6, 0.2]), []
    fold = loso_folds(features.subjects)[0]
    job = FoldJob(features, fold, CHOOSING)
    fit, back = split_off_validation_subjects(job)

    def score(learner, validation):
        assert validation.rows.tolist() == back.tolist()
        seen.append((validation_uf1(learner, validation), learner.predict(FeatureSubset(features, fold.test)).emotions))
        return next(scores)

    outcome, _ = train_fold(job, score_validation=score)
    assert outcome.kept_epoch == 1
    assert all(0 <= uf1 <= 1 for uf1, _ in seen)
    assert np.array_equal(outcome.emotions, seen[1][1])
    assert not np.array_equal(outcome.emotions, seen[3][1])
    assert outcome.trained_on == len(fit) == len(fold.train) - len(back)


def test_what_is_tested_shapes_nothing(features):
    """Other labels and other arrays of the held-out clips: the same epoch, the same weights."""
    fold = loso_folds(features.subjects)[1]
    emotions, patches = features.emotions.copy(), features.arrays["patches"].copy()
    emotions[fold.test] = (emotions[fold.test] + 1) % 3
    patches[fold.test] += 1
    other = replace(features, emotions=emotions, arrays={**features.arrays, "patches": patches})
    (one, here), (two, there) = (train_fold(FoldJob(each, fold, CHOOSING)) for each in (features, other))
    assert one.kept_epoch == two.kept_epoch
    assert one.emotions != two.emotions
    there = there.export_weights()
    for name, value in here.export_weights().items():
        assert np.array_equal(value, there[name]), name


def test_one_training_subject_leaves_nobody_to_hold_back(toy):
    features = toy(2, 3)
    with pytest.raises(BadData, match="Expected at least 2 subjects for 2 folds, got 1: toy/s01"):
        train_fold(FoldJob(features, loso_folds(features.subjects)[0], CHOOSING))


def test_a_baseline_has_nothing_to_choose_and_trains_on_all(features):
    fold = loso_folds(features.subjects)[0]
    outcome, _ = train_fold(FoldJob(features, fold, CHOOSING.model_copy(update={"model": "linear"})))
    assert (outcome.kept_epoch, outcome.trained_on) == (None, len(fold.train))


def test_the_choice_is_kept_with_the_fold(features, tmp_path):
    store, fold = LocalStore(tmp_path), loso_folds(features.subjects)[0]
    job = FoldJob(features, fold, CHOOSING)
    outcome = FoldTrainer(store).train_and_store(job)
    assert outcome.kept_epoch in range(4)
    assert json.loads(store.get(outcome_key(job.key)))["kept_epoch"] == outcome.kept_epoch
    assert load_outcome(store, job.key) == outcome


def test_training_changes_nothing_that_it_was_given(toy):
    features, given = toy(2, 3), TrainingCallbacks()
    job = FoldJob(features, loso_folds(features.subjects)[0], TrainSettings(epochs=1))
    first, second = (train_fold(job, callbacks=given)[0] for _ in range(2))
    assert given == TrainingCallbacks(given.on_epoch, given.should_stop)
    assert len(first.epochs) == len(second.epochs) == 1
    assert [len(epoch.watched) for epoch in first.epochs] == [3]

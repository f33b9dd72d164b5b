import json
import multiprocessing
import threading
from dataclasses import replace

import numpy as np
import pytest

from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.metrics import score_emotions
from services.trainer.folds import store
from services.trainer.folds.cross_validation import FoldPool, FoldProgress, run_folds
from services.trainer.folds.fold import FoldJob
from services.trainer.report.summary import pooled_figures
from shared.store import LocalStore
from shared.training.protocol import FoldSplit, loso_folds
from shared.training.settings import TrainSettings

QUICK = TrainSettings(epochs=6, batch=6, learning_rate=5e-3, oracle=False)


def everybody(features) -> list[FoldSplit]:
    return loso_folds(features.subjects)


def test_separable_clips_are_told_apart_across_subjects(toy, tmp_path):
    features = toy(4, 6)
    figures = pooled_figures(features, run_folds(features, QUICK, everybody(features), tmp_path), 0)
    assert figures.uf1 > 0.9
    assert figures.au_f1 > 0.8


@pytest.mark.parametrize("settings", [QUICK, TrainSettings(model="linear")], ids=["fmer-lite", "linear"])
def test_labels_that_mean_nothing_give_chance(toy, tmp_path, settings):
    features = toy(4, 9, shuffled=True)
    figures = pooled_figures(features, run_folds(features, settings, everybody(features), tmp_path), 0)
    assert figures.uf1 < 0.55  # three classes: a third, give or take what 36 clips scatter


def test_baselines_score_what_they_should(toy, tmp_path):
    features = toy(4, 6)
    linear = pooled_figures(
        features, run_folds(features, TrainSettings(model="linear"), everybody(features), tmp_path), 0
    )
    assert linear.uf1 == 1.0
    assert linear.au_f1 == 1.0
    lopsided = dict.fromkeys(range(24), 0) | {0: 1, 9: 2}
    rows = np.array([lopsided[i] for i in range(24)])
    features, majority = replace(features, emotions=rows), TrainSettings(model="majority")
    outcomes = run_folds(features, majority, everybody(features), tmp_path)
    assert {pred for outcome in outcomes for pred in outcome.predicted_classes} == {0}


def test_finished_folds_are_reused_and_missing_or_broken_ones_computed_again(toy, tmp_path):
    features, settings = toy(3, 3), TrainSettings(epochs=1)
    reported = []
    first = run_folds(features, settings, everybody(features), tmp_path, FoldPool(on_progress=reported.append))
    assert [(p.held_out, p.epoch is None, p.reused) for p in reported[:2]] == [
        ("toy/s00", False, False),
        ("toy/s00", True, False),
    ]
    files = sorted((tmp_path / "folds").glob("*.json"))
    assert len(files) == 3
    files[0].unlink()
    files[1].write_text(files[1].read_text()[:99])
    reported.clear()
    again = run_folds(features, settings, everybody(features), tmp_path, FoldPool(on_progress=reported.append))
    assert len({progress.held_out for progress in reported if progress.epoch}) == 2
    assert sum(progress.reused for progress in reported) == 1
    assert [o.emotions for o in again] == [o.emotions for o in first]
    assert [o.epochs for o in again] == [o.epochs for o in first]
    reported.clear()
    other_seed = settings.model_copy(update={"seed": 1})
    run_folds(features, other_seed, everybody(features), tmp_path, FoldPool(on_progress=reported.append))
    assert len({progress.held_out for progress in reported if progress.epoch}) == 3  # another seed is another run


def test_ctrl_c_stops_cleanly_and_what_is_done_stays(toy, tmp_path):
    features, settings = toy(3, 3), TrainSettings(epochs=1)

    def interrupt(progress):
        if progress.epoch is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_folds(features, settings, everybody(features), tmp_path, FoldPool(on_progress=interrupt))
    assert len(list((tmp_path / "folds").glob("*.json"))) == 1


def test_processes_end_at_ctrl_c_and_what_they_made_is_what_one_process_makes(toy, tmp_path):
    features, settings = toy(3, 3), TrainSettings(epochs=25)
    heard = threading.Event()

    def interrupt(progress: FoldProgress) -> None:
        if progress.epoch is None:
            raise KeyboardInterrupt
        heard.set()

    with pytest.raises(KeyboardInterrupt):
        run_folds(features, settings, everybody(features), tmp_path / "aside", FoldPool(2, on_progress=interrupt))
    assert not multiprocessing.active_children()
    assert heard.is_set()  # epochs are reported while folds run
    assert 1 <= len(list((tmp_path / "aside" / "folds").glob("*.json"))) <= 2  # the third had only begun
    reported = []
    pool = FoldPool(on_progress=reported.append)
    aside = run_folds(features, settings, everybody(features), tmp_path / "aside", pool)
    here = run_folds(features, settings, everybody(features), tmp_path / "here")
    assert any(progress.reused for progress in reported)
    assert [(o.held_out, o.emotions, o.aus) for o in aside] == [(o.held_out, o.emotions, o.aus) for o in here]


def test_a_kept_fold_predicts_again(toy, tmp_path):
    features, settings = toy(2, 3), TrainSettings(epochs=1)
    outcome = run_folds(features, settings, everybody(features), tmp_path)[0]
    fold = loso_folds(features.subjects)[0]
    name = FoldJob(features, fold, settings).key
    restored = store.load_learner(LocalStore(tmp_path), name, 3, settings, features.units)
    assert restored.predict(FeatureSubset(features, fold.test)).emotions.tolist() == outcome.emotions
    assert json.loads((tmp_path / "folds" / f"{name}.json").read_text())["held_out"] == "toy/s00"


@pytest.mark.parametrize("model", ["majority", "linear"])
def test_baselines_are_kept_and_restored_too(toy, tmp_path, model):
    features, settings = toy(2, 6), TrainSettings(model=model)
    outcome = run_folds(features, settings, everybody(features), tmp_path)[1]
    fold = loso_folds(features.subjects)[1]
    name = FoldJob(features, fold, settings).key
    restored = store.load_learner(LocalStore(tmp_path), name, 3, settings, features.units)
    assert restored.predict(FeatureSubset(features, fold.test)).emotions.tolist() == outcome.emotions


def test_a_class_that_only_one_subject_shows_is_no_trouble(toy, tmp_path):
    features = toy(3, 3)
    emotions = np.where(features.emotions == 2, 0, features.emotions)
    emotions[0] = 2
    alone = replace(features, emotions=emotions)
    for settings in (TrainSettings(epochs=1), TrainSettings(model="linear"), TrainSettings(model="majority")):
        outcomes = run_folds(alone, settings, everybody(alone), tmp_path)
        assert (
            score_emotions(emotions, [p for o in outcomes for p in o.predicted_classes], alone.subjects)["samples"] == 9
        )

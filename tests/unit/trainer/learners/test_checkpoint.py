"""A training that is cut between two epochs, or killed anywhere, ends with the bytes of one that was not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.trainer.data.features import FeatureSubset
from services.trainer.folds.fold import FoldJob
from services.trainer.folds.store import FoldTrainer, outcome_key
from services.trainer.learners import checkpoint
from services.trainer.learners.base import (
    NO_CALLBACKS,
    EpochSummary,
    TrainingCallbacks,
    TrainingHistory,
    TrainingState,
)
from services.trainer.learners.checkpoint import StoredCheckpoint, decode_state, encode_state
from services.trainer.learners.network import NetworkLearner
from shared.store import LocalStore
from shared.training.protocol import loso_folds
from shared.training.settings import TrainSettings, settings_from_profile

NAME = "f" * 32
LITE = TrainSettings(epochs=5, batch=5, jitter=0.5, sampling="balanced")


class Cut(Exception):
    pass


def parts(features) -> tuple[FeatureSubset, FeatureSubset]:
    return FeatureSubset(features, np.arange(6, len(features))), FeatureSubset(features, np.arange(6))


def fit_network(features, settings, callbacks: TrainingCallbacks) -> tuple[dict[str, bytes], TrainingHistory]:
    """The bytes of the weights and of predictions, and the history."""
    train, test = parts(features)
    network = NetworkLearner(3, settings)
    history = network.fit(train, callbacks)
    weights = {name: value.tobytes() for name, value in network.export_weights().items()}
    return weights | {"predicted": network.predict(test).emotions.tobytes()}, history


def cut_at(number: int) -> Callable[[EpochSummary], None]:
    """An `on_epoch` that ends training after the steps of this epoch and before its checkpoint."""

    def cut_training(epoch: EpochSummary) -> None:
        if epoch.number == number:
            raise Cut

    return cut_training


def every_epoch(store: LocalStore) -> StoredCheckpoint:
    return StoredCheckpoint(store, NAME, interval_seconds=0)


@pytest.mark.parametrize(
    "settings",
    [
        LITE,
        TrainSettings(epochs=5, batch=5, keep="best-training", weight_decay=0.0, schedule="late-exponential"),
        settings_from_profile(model="rcn-a", epochs=5, batch=5, learning_rate=1e-3, rotate=5.0),
    ],
    ids=["fmer-lite", "best-training", "rcn-a"],
)
def test_cut_between_epochs_it_ends_with_the_same_bytes(toy, tmp_path, settings):
    features, store = toy(3), LocalStore(tmp_path)
    plain = TrainingCallbacks(oracle_subset=parts(features)[1])
    expected, whole = fit_network(features, settings, plain)
    resumable = replace(plain, checkpoint=every_epoch(store))
    with pytest.raises(Cut):
        fit_network(features, settings, replace(resumable, on_epoch=cut_at(3)))
    reported: list[EpochSummary] = []
    trained: list[int] = []
    watched = replace(resumable, on_epoch=reported.append, should_stop=lambda: bool(trained.append(len(reported))))
    assert fit_network(features, settings, watched) == (expected, whole)
    assert reported == list(whole.epochs)
    assert set(trained) == {3, 4}  # the first three epochs are reported, not trained again


def test_the_best_epoch_so_far_survives_and_stays_the_best(toy, tmp_path):
    features, store = toy(3), LocalStore(tmp_path)
    scores = [0.1, 0.9, 0.2, 0.3, 0.9]

    def scored_from(first: int, **callbacks) -> TrainingCallbacks:
        left = iter(scores[first:])
        return TrainingCallbacks(score_validation=lambda: next(left), **callbacks)

    expected, whole = fit_network(features, LITE, scored_from(0))
    with pytest.raises(Cut):
        fit_network(features, LITE, scored_from(0, checkpoint=every_epoch(store), on_epoch=cut_at(3)))
    again, resumed = fit_network(features, LITE, scored_from(3, checkpoint=every_epoch(store)))
    assert again == expected
    assert resumed.best_epoch == whole.best_epoch == 1


def content(store: LocalStore) -> dict[str, bytes]:
    return {entry.key: store.get(entry.key) for entry in store.list_objects()}


CHILD = """
import sys
from pathlib import Path
from services.trainer.data.features import Features
from shared.training.protocol import loso_folds
from services.trainer.folds.fold import FoldJob
from services.trainer.folds.store import FoldTrainer
from services.trainer.learners.base import TrainingCallbacks
from shared.training.settings import TrainSettings
from shared.store import LocalStore
features, settings = Features.open(Path(sys.argv[1])), TrainSettings.model_validate_json(sys.argv[3])
callbacks = TrainingCallbacks(lambda epoch: print(epoch.number, flush=True))
job = FoldJob(features, loso_folds(features.subjects)[0], settings)
FoldTrainer(LocalStore(Path(sys.argv[2])), checkpoint_seconds=0).train_and_store(job, callbacks)
"""


def test_killed_in_the_middle_a_fold_goes_on_and_ends_with_the_same_bytes(toy, tmp_path):
    features, settings = toy(3), LITE.model_copy(update={"epochs": 30})
    job = FoldJob(features, loso_folds(features.subjects)[0], settings)
    features.save(tmp_path / "features")
    arguments = [tmp_path / "features", tmp_path / "killed", settings.model_dump_json()]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 4:
            child.send_signal(signal.SIGKILL)
            break
    child.wait()
    child.stdout.close()
    killed, whole = LocalStore(tmp_path / "killed"), LocalStore(tmp_path / "whole")
    key = checkpoint.checkpoint_key(job.key)
    assert [*killed.list_keys()] == [key]
    spared = len(decode_state(killed.get(key)).epochs)
    assert 4 <= spared < 30
    reported: list[int] = []
    steps: list[int] = []
    callbacks = TrainingCallbacks(
        lambda epoch: reported.append(epoch.number), lambda: bool(steps.append(len(reported)))
    )
    FoldTrainer(killed).train_and_store(job, callbacks)
    FoldTrainer(whole).train_and_store(job)
    assert reported == list(range(30))
    assert min(steps) == spared
    assert content(killed) == content(whole)
    assert not killed.exists(key)


def test_a_state_comes_back_as_it_was():
    epoch = EpochSummary(0, 0.1 + 0.2, 1e-300, float("inf"), 1.0, 0.5, 1 / 3, (1, 2), None, 7)
    arrays = {"module/a": np.arange(6, dtype=np.float32).reshape(2, 3), "random/cpu": np.arange(5, dtype=np.uint8)}
    state = TrainingState(arrays, {"draws": {"state": {"state": 2**127 + 1}}, "best": 0.1}, (epoch,))
    found = decode_state(encode_state(state))
    assert found.numbers == state.numbers
    assert list(found.epochs) == [epoch]
    assert {name: value.tobytes() for name, value in found.arrays.items()} == {
        k: v.tobytes() for k, v in arrays.items()
    }
    assert encode_state(found) == encode_state(state)


def test_it_is_kept_when_it_is_time_and_never_left_behind(toy, tmp_path):
    store, now = LocalStore(tmp_path), [0.0]
    stored = StoredCheckpoint(store, NAME, interval_seconds=10, clock=lambda: now[0])
    state, asked = TrainingState({}, {}, ()), []

    def made() -> TrainingState:
        asked.append(now[0])
        return state

    for now[0] in (5.0, 10.0, 15.0, 21.0):
        stored.save_if_due(made)
    assert asked == [10.0, 21.0]
    assert stored.load_state() is not None
    features, store = toy(2, 3), LocalStore(tmp_path / "fold")
    job = FoldJob(features, loso_folds(features.subjects)[0], TrainSettings(epochs=1))
    FoldTrainer(store, checkpoint_seconds=0).train_and_store(job)
    assert sorted(store.list_keys()) == [f"folds/{job.key}.json", f"folds/{job.key}.safetensors"]


@pytest.mark.parametrize("state_kind", ["cut", "text", "another network", "another device", "not there"])
def test_from_what_can_not_be_used_it_begins_anew(toy, tmp_path, state_kind):
    features, store, settings = toy(3), LocalStore(tmp_path), LITE.model_copy(update={"epochs": 2})
    expected, _ = fit_network(features, settings, NO_CALLBACKS)
    with pytest.raises(Cut):
        fit_network(features, settings, TrainingCallbacks(cut_at(1), checkpoint=every_epoch(store)))
    data = store.get(checkpoint.checkpoint_key(NAME))
    state = decode_state(data)
    broken = {
        "cut": data[:-9],
        "text": b"none",
        "another network": encode_state(
            TrainingState({k: v for k, v in state.arrays.items() if "fusion" not in k}, {}, ())
        ),
        "another device": encode_state(
            TrainingState({**state.arrays, "random/gpu": np.zeros(3, np.uint8)}, state.numbers, ())
        ),
    }
    if state_kind == "not there":
        store.delete(checkpoint.checkpoint_key(NAME))
    else:
        store.put(checkpoint.checkpoint_key(NAME), broken[state_kind])
    found, history = fit_network(features, settings, TrainingCallbacks(checkpoint=StoredCheckpoint(store, NAME)))
    assert found == expected
    assert len(history.epochs) == 2


def test_an_outcome_is_the_same_after_a_cut(toy, tmp_path):
    features, stores = toy(2, 3), [LocalStore(tmp_path / name) for name in ("cut", "whole")]
    job = FoldJob(features, loso_folds(features.subjects)[0], TrainSettings(epochs=3))
    cut, whole = (FoldTrainer(store, checkpoint_seconds=0) for store in stores)
    with pytest.raises(Cut):
        cut.train_and_store(job, TrainingCallbacks(cut_at(2)))
    assert stores[0].exists(checkpoint.checkpoint_key(job.key))
    cut.train_and_store(job)
    whole.train_and_store(job)
    one, other = (json.loads(store.get(outcome_key(job.key))) for store in stores)
    assert one == other

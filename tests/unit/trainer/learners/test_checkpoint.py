"""A training that is cut between two epochs, or killed anywhere, ends with the bytes of one that was not."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.protocol import loso_folds
from services.trainer.folds import store as kept
from services.trainer.learners import checkpoint
from services.trainer.learners.base import EpochSummary, TrainingCallbacks, TrainingState
from services.trainer.learners.checkpoint import StoredCheckpoint, decode_state, encode_state
from services.trainer.learners.network import NetworkLearner
from services.trainer.settings import TrainSettings, settings_from_profile
from shared.store import LocalStore

NAME = "f" * 32
LITE = TrainSettings(epochs=5, batch=5, jitter=0.5, sampling="balanced")


class Cut(Exception):
    pass


def parts(features) -> tuple[FeatureSubset, FeatureSubset]:
    return FeatureSubset(features, np.arange(6, len(features))), FeatureSubset(features, np.arange(6))


def fitted(features, settings, watch) -> dict[str, bytes]:
    train, test = parts(features)
    network = NetworkLearner(3, settings)
    network.fit(train, watch)
    weights = {name: value.tobytes() for name, value in network.export_weights().items()}
    return weights | {"predicted": network.predict(test).emotions.tobytes()}


def cut_after(features, settings, watch, epochs: int) -> None:
    def told(epoch: EpochSummary) -> None:
        if epoch.number == epochs:  # after this one's steps and before it is kept
            raise Cut

    watch.on_epoch = told
    with pytest.raises(Cut):
        fitted(features, settings, watch)


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
    whole, again = (
        TrainingCallbacks(oracle_subset=parts(features)[1]),
        TrainingCallbacks(oracle_subset=parts(features)[1]),
    )
    expected = fitted(features, settings, whole)
    cut_after(
        features,
        settings,
        TrainingCallbacks(oracle_subset=parts(features)[1], checkpoint=StoredCheckpoint(store, NAME, every=0)),
        3,
    )
    again.checkpoint = StoredCheckpoint(store, NAME, every=0)
    trained: list[int] = []
    again.should_stop = lambda: bool(trained.append(len(again.epochs)))
    assert fitted(features, settings, again) == expected
    assert again.epochs == whole.epochs
    assert set(trained) == {3, 4}  # the first three were told of, not trained again


def test_the_best_epoch_so_far_survives_and_stays_the_best(toy, tmp_path):
    features, store = toy(3), LocalStore(tmp_path)
    worths = [0.1, 0.9, 0.2, 0.3, 0.9]

    def judged() -> TrainingCallbacks:
        watch = TrainingCallbacks(checkpoint=StoredCheckpoint(store, NAME, every=0))
        watch.score_validation = lambda: worths[len(watch.epochs)]
        return watch

    whole = judged()
    whole.checkpoint = None
    expected = fitted(features, LITE, whole)
    cut_after(features, LITE, judged(), 3)
    again = judged()
    assert fitted(features, LITE, again) == expected
    assert again.best_epoch == whole.best_epoch == 1


def content(store: LocalStore) -> dict[str, bytes]:
    return {entry.key: store.get(entry.key) for entry in store.list_objects()}


CHILD = """
import sys
from functools import partial
from pathlib import Path
from services.trainer.folds import store as kept
from services.trainer.learners import checkpoint
from services.trainer.data.features import Features
from services.trainer.learners.base import TrainingCallbacks
from services.trainer.evaluation.protocol import loso_folds
from services.trainer.settings import TrainSettings
from shared.store import LocalStore
kept.StoredCheckpoint = partial(checkpoint.StoredCheckpoint, every=0)
features, settings = Features.open(Path(sys.argv[1])), TrainSettings.model_validate_json(sys.argv[3])
callbacks = TrainingCallbacks(lambda epoch: print(epoch.number, flush=True))
fold = loso_folds(features.subjects)[0]
kept.train_and_store_fold(LocalStore(Path(sys.argv[2])), sys.argv[4], features, fold, settings, callbacks=callbacks)
"""


def test_killed_in_the_middle_a_fold_goes_on_and_ends_with_the_same_bytes(toy, tmp_path):
    features, settings = toy(3), LITE.model_copy(update={"epochs": 30})
    fold = loso_folds(features.subjects)[0]
    features.save(tmp_path / "features")
    arguments = [tmp_path / "features", tmp_path / "killed", settings.model_dump_json(), NAME]
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
    assert [*killed.list_keys()] == [checkpoint.checkpoint_key(NAME)]
    spared = len(decode_state(killed.get(checkpoint.checkpoint_key(NAME))).epochs)
    assert 4 <= spared < 30
    told: list[int] = []
    steps: list[int] = []
    watch = TrainingCallbacks(lambda epoch: told.append(epoch.number), lambda: bool(steps.append(len(told))))
    kept.train_and_store_fold(killed, NAME, features, fold, settings, callbacks=watch)
    kept.train_and_store_fold(whole, NAME, features, fold, settings)
    assert told == list(range(30))
    assert min(steps) == spared
    assert content(killed) == content(whole)
    assert not killed.exists(checkpoint.checkpoint_key(NAME))


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
    keeper = StoredCheckpoint(store, NAME, every=10, clock=lambda: now[0])
    state, asked = TrainingState({}, {}, ()), []

    def made() -> TrainingState:
        asked.append(now[0])
        return state

    for now[0] in (5.0, 10.0, 15.0, 21.0):
        keeper.save_if_due(made)
    assert asked == [10.0, 21.0]
    assert keeper.load_state() is not None
    features = toy(2, 3)
    kept.train_and_store_fold(store, NAME, features, loso_folds(features.subjects)[0], TrainSettings(epochs=1))
    assert sorted(store.list_keys()) == [f"folds/{NAME}.json", f"folds/{NAME}.safetensors"]


@pytest.mark.parametrize("what", ["cut", "text", "another network", "another device", "not there"])
def test_from_what_can_not_be_used_it_begins_anew(toy, tmp_path, what):
    features, store, settings = toy(3), LocalStore(tmp_path), LITE.model_copy(update={"epochs": 2})
    expected = fitted(features, settings, TrainingCallbacks())
    cut_after(features, settings, TrainingCallbacks(checkpoint=StoredCheckpoint(store, NAME, every=0)), 1)
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
    if what == "not there":
        store.delete(checkpoint.checkpoint_key(NAME))
    else:
        store.put(checkpoint.checkpoint_key(NAME), broken[what])
    watch = TrainingCallbacks(checkpoint=StoredCheckpoint(store, NAME))
    assert fitted(features, settings, watch) == expected
    assert len(watch.epochs) == 2


def test_an_outcome_says_the_same_after_a_cut(toy, tmp_path, monkeypatch):
    features, store = toy(2, 3), LocalStore(tmp_path)
    monkeypatch.setattr(kept, "StoredCheckpoint", partial(StoredCheckpoint, every=0))
    fold, settings = loso_folds(features.subjects)[0], TrainSettings(epochs=3)

    def told(epoch: EpochSummary) -> None:
        if epoch.number == 2:
            raise Cut

    with pytest.raises(Cut):
        kept.train_and_store_fold(store, NAME, features, fold, settings, callbacks=TrainingCallbacks(told))
    kept.train_and_store_fold(store, NAME, features, fold, settings)
    kept.train_and_store_fold(store, "0" * 32, features, fold, settings)
    one, other = (json.loads(store.get(kept.outcome_key(name))) for name in (NAME, "0" * 32))
    assert one == other

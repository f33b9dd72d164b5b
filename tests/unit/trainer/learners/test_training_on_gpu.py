"""Training on a GPU: it repeats its bytes, resumes with the same bytes, and its weights predict the same on a CPU.

Tests that hold on both devices also run on a CPU, with `fmer-lite` alone, as `fmer` takes minutes there.
"""

import numpy as np
import pytest

from services.trainer.data.features import FeatureSubset
from services.trainer.folds.cross_validation import FoldPool, run_folds
from services.trainer.learners.base import NO_CALLBACKS, TrainingCallbacks
from services.trainer.learners.batch_source import DeviceBatchSource, HostBatchSource, TrainingDevice
from services.trainer.learners.checkpoint import StoredCheckpoint
from services.trainer.learners.network import NetworkLearner
from services.trainer.models import ARRAYS_BY_MODEL
from shared.store import LocalStore
from shared.training.protocol import loso_folds
from shared.training.settings import TrainSettings, settings_from_profile

MODELS = ["fmer-lite", "fmer"]
PLACES = [("cpu", "fmer-lite"), *(pytest.param("cuda", model, marks=pytest.mark.gpu) for model in MODELS)]
PRECISIONS = ["float32", "bf16"]


class Cut(Exception):
    pass


@pytest.fixture(scope="module")
def parts(toy):
    """Eight clips to train on, four to test."""
    features = toy(3, 4)
    return FeatureSubset(features, np.arange(4, 12)), FeatureSubset(features, np.arange(4))


def short_settings(model: str, precision: str = "float32") -> TrainSettings:
    return settings_from_profile(model=model, epochs=3, batch=4, precision=precision)


def fit_network(parts, settings: TrainSettings, device: TrainingDevice, callbacks=NO_CALLBACKS) -> dict[str, bytes]:
    """The bytes of the weights and of the predictions."""
    train, test = parts
    network = NetworkLearner(3, settings, device=device)
    network.fit(train, callbacks)
    found = {name: value.tobytes() for name, value in network.export_weights().items()}
    return found | {"predicted": network.predict(test).emotions.tobytes()}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("where", "model"), PLACES)
def test_one_seed_gives_the_same_bytes(parts, where, model, precision):
    settings = short_settings(model, precision)
    first, again = (fit_network(parts, settings, TrainingDevice(where)) for _ in range(2))
    assert [name for name in first if first[name] != again[name]] == []


@pytest.mark.parametrize(("where", "model"), PLACES)
def test_a_resumed_training_gives_the_same_bytes(parts, tmp_path, where, model):
    settings, device = short_settings(model), TrainingDevice(where)
    expected = fit_network(parts, settings, device)
    checkpoint = StoredCheckpoint(LocalStore(tmp_path), "f" * 32, interval_seconds=0)

    def cut_training(epoch):
        if epoch.number == 1:
            raise Cut

    with pytest.raises(Cut):
        fit_network(parts, settings, device, TrainingCallbacks(cut_training, checkpoint=checkpoint))
    assert len(checkpoint.load_state().epochs) == 1
    resumed = fit_network(parts, settings, device, TrainingCallbacks(checkpoint=checkpoint))
    assert [name for name in expected if expected[name] != resumed[name]] == []


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_weights_of_a_gpu_predict_the_same_on_a_cpu(parts, model):
    train, test = parts
    gpu = NetworkLearner(3, short_settings(model), device=TrainingDevice("cuda"))
    gpu.fit(train, NO_CALLBACKS)
    cpu = NetworkLearner(3, short_settings(model))
    cpu.load_weights(gpu.export_weights())
    ours, theirs = gpu.predict(test), cpu.predict(test)
    np.testing.assert_allclose(ours.emotions, theirs.emotions, atol=0.01)  # convolutions may use TF32: 10 bits
    np.testing.assert_allclose(ours.aus, theirs.aus, atol=0.01)
    assert np.ptp(theirs.emotions) > 0.05  # not all alike


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_features_held_on_a_gpu_give_the_bytes_of_batches_from_the_host(parts, model):
    settings, needs = short_settings(model), ARRAYS_BY_MODEL[model]
    held, copied = TrainingDevice("cuda"), TrainingDevice("cuda", free_bytes=lambda _: 0)
    assert isinstance(held.batch_source(parts[0], needs), DeviceBatchSource)
    assert isinstance(copied.batch_source(parts[0], needs), HostBatchSource)
    assert fit_network(parts, settings, held) == fit_network(parts, settings, copied)


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_two_folds_side_by_side_give_the_outcomes_of_one_after_the_other(toy, tmp_path, model):
    features, settings = toy(2, 4), short_settings(model)
    folds = loso_folds(features.subjects)
    beside, after = (
        run_folds(features, settings, folds, tmp_path / str(jobs), FoldPool(jobs, "cuda")) for jobs in (2, 1)
    )
    assert beside == after
    files = {file.name: file.read_bytes() for file in (tmp_path / "1" / "folds").glob("*.safetensors")}
    assert len(files) == 2
    assert files == {file.name: file.read_bytes() for file in (tmp_path / "2" / "folds").glob("*.safetensors")}

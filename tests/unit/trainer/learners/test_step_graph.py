"""Steps that are recorded and replayed give the bytes of steps that run one by one.

A CPU has no graphs. There a stand-in recorder calls the step at each replay: all but the graph itself is tested.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.learners import prediction, step_graph, training_loop
from services.trainer.learners.base import NO_CALLBACKS, TrainingCallbacks
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.network import NetworkLearner, deterministic_torch
from services.trainer.learners.step_graph import EAGER_CALLS, GraphRecorder, RecordedStep, Results
from services.trainer.learners.training_loop import TrainingLoop
from shared.training.settings import TrainSettings, settings_from_profile


class CallingRecorder:
    """Replays a step by a call of it."""

    def __init__(self) -> None:
        self.recordings = 0

    def run(self, step: Callable[[], Results]) -> Results:
        return step()

    def record(self, step: Callable[[], Results]) -> tuple[Callable[[], None], list[torch.Tensor]]:
        self.recordings += 1
        results: list[torch.Tensor] = []

        def replay() -> None:
            found = step()
            if results:
                for own, new in zip(results, found, strict=True):
                    own.copy_(new)
            else:
                results.extend(found)

        return replay, results


class FailingRecorder(CallingRecorder):
    def record(self, step):
        raise RuntimeError("this step waits for the device")


@pytest.fixture(scope="module")
def parts(toy):
    """Ten clips to train on, four to test."""
    features = toy(2, 7)
    return FeatureSubset(features, np.arange(4, 14)), FeatureSubset(features, np.arange(4))


def test_a_step_is_recorded_once_per_shape_and_replayed_with_the_inputs_of_each_call():
    recorder = CallingRecorder()
    step = RecordedStep(lambda a, b: (a + b, a * b), recorder)
    kept = []
    for size in (3, 2, 3, 3, 2, 3, 2, 3):
        a, b = torch.rand(size), torch.rand(size)
        kept.append((a + b, a * b, *step(a, b)))
    assert recorder.recordings == 2
    assert all(
        torch.equal(*pair) for total, product, *found in kept for pair in zip((total, product), found, strict=True)
    )


def test_a_step_that_can_not_be_recorded_runs_one_by_one_and_says_so(caplog):
    step = RecordedStep(lambda a: (a + 1,), FailingRecorder())
    with caplog.at_level(logging.WARNING):
        assert [float(*step(torch.tensor(float(n)))) for n in range(6)] == [1, 2, 3, 4, 5, 6]
    assert [record.args[0].args for record in caplog.records] == [("this step waits for the device",)]


def short_settings(model: str, precision: str = "float32", epochs: int = 4) -> TrainSettings:
    return settings_from_profile(model=model, epochs=epochs, batch=4, precision=precision)


def fit_network(parts, settings: TrainSettings, device: str, callbacks=NO_CALLBACKS) -> dict[str, bytes]:
    """The bytes of weights, predictions and figures of the epochs."""
    train, test = parts
    network = NetworkLearner(3, settings, device=TrainingDevice(device))
    history = network.fit(train, replace(callbacks, oracle_subset=test))
    found = {name: value.tobytes() for name, value in network.export_weights().items()}
    return found | {"epochs": str(history).encode(), "predicted": network.predict(test).emotions.tobytes()}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_training_with_recorded_steps_gives_the_bytes_of_training_without(parts, monkeypatch, precision):
    settings, recorders = short_settings("fmer-lite", precision), []

    def record_on_cpu(step, device):
        recorders.append(CallingRecorder())
        return RecordedStep(step, recorders[-1])

    expected = fit_network(parts, settings, "cpu")
    for module in (training_loop, prediction):
        monkeypatch.setattr(module, "record_on_gpu", record_on_cpu)
    found = fit_network(parts, settings, "cpu")
    assert [recorder.recordings for recorder in recorders] == [2, 1, 0]  # steps on 4 and 2 clips, oracle, test
    assert [name for name in expected if expected[name] != found[name]] == []


def test_a_cpu_records_nothing():
    assert step_graph.record_on_gpu(len, TrainingDevice("cpu")) is len


ON_GPU = [("fmer-lite", "float32"), ("fmer-lite", "bf16"), ("fmer", "bf16"), ("fmer", "float32")]


@pytest.mark.gpu
@pytest.mark.parametrize(("model", "precision"), ON_GPU)
def test_graphs_give_the_bytes_of_steps_one_by_one(parts, monkeypatch, caplog, model, precision):
    settings = short_settings(model, precision)
    found = fit_network(parts, settings, "cuda")
    assert not caplog.records
    monkeypatch.setattr(step_graph, "EAGER_CALLS", 1000)
    expected = fit_network(parts, settings, "cuda")
    assert [name for name in expected if expected[name] != found[name]] == []


def build_loop(part: FeatureSubset, settings: TrainSettings) -> TrainingLoop:
    network = NetworkLearner(3, settings, device=TrainingDevice("cuda"))
    return TrainingLoop(network.module, settings, 0, network.device, part, NO_CALLBACKS)


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["fmer-lite", "fmer"])
def test_a_state_loaded_before_or_after_a_recording_continues_with_the_same_bytes(parts, model):
    settings = short_settings(model, epochs=6)
    with deterministic_torch(1):
        loop = build_loop(parts[0], settings)
        for number in range(3):
            loop.run_epoch(number)
        state = loop.state_dict()
        ends = []
        for continued in (loop, loop, build_loop(parts[0], settings)):
            if ends:
                assert continued.load_state_dict(state)
            for number in range(3, 6):
                continued.run_epoch(number)
            ends.append({name: value.tobytes() for name, value in continued.state_dict().arrays.items()})
    assert ends[0] != {name: value.tobytes() for name, value in state.arrays.items()}
    for other in ends[1:]:
        assert [name for name in ends[0] if ends[0][name] != other[name]] == []


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["fmer-lite", "fmer"])
def test_no_step_of_an_epoch_waits_for_the_device(parts, monkeypatch, model):
    with deterministic_torch(1):
        loop = build_loop(parts[0], short_settings(model))
        for number in range(EAGER_CALLS + 1):  # until the epoch's last batch is recorded too
            loop.run_epoch(number)
        monkeypatch.setattr(loop, "_summarise_epoch", lambda number, results: results)  # this waits, once per epoch
        torch.cuda.set_sync_debug_mode("error")
        try:
            results = loop.run_epoch(EAGER_CALLS + 1)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert len(results) == loop.steps_per_epoch == 3


@pytest.mark.gpu
@pytest.mark.parametrize("model", sorted(models.ARRAYS_BY_MODEL))
def test_every_network_can_be_recorded(parts, monkeypatch, caplog, model):
    maps = parts[0].features.arrays["maps"]
    flow_maps = np.repeat(maps[:, :, None, :2] / 9, 9, 2).astype(np.float16)
    features = replace(parts[0].features, arrays={**parts[0].features.arrays, "flow_maps": flow_maps})
    recorded = []
    monkeypatch.setattr(
        GraphRecorder,
        "record",
        lambda self, step, record=GraphRecorder.record: recorded.append(record(self, step)) or recorded[-1],
    )
    network = NetworkLearner(3, short_settings(model, epochs=3), device=TrainingDevice("cuda"))
    network.fit(FeatureSubset(features, parts[0].rows), TrainingCallbacks())
    assert len(recorded) == 2
    assert not caplog.records

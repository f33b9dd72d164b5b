from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer.data.annotations import AUS
from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.metrics import score_action_units, score_emotions
from services.trainer.learners.base import EpochSummary, TrainingCallbacks
from services.trainer.learners.network import NetworkLearner
from services.trainer.learners.training_loop import TrainingLoop, build_optimiser, learning_rate_factor
from services.trainer.settings import PROFILES, TrainSettings

QUICK = TrainSettings(epochs=3)
ANY_EPOCH = EpochSummary(0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0)


def train_part(features) -> FeatureSubset:
    return FeatureSubset(features, np.arange(6, len(features)))


@pytest.fixture
def fill(monkeypatch):
    """Epochs that leave their number in a weight, with the training accuracies that are given."""

    def replace_epochs(accuracies):
        left = iter(accuracies)

        def epoch(self, number):
            with torch.no_grad():
                self.module.fusion.classify.bias.fill_(number)
            return replace(ANY_EPOCH, number=number, accuracy=next(left))

        monkeypatch.setattr(TrainingLoop, "_run_epoch", epoch)

    return replace_epochs


def test_paper_keeps_the_epoch_of_best_training_accuracy(toy, fill):
    for keep, expected in [("best-training", 1.0), ("last", 3.0)]:
        fill([0.2, 0.9, 0.5, 0.9])
        network = NetworkLearner(3, TrainSettings(epochs=4, keep=keep))
        network.fit(train_part(toy(3)), TrainingCallbacks())
        assert network.export_weights()["fusion.classify.bias"].tolist() == [expected] * 3


def test_a_judge_chooses_the_epoch_and_of_equals_the_first(toy, fill):
    fill([0.0] * 4)
    worths = iter([0.1, 0.4, 0.7, 0.7])
    network, watch = (
        NetworkLearner(3, TrainSettings(epochs=4)),
        TrainingCallbacks(score_validation=lambda: next(worths)),
    )
    network.fit(train_part(toy(3)), watch)
    assert watch.best_epoch == 2
    assert network.export_weights()["fusion.classify.bias"].tolist() == [2.0] * 3


def test_figures_of_an_epoch_are_those_of_its_predictions(toy):
    """With steps of next to no size, no dropout, and each batch's own moments in BatchNorm at test as in training, the
    epoch's figures are those of the network as it is."""
    train = train_part(toy(3))
    settings = TrainSettings(epochs=1, learning_rate=1e-12, mirror=False, mirror_at_test=False, test_factor=2.0)
    one_factor = {name: getattr(train.features, name)[:, [1]] for name in ("patches", "maps")}
    features = replace(train.features, **one_factor, factors=train.features.factors[[1]])
    network, watch = NetworkLearner(3, settings), TrainingCallbacks()
    for layer in network.module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
        if isinstance(layer, torch.nn.BatchNorm2d):  # all twelve clips are one batch here and there
            layer.running_mean = layer.running_var = None
    part = FeatureSubset(features, train.rows)
    network.fit(part, watch)
    found, (epoch,) = network.predict(part), watch.epochs
    assert epoch.au_f1 == score_action_units(part.aus, found.aus >= 0.5, AUS)["macro"]
    predicted = found.emotions.argmax(1)
    assert epoch.uf1 == score_emotions(part.emotions, predicted, part.emotions, resamples=1)["uf1"]
    assert epoch.accuracy == pytest.approx((predicted == part.emotions).mean())
    assert epoch.clips == len(part)


def test_bf16_steps_train_too_and_differ_little(toy):
    train, losses = train_part(toy(3)), {}
    for precision in ("float32", "bf16"):
        watch = TrainingCallbacks()
        NetworkLearner(3, TrainSettings(epochs=3, batch=6, precision=precision)).fit(train, watch)
        losses[precision] = [epoch.loss for epoch in watch.epochs]
    assert losses["bf16"] != losses["float32"]
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "focal"},
        {"class_weights": "inverse"},
        {"class_weights": "none", "logit_adjustment": 1.0},
        {"class_weights": "none", "sampling": "balanced"},
        {"jitter": 0.5},
        {"rotate": 5.0, "scale": 0.05, "shift": 1.0},
    ],
    ids=str,
)
def test_every_option_trains_and_makes_a_difference(toy, changes):
    features = toy(3)
    train, losses = FeatureSubset(features, np.flatnonzero(features.emotions < 2)), []
    train = replace(train, rows=np.append(train.rows, 2))  # a class with one clip
    for settings in (QUICK, QUICK.model_copy(update=changes)):
        watch = TrainingCallbacks()
        NetworkLearner(3, settings).fit(train, watch)
        losses.append([epoch.emotion_loss for epoch in watch.epochs])
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]


def test_rates_of_both_schedules():
    paper = PROFILES["paper"]
    factors = [learning_rate_factor(paper, epoch, 0, 10) for epoch in (0, 41, 42, 99)]
    assert factors == pytest.approx([1, 1, 0.987, 0.987**58])
    cycle = TrainSettings(epochs=10)
    rates = [learning_rate_factor(cycle, step // 10, step, 10) for step in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.01
    assert rates[55] == pytest.approx(0.5)


def test_only_weight_matrices_decay():
    module = NetworkLearner(3, QUICK).module
    decayed, free = build_optimiser(module, QUICK).param_groups
    names = {id(weight): name for name, weight in module.named_parameters()}
    assert decayed["weight_decay"] == 0.05
    assert free["weight_decay"] == 0
    assert "tokens.courses" in {names[id(weight)] for weight in free["params"]}
    assert "mouth_head.2.weight" in {names[id(weight)] for weight in decayed["params"]}
    assert len(decayed["params"]) + len(free["params"]) == len(names)

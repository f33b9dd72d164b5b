from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.metrics import score_action_units, score_emotions
from services.trainer.learners.base import NO_CALLBACKS, EpochSummary, TrainingCallbacks
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.network import NetworkLearner
from services.trainer.learners.training_loop import TrainingLoop
from shared.training.annotations import PAPER_UNITS
from shared.training.settings import TrainSettings

QUICK = TrainSettings(epochs=3)
ANY_EPOCH = EpochSummary(0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0)


def train_part(features) -> FeatureSubset:
    return FeatureSubset(features, np.arange(6, len(features)))


class NumberedLoop(TrainingLoop):
    """Epochs leave their number in a weight and have the given training accuracies."""

    accuracies: Sequence[float] = (0.0,) * 4

    def run_epoch(self, number: int) -> EpochSummary:
        with torch.no_grad():
            self.module.fusion.classify.bias.fill_(number)
        return replace(ANY_EPOCH, number=number, accuracy=self.accuracies[number])


def numbered_loop(features, settings: TrainSettings, callbacks: TrainingCallbacks = NO_CALLBACKS) -> NumberedLoop:
    module = NetworkLearner(3, settings).module
    return NumberedLoop(module, settings, 0, TrainingDevice(), train_part(features), callbacks)


def test_paper_keeps_the_epoch_of_best_training_accuracy(toy):
    for keep, expected, best in [("best-training", 1.0, 1), ("last", 3.0, None)]:
        loop = numbered_loop(toy(3), TrainSettings(epochs=4, keep=keep))
        loop.accuracies = [0.2, 0.9, 0.5, 0.9]
        assert loop.run().best_epoch == best
        assert loop.module.fusion.classify.bias.tolist() == [expected] * 3


def test_the_validation_score_selects_the_epoch_and_of_equals_the_first(toy):
    scores = iter([0.1, 0.4, 0.7, 0.7])
    callbacks = TrainingCallbacks(score_validation=lambda: next(scores))
    loop = numbered_loop(toy(3), TrainSettings(epochs=4), callbacks)
    history = loop.run()
    assert history.best_epoch == 2
    assert [epoch.number for epoch in history.epochs] == [0, 1, 2, 3]
    assert loop.module.fusion.classify.bias.tolist() == [2.0] * 3


def test_figures_of_an_epoch_are_those_of_its_predictions(toy):
    """With steps of next to no size, no dropout, and each batch's own moments in BatchNorm at test as in training, the
    epoch's figures are those of the network as it is."""
    train = train_part(toy(3))
    settings = TrainSettings(epochs=1, learning_rate=1e-12, mirror=False, mirror_at_test=False, test_factor=2.0)
    one_factor = {name: train.features.arrays[name][:, [1]] for name in ("patches", "maps")}
    features = replace(train.features, arrays=one_factor, factors=train.features.factors[[1]])
    network = NetworkLearner(3, settings)
    for layer in network.module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
        if isinstance(layer, torch.nn.BatchNorm2d):  # all twelve clips are one batch here and there
            layer.running_mean = layer.running_var = None
    part = FeatureSubset(features, train.rows)
    (epoch,) = network.fit(part, NO_CALLBACKS).epochs
    found = network.predict(part)
    assert epoch.au_f1 == score_action_units(part.au_targets(PAPER_UNITS), found.aus >= 0.5, PAPER_UNITS)["macro"]
    predicted = found.emotions.argmax(1)
    assert epoch.uf1 == score_emotions(part.emotions, predicted, part.emotions, resamples=1)["uf1"]
    assert epoch.accuracy == pytest.approx((predicted == part.emotions).mean())
    assert epoch.clips == len(part)


def test_bf16_steps_train_too_and_differ_little(toy):
    train, losses = train_part(toy(3)), {}
    for precision in ("float32", "bf16"):
        network = NetworkLearner(3, TrainSettings(epochs=3, batch=6, precision=precision))
        losses[precision] = [epoch.loss for epoch in network.fit(train, NO_CALLBACKS).epochs]
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
        history = NetworkLearner(3, settings).fit(train, NO_CALLBACKS)
        losses.append([epoch.emotion_loss for epoch in history.epochs])
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]

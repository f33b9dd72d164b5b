"""Training of a network: emotion and AU loss together, fixed epochs; nothing in a step looks at single clips, and on a
GPU nothing in it waits for the device."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from services.trainer import models
from services.trainer.data.annotations import AUS
from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.metrics import score_action_units, score_emotions
from services.trainer.learners import batches, snapshot
from services.trainer.learners.base import (
    EpochSummary,
    Predictions,
    TrainingCallbacks,
    TrainingState,
    TrainingStopped,
    Weights,
)
from services.trainer.learners.batch_source import NetworkInputs, make_batch_source
from services.trainer.learners.losses import TrainingLosses
from services.trainer.models.input_scaling import MapScale, PatchScale
from services.trainer.settings import TrainSettings


@dataclass
class _EpochSums:
    """What one epoch gathers per batch, on the device: losses (emotion, AU, both), the share of right answers, the
    drawn clips, the predicted emotions [b] and AUs [b,9]."""

    losses: list[Tensor] = field(default_factory=list)
    accuracies: list[Tensor] = field(default_factory=list)
    which: list[Tensor] = field(default_factory=list)
    predicted: list[Tensor] = field(default_factory=list)
    aus: list[Tensor] = field(default_factory=list)


class TrainingLoop:
    """One run over one training part; `predict` is asked about the watched part after each epoch."""

    def __init__(
        self,
        module: nn.Module,
        settings: TrainSettings,
        seed: int,
        device: str,
        train: FeatureSubset,
        callbacks: TrainingCallbacks,
        predict: Callable[[FeatureSubset], Predictions],
    ) -> None:
        self.module, self.settings, self.device, self.train, self.watch = module, settings, device, train, callbacks
        self.predict, self.needs = predict, models.ARRAYS_BY_MODEL[settings.model]
        self.rng = np.random.default_rng(seed)
        self.source = make_batch_source(train, self.needs, device)
        self.emotions = torch.from_numpy(train.emotions).to(device)
        aus = torch.from_numpy(train.aus.astype(np.float32) * (settings.au_labels == "coded"))
        self.losses = TrainingLosses.from_labels(train.emotions, aus, train.class_count, settings, device)
        self.aus = aus.to(device)
        self.optimiser = build_optimiser(module, settings)
        self.steps_per_epoch = math.ceil(len(train) / settings.batch)
        self.step, self.best = 0, -1.0
        self.kept: Weights | None = None
        self._fit_input_scaling()

    def _fit_input_scaling(self) -> None:
        everything = np.arange(len(self.train))
        factor = np.full(len(self.train), self.train.features.factor_index(self.settings.test_factor))
        for layer in self.module.modules():
            if isinstance(layer, PatchScale | MapScale):
                what = "patches" if isinstance(layer, PatchScale) else "maps"
                layer.fit(torch.from_numpy(self.train.batch_array(what, everything, factor)))

    def run(self) -> Weights | None:
        """Train to the end, from the newest kept state where there is one; the weights to test, None: the module's."""
        for number in range(self._resume_from_checkpoint(), self.settings.epochs):
            epoch = self._run_epoch(number)
            worth = self._selection_score(epoch)
            if worth is not None and worth > self.best:
                self.best, self.kept, self.watch.best_epoch = worth, snapshot.copy_module_weights(self.module), number
            self.watch.record_epoch(epoch)
            if self.watch.checkpoint is not None:
                self.watch.checkpoint.save_if_due(lambda: snapshot.capture_state(self))
        return self.kept

    def _selection_score(self, epoch: EpochSummary) -> float | None:
        """By which the epoch whose weights are kept is chosen; None: the last one's are."""
        if self.watch.score_validation is not None:
            return self.watch.score_validation()
        return epoch.accuracy if self.settings.keep == "best-training" else None

    def _resume_from_checkpoint(self) -> int:
        """Epochs that a kept state spares."""
        state: TrainingState | None = self.watch.checkpoint.load_state() if self.watch.checkpoint is not None else None
        if state is None or not snapshot.restore_state(self, state):
            return 0
        for epoch in state.epochs:
            self.watch.record_epoch(epoch)
        return len(state.epochs)

    def _run_epoch(self, number: int) -> EpochSummary:
        sums = _EpochSums()
        self.module.train()
        for inputs, which in batches.training_batches(
            self.train, self.settings, self.rng, self.needs, self.source, self.device
        ):
            if self.watch.should_stop():
                raise TrainingStopped
            self._run_step(inputs, which, number, sums)
        return self._summarise_epoch(number, sums)

    def _run_step(self, inputs: NetworkInputs, which: Tensor, epoch: int, sums: _EpochSums) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(epoch)
        target = self.emotions[which]
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, self.settings.precision == "bf16"):
            logits, au_logits = self.module(*inputs.values())
        emotion_loss, au_loss, loss = self.losses(logits, au_logits, target, self.aus[which])
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        predicted = logits.argmax(1)
        sums.losses.append(torch.stack([emotion_loss, au_loss, loss]).detach())
        sums.accuracies.append((predicted == target).float().mean())
        sums.which.append(which)
        sums.predicted.append(predicted)
        sums.aus += [] if au_logits is None else [au_logits.detach() >= 0]

    def _summarise_epoch(self, number: int, sums: _EpochSums) -> EpochSummary:
        sizes = [len(which) for which in sums.which]
        which, predicted = torch.cat(sums.which).cpu().numpy(), torch.cat(sums.predicted).cpu().numpy()
        table = torch.stack(sums.losses).double().cpu().numpy()
        emotion_loss, au_loss, loss = (float(np.average(column, weights=sizes)) for column in table.T)
        true, aus = self.train.emotions[which], self.train.aus[which]
        return EpochSummary(
            number,
            loss,
            emotion_loss,
            au_loss,
            self._learning_rate(number),
            float(torch.stack(sums.accuracies).double().mean()),
            score_emotions(true, predicted, true, resamples=1)["uf1"],
            self._predict_oracle_subset(),
            score_action_units(aus, torch.cat(sums.aus).cpu().numpy(), AUS)["macro"] if sums.aus else None,
            len(which),
        )

    def _learning_rate(self, epoch: int) -> float:
        return self.settings.learning_rate * learning_rate_factor(self.settings, epoch, self.step, self.steps_per_epoch)

    def _predict_oracle_subset(self) -> tuple[int, ...]:
        if self.watch.oracle_subset is None:
            return ()
        return tuple(self.predict(self.watch.oracle_subset).emotions.argmax(1).tolist())


def learning_rate_factor(settings: TrainSettings, epoch: int, step: int, steps_per_epoch: int) -> float:
    """What the learning rate is multiplied by in step `step` (from 0), which lies in epoch `epoch` (from 0)."""
    if settings.schedule == "late-exponential":
        return settings.gamma ** max(0, epoch - 41)
    total = settings.epochs * steps_per_epoch
    warm = max(1, total // 10)
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, total - warm))) / 2


def build_optimiser(module: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW, one kernel for all weights. Weight matrices decay; biases, norms and learned patterns, which have nothing
    to shrink to, do not."""
    matrices = [weight for name, weight in module.named_parameters() if name.endswith("weight") and weight.ndim > 1]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in module.parameters() if id(weight) not in chosen]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, settings.learning_rate, fused=True)

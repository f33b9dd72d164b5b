"""Training of a network: emotion and AU loss together, a fixed number of epochs.

No step looks at single clips, and on a GPU no step waits for the device.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.evaluation.metrics import score_action_units, score_emotions
from services.trainer.learners.au_targets import au_target_tensors
from services.trainer.learners.base import (
    EpochSummary,
    TrainingCallbacks,
    TrainingHistory,
    TrainingState,
    TrainingStopped,
)
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.batches import training_batches
from services.trainer.learners.losses import TrainingLosses
from services.trainer.learners.optimiser import (
    build_optimiser,
    export_optimiser_state,
    learning_rate_factor,
    load_optimiser_state,
    set_learning_rate,
)
from services.trainer.learners.prediction import SubsetPredictor
from services.trainer.learners.step_graph import record_on_gpu
from services.trainer.learners.training_step import TrainingStep
from services.trainer.learners.weights import (
    NamedArrays,
    add_prefix,
    copy_module_weights,
    load_module_weights,
    strip_prefix,
    tensor_to_array,
)
from services.trainer.models.input_scaling import MapScale, PatchScale
from shared.training.annotations import PAPER_UNITS
from shared.training.settings import TrainSettings


class TrainingLoop:
    """One training run of a module on one subset of the clips. `units`: the action units of its AU logits."""

    def __init__(
        self,
        module: nn.Module,
        settings: TrainSettings,
        seed: int,
        device: TrainingDevice,
        train: FeatureSubset,
        callbacks: TrainingCallbacks,
        units: Sequence[int] = PAPER_UNITS,
    ) -> None:
        self.units = units
        self.module, self.settings, self.device, self.train, self.callbacks = module, settings, device, train, callbacks
        self.rng = np.random.default_rng(seed)
        self.source = device.batch_source(train, models.ARRAYS_BY_MODEL[settings.model])
        self.optimiser = build_optimiser(module, settings)
        aus, coded = au_target_tensors(train, units, settings)
        self.training_step = TrainingStep(
            module,
            self.optimiser,
            TrainingLosses.from_labels(train.emotions, aus, coded, train.class_count, settings, device.name),
            *(labels.to(device.name) for labels in (torch.from_numpy(train.emotions), aus, coded)),
            bf16=settings.precision == "bf16",
        )
        self.run_step = record_on_gpu(self.training_step, device)
        watched = callbacks.oracle_subset
        self._predict_oracle_subset = None if watched is None else SubsetPredictor(module, settings, device, watched)
        self.steps_per_epoch = math.ceil(len(train) / settings.batch)
        self.step = 0
        self.epochs: list[EpochSummary] = []
        self.best_score = -1.0
        self.best_epoch: int | None = None
        self.best_weights: NamedArrays = {}
        self._fit_input_scaling()

    def _fit_input_scaling(self) -> None:
        clips = np.arange(len(self.train))
        factor = np.full(len(self.train), self.train.features.factor_index(self.settings.test_factor))
        for layer in self.module.modules():
            if isinstance(layer, PatchScale | MapScale):
                layer.fit(torch.from_numpy(self.train.batch_array(layer.array_name, clips, factor)))

    def run(self) -> TrainingHistory:
        """Train to the end, from the newest stored state if there is one. The module then has the weights to test.

        Raises TrainingStopped as soon as the callback `should_stop` returns true.
        """
        self._resume_from_checkpoint()
        for number in range(len(self.epochs), self.settings.epochs):
            epoch = self.run_epoch(number)
            self._keep_best_weights(epoch)
            self._record_epoch(epoch)
            if self.callbacks.checkpoint is not None:
                self.callbacks.checkpoint.save_if_due(self.state_dict)
        if self.best_weights:
            load_module_weights(self.module, self.best_weights)
        self.optimiser.zero_grad()  # a GPU holds the memory of a recorded step as long as its gradients
        return TrainingHistory(tuple(self.epochs), self.best_epoch)

    def _record_epoch(self, epoch: EpochSummary) -> None:
        self.epochs.append(epoch)
        self.callbacks.on_epoch(epoch)

    def _keep_best_weights(self, epoch: EpochSummary) -> None:
        score = self._selection_score(epoch)
        if score is not None and score > self.best_score:
            self.best_score, self.best_epoch = score, epoch.number
            self.best_weights = copy_module_weights(self.module)

    def _selection_score(self, epoch: EpochSummary) -> float | None:
        """The score that selects the epoch whose weights are kept; None: the last epoch's are."""
        if self.callbacks.score_validation is not None:
            return self.callbacks.score_validation()
        return epoch.accuracy if self.settings.keep == "best-training" else None

    def _resume_from_checkpoint(self) -> None:
        state = self.callbacks.checkpoint.load_state() if self.callbacks.checkpoint is not None else None
        if state is not None and self.load_state_dict(state):
            for epoch in state.epochs:
                self._record_epoch(epoch)

    def state_dict(self) -> TrainingState:
        """Weights, optimiser, every random state, and the best epoch so far. Only valid between two epochs: within one
        it would lack what the epoch has drawn."""
        arrays = add_prefix("module", copy_module_weights(self.module)) | add_prefix("kept", self.best_weights)
        arrays |= add_prefix("optimiser", export_optimiser_state(self.optimiser))
        arrays["random/cpu"] = tensor_to_array(torch.random.get_rng_state())
        if self.device.is_gpu:
            arrays["random/gpu"] = tensor_to_array(torch.cuda.get_rng_state(self.device.name))
        best = {"best": self.best_score, "chosen": self.best_epoch}
        numbers = {"step": self.step, "draws": self.rng.bit_generator.state, **best}
        return TrainingState(arrays, numbers, tuple(self.epochs))

    def load_state_dict(self, state: TrainingState) -> bool:
        """Continue from a state; training then gives the bytes that it would have given without a break.

        Returns False and changes nothing if the state belongs to another network or another kind of device.
        """
        weights = strip_prefix("module", state.arrays)
        own_shapes = {name: value.shape for name, value in self.module.state_dict().items()}
        if {name: value.shape for name, value in weights.items()} != own_shapes:
            return False
        if ("random/gpu" in state.arrays) != self.device.is_gpu:
            return False
        load_module_weights(self.module, weights)
        load_optimiser_state(self.optimiser, strip_prefix("optimiser", state.arrays))
        self.run_step = record_on_gpu(self.training_step, self.device)  # an earlier recording knows the earlier state
        torch.random.set_rng_state(torch.from_numpy(state.arrays["random/cpu"]))
        if self.device.is_gpu:
            torch.cuda.set_rng_state(torch.from_numpy(state.arrays["random/gpu"]), self.device.name)
        self.rng.bit_generator.state = state.numbers["draws"]
        self.step, self.best_score = state.numbers["step"], state.numbers["best"]
        self.best_epoch, self.best_weights = state.numbers["chosen"], strip_prefix("kept", state.arrays)
        return True

    def run_epoch(self, number: int) -> EpochSummary:
        """Train for one epoch (number from 0)."""
        self.module.train()
        results = []
        for inputs, clips in training_batches(self.train, self.settings, self.rng, self.source):
            if self.callbacks.should_stop():
                raise TrainingStopped
            set_learning_rate(self.optimiser, self._learning_rate(number))
            results.append((clips, *self.run_step(clips, *inputs.values())))
            self.step += 1
        return self._summarise_epoch(number, results)

    def _summarise_epoch(self, number: int, results: list[tuple[Tensor, ...]]) -> EpochSummary:
        """From each step's indices of clips and results of `TrainingStep`."""
        shown, losses, accuracies, classes, *aus = zip(*results, strict=True)
        sizes = [len(batch) for batch in shown]
        clips, predicted = torch.cat(shown).cpu().numpy(), torch.cat(classes).cpu().numpy()
        table = torch.stack(losses).double().cpu().numpy()
        emotion_loss, au_loss, loss = (float(np.average(column, weights=sizes)) for column in table.T)
        true = self.train.emotions[clips]
        return EpochSummary(
            number,
            loss,
            emotion_loss,
            au_loss,
            rate=self._learning_rate(number),
            accuracy=float(torch.stack(accuracies).double().mean()),
            uf1=score_emotions(true, predicted, true, resamples=1)["uf1"],
            watched=self._predict_watched_classes(),
            au_f1=self._score_units(clips, torch.cat(aus[0]).cpu().numpy()) if aus else None,
            clips=len(clips),
        )

    def _score_units(self, clips: NDArray[np.int64], predicted: NDArray[np.bool_]) -> float | None:
        """AU macro F1 of predictions [n,K] for the clips [n] of an epoch, over those that were coded."""
        coded = self.train.au_coded[clips]
        true = self.train.au_targets(self.units)[clips]
        macro: float | None = score_action_units(true[coded], predicted[coded], self.units)["macro"]
        return macro

    def _learning_rate(self, epoch: int) -> float:
        return self.settings.learning_rate * learning_rate_factor(self.settings, epoch, self.step, self.steps_per_epoch)

    def _predict_watched_classes(self) -> tuple[int, ...]:
        if self._predict_oracle_subset is None:
            return ()
        return tuple(self._predict_oracle_subset().emotions.argmax(1).tolist())

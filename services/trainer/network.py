"""Training of a network: emotion and AU loss together, fixed epochs, seeded and deterministic on one device."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.trainer import batches, models
from services.trainer.dataset import Part
from services.trainer.evaluate import score
from services.trainer.learner import Epoch, Predictions, Stopped, Watch, Weights
from services.trainer.models.inputs import PatchScale
from services.trainer.settings import TrainSettings


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Equal seeds give equal figures on one device; the caller's random state and flags are left as they were."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # 3-D max pooling has no deterministic backward pass on CUDA: there it only warns.
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


class Network:
    """A network of the registry as a Learner."""

    def __init__(self, classes: int, settings: TrainSettings, seed: int = 0, device: str = "cpu") -> None:
        self.classes, self.settings, self.seed, self.device = classes, settings, seed, device
        with reproducible(seed):
            self.module = models.build(settings.model, classes, settings.network).to(device)

    def fit(self, train: Part, watch: Watch) -> None:
        """Raises Stopped as soon as `watch.stop()` is true."""
        with reproducible(self.seed + 1):
            _Training(self, train, watch).run()

    @torch.no_grad()
    def predict(self, part: Part) -> Predictions:
        self.module.eval()
        outputs = []
        for patches, clips in batches.in_order(part, part.features.factor_index(self.settings.test_factor)):
            emotions, aus = self._probabilities(patches, clips)
            if self.settings.mirror_at_test:
                mirrored = torch.from_numpy(batches.mirror_patches(patches.numpy()))
                turned = self._probabilities(mirrored, clips.flip(-1))
                emotions, aus = (emotions + turned[0]) / 2, (aus + turned[1]) / 2
            outputs.append((emotions.cpu().numpy(), aus.cpu().numpy()))
        emotions_, aus_ = (np.concatenate(column) for column in zip(*outputs, strict=True))
        return Predictions(emotions_, aus_)

    def _probabilities(self, patches: Tensor, clips: Tensor) -> tuple[Tensor, Tensor]:
        emotions, aus = self.module(patches.to(self.device), clips.to(self.device))
        return emotions.double().softmax(1), aus.double().sigmoid()

    def weights(self) -> Weights:
        state = self.module.state_dict()
        # copies: later steps must not reach into kept weights
        return {name: np.array(value.detach().cpu().numpy(), order="C") for name, value in state.items()}

    def load(self, weights: Weights) -> None:
        self.module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})


@dataclass
class _Sums:
    """What one epoch adds up: losses over clips, accuracies over batches, labels and predictions in drawn order."""

    losses: list[tuple[int, float, float, float]] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    true: list[Tensor] = field(default_factory=list)
    predicted: list[Tensor] = field(default_factory=list)


class _Training:
    def __init__(self, network: Network, train: Part, watch: Watch) -> None:
        self.network, self.train, self.watch, self.settings = network, train, watch, network.settings
        self.rng = np.random.default_rng(network.seed)
        self.emotions = torch.from_numpy(train.emotions)
        coded = network.settings.au_labels == "coded"
        self.aus = torch.from_numpy(train.aus.astype(np.float32) * coded)
        self.class_weights = class_weights(train.emotions, train.classes, self.settings).to(network.device)
        self.au_weights = au_weights(self.aus, self.settings).to(network.device)
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        self.optimiser = torch.optim.AdamW(_groups(network.module, decay), rate)
        self.steps_per_epoch = math.ceil(len(train) / self.settings.batch)
        self.step = 0
        self._fit_scale()

    def _fit_scale(self) -> None:
        scale = self.network.module.patch_scale
        assert isinstance(scale, PatchScale)
        factor = self.train.features.factor_index(self.settings.test_factor)
        patches = self.train.patches(np.arange(len(self.train)), np.full(len(self.train), factor))
        scale.fit(torch.from_numpy(patches))

    def run(self) -> None:
        best, kept = -1.0, None
        for number in range(self.settings.epochs):
            epoch = self._epoch(number)
            if self.settings.keep == "best-training" and epoch.accuracy > best:
                best, kept = epoch.accuracy, self.network.weights()
            self.watch.note(epoch)
        if kept is not None:
            self.network.load(kept)

    def _epoch(self, number: int) -> Epoch:
        sums = _Sums()
        self.network.module.train()
        for patches, clips, which in batches.shuffled(self.train, self.settings, self.rng):
            if self.watch.stop():
                raise Stopped
            self._step(patches, clips, which, number, sums)
        sizes, *losses = zip(*sums.losses, strict=True)
        emotion_loss, au_loss, loss = (float(np.average(values, weights=sizes)) for values in losses)
        true, predicted = torch.cat(sums.true).numpy(), torch.cat(sums.predicted).numpy()
        uf1 = score(true, predicted, true, resamples=1)["uf1"]
        return Epoch(
            number,
            loss,
            emotion_loss,
            au_loss,
            self._rate(number),
            float(np.mean(sums.accuracies)),
            uf1,
            self._watched(),
        )

    def _step(self, patches: Tensor, clips: Tensor, which: Tensor, epoch: int, sums: _Sums) -> None:
        device = self.network.device
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(epoch)
        target = self.emotions[which].to(device)
        logits, au_logits = self.network.module(patches.to(device), clips.to(device))
        emotion_loss = functional.cross_entropy(logits, target, self.class_weights)
        au_loss = functional.binary_cross_entropy_with_logits(
            au_logits, self.aus[which].to(device), pos_weight=self.au_weights
        )
        loss = emotion_loss + self.settings.au_weight * au_loss
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        right = logits.argmax(1) == target
        sums.losses.append((len(which), emotion_loss.item(), au_loss.item(), loss.item()))
        sums.accuracies.append(right.float().mean().item())
        sums.true.append(target.cpu())
        sums.predicted.append(logits.argmax(1).cpu())

    def _rate(self, epoch: int) -> float:
        return self.settings.learning_rate * rate_factor(self.settings, epoch, self.step, self.steps_per_epoch)

    def _watched(self) -> tuple[int, ...]:
        if self.watch.part is None:
            return ()
        return tuple(self.network.predict(self.watch.part).emotions.argmax(1).tolist())


def rate_factor(settings: TrainSettings, epoch: int, step: int, steps_per_epoch: int) -> float:
    """What the learning rate is multiplied by in step `step` (from 0), which lies in epoch `epoch` (from 0)."""
    if settings.schedule == "late-exponential":
        return settings.gamma ** max(0, epoch - 41)
    total = settings.epochs * steps_per_epoch
    warm = max(1, total // 10)
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, total - warm))) / 2


def class_weights(emotions: NDArray[np.int64], classes: int, settings: TrainSettings) -> Tensor:
    """[C] weights of the emotion loss; their mean over the clips is 1. A class without a clip weighs nothing."""
    counts = np.bincount(emotions, minlength=classes).astype(float)
    if settings.class_weights == "none":
        return torch.ones(classes)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -0.5, 0.0)
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


def au_weights(aus: Tensor, settings: TrainSettings) -> Tensor:
    """[9] weights of positives in the AU loss."""
    if settings.au_positives == "plain":
        return torch.ones(aus.shape[1])
    positives = aus.sum(0)
    return ((len(aus) - positives) / positives.clamp(min=1)).sqrt().clamp(1, 5)


def _groups(module: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight matrices decay; biases, norms and learned patterns, which have nothing to shrink to, do not."""
    matrices = [weight for name, weight in module.named_parameters() if name.endswith("weight") and weight.ndim > 1]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in module.parameters() if id(weight) not in chosen]
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]

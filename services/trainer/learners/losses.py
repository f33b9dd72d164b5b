"""The loss of training: emotion loss plus AU loss, each with weights for classes of unequal size.

Sources: focal loss: Lin et al. 2017 (ICCV, eq. 5). Effective number: Cui et al. 2019 (CVPR, eq. 2). Logit adjustment:
Menon et al. 2021 (ICLR, eq. 10, the loss version).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shared.training.settings import TrainSettings


@dataclass(frozen=True)
class TrainingLosses:
    """The losses of one training part: class weights [C], offsets of the logits [C], weights of AU positives [K].

    all_coded: whether every clip of the part was coded for action units.
    """

    settings: TrainSettings
    class_weights: Tensor
    logit_offsets: Tensor
    au_weights: Tensor
    all_coded: bool

    @classmethod
    def from_labels(
        cls,
        emotions: NDArray[np.int64],
        aus: Tensor,
        au_coded: Tensor,
        classes: int,
        settings: TrainSettings,
        device: str,
    ) -> "TrainingLosses":
        """From the labels of the whole training part: emotions [n] class index, aus [n,K] float, au_coded [n] bool."""
        return cls(
            settings,
            class_weights(emotions, classes, settings).to(device),
            class_logit_offsets(emotions, classes, settings).to(device),
            au_weights(aus[au_coded], settings).to(device),
            bool(au_coded.all()),
        )

    def __call__(
        self, logits: Tensor, au_logits: Tensor | None, emotions: Tensor, aus: Tensor, au_coded: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(emotion loss, AU loss, their weighted sum), scalars, of logits [b,C] and au_logits [b,K].

        emotions [b] are class indices, aus [b,K] float targets. au_coded [b] bool: the AU loss is the mean over these
        clips. It is 0 without one, and without AU logits.
        """
        emotion = self._emotion_loss(logits.float(), emotions)
        if au_logits is None:
            return emotion, torch.zeros_like(emotion), emotion
        au = self._au_loss(au_logits.float(), aus, au_coded)
        return emotion, au, emotion + self.settings.au_weight * au

    def _au_loss(self, logits: Tensor, aus: Tensor, coded: Tensor) -> Tensor:
        if self.all_coded:
            return functional.binary_cross_entropy_with_logits(logits, aus, pos_weight=self.au_weights)
        losses = functional.binary_cross_entropy_with_logits(
            logits, aus, pos_weight=self.au_weights, reduction="none"
        ).mean(1)  # [b]
        # A product with the mask, because the choice of rows would make a GPU's step wait for the device.
        return (losses * coded).sum() / coded.sum().clamp(min=1)

    def _emotion_loss(self, logits: Tensor, emotions: Tensor) -> Tensor:
        if self.settings.logit_adjustment:
            logits = logits + self.logit_offsets
        if self.settings.loss == "focal":
            return focal_loss(logits, emotions, self.class_weights, self.settings.focal_gamma)
        return functional.cross_entropy(logits, emotions, self.class_weights)


def focal_loss(logits: Tensor, emotions: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Scalar mean of -(1 - p)^gamma log p of the true class, for logits [b,C], emotions [b] and class weights [C].

    gamma 0 gives the weighted cross-entropy (Lin et al. 2017, eq. 5).
    """
    log_p = logits.log_softmax(1).gather(1, emotions[:, None]).squeeze(1)  # [b]
    weight = weights[emotions]
    return -(weight * (1 - log_p.exp()) ** gamma * log_p).sum() / weight.sum()


def class_weights(emotions: NDArray[np.int64], classes: int, settings: TrainSettings) -> Tensor:
    """[C] weights of the emotion loss from class indices emotions [n]. Their mean over the clips is 1.

    A class without a clip has weight 0.
    """
    counts = np.bincount(emotions, minlength=classes).astype(float)
    if settings.class_weights == "none":
        return torch.ones(classes)
    weights = np.where(counts > 0, _rarity_weights(np.maximum(counts, 1), settings), 0.0)
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


def _rarity_weights(counts: NDArray[np.float64], settings: TrainSettings) -> NDArray[np.float64]:
    if settings.class_weights == "inverse":
        return 1 / counts
    if settings.class_weights == "effective-number":
        return (1 - settings.effective_beta) / (1 - settings.effective_beta**counts)
    return counts**-0.5


def class_logit_offsets(emotions: NDArray[np.int64], classes: int, settings: TrainSettings) -> Tensor:
    """[C] tau * log(share of the class) from class indices emotions [n]. Only training adds it to the logits.

    A class without a clip counts as one with a single clip, because log 0 is not finite.
    """
    counts = np.maximum(np.bincount(emotions, minlength=classes), 1)
    return torch.tensor(settings.logit_adjustment * np.log(counts / counts.sum()), dtype=torch.float32)


def au_weights(aus: Tensor, settings: TrainSettings) -> Tensor:
    """[K] weights of positives in the AU loss, from targets aus [n,K] of coded clips."""
    if settings.au_positives == "plain":
        return torch.ones(aus.shape[1])
    positives = aus.sum(0)
    return ((len(aus) - positives) / positives.clamp(min=1)).sqrt().clamp(1, 5)

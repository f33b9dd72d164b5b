"""One training step of a network on a batch of b clips."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.trainer.learners.losses import TrainingLosses


@dataclass(frozen=True)
class TrainingStep:
    """Forward pass, losses, gradients and the optimiser's change of the weights.

    emotions [n] class indices, aus [n,K] float targets and au_coded [n] bool: the labels of the training part.
    bf16: compute the forward pass in bfloat16 where that is safe.
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer
    losses: TrainingLosses
    emotions: Tensor
    aus: Tensor
    au_coded: Tensor
    bf16: bool

    def __call__(self, clips: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        """From indices [b] of clips and the network's inputs: losses [3] (emotion, AU, both), accuracy and classes [b].

        A network with an AU head gives predicted AUs [b,K] bool too.
        """
        target = self.emotions[clips]
        with torch.autocast(clips.device.type, torch.bfloat16, self.bf16):
            logits, au_logits = self.module(*inputs)
        losses = self.losses(logits, au_logits, target, self.aus[clips], self.au_coded[clips])
        self.optimiser.zero_grad()
        losses[-1].backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        predicted = logits.argmax(1)
        accuracy = (predicted == target).float().mean()
        aus = () if au_logits is None else (au_logits.detach() >= 0,)
        return torch.stack(losses).detach(), accuracy, predicted, *aus

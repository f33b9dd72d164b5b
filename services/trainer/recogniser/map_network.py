"""The shipped model's network: a small convolutional network on one normalised map."""

import torch
from torch import Tensor, nn

HIDDEN = 64


class MapNetwork(nn.Module):
    """Normalised maps [b,3,28,28] -> logits of classes [b,classes] and of action units [b,units]."""

    def __init__(self, classes: int, units: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.GroupNorm(4, 16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.GroupNorm(4, 32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, padding=1),
            nn.GroupNorm(4, 48),
            nn.ReLU(),
            nn.Conv2d(48, 16, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 7 * 7, HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.4),
        )
        self.classes = nn.Linear(HIDDEN, classes)
        self.units = nn.Linear(HIDDEN, units)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        seen: Tensor = self.features(maps)
        return self.classes(seen), self.units(seen)


def mirrored_maps(maps: Tensor) -> Tensor:
    """Maps [...,3,28,28] of the mirrored face."""
    return torch.cat([-maps.flip(-1)[..., :1, :, :], maps.flip(-1)[..., 1:, :, :]], -3)

"""Input scaling as layers, so that whoever holds the weights holds the scaling too."""

import torch
from torch import Tensor, nn

from services.trainer.models.settings import ModelSettings


class PatchScale(nn.Module):
    """Divide flow patches (px) by one number fitted on the training fold; the number is a buffer of the model."""

    rms: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.fitted = settings.patch_scaling == "training-rms"
        self.register_buffer("rms", torch.ones(()))

    @torch.no_grad()
    def fit(self, patches: Tensor) -> None:
        """Take the RMS of patches of any shape, in px. Without any motion the scale stays 1."""
        rms = patches.double().square().mean().sqrt()
        if self.fitted and rms > 0:
            self.rms.copy_(rms)

    def forward(self, patches: Tensor) -> Tensor:
        return patches / self.rms


class MapScale(nn.Module):
    """Divide maps [...,3,28,28] by numbers fitted on the training fold: (u, v) px by one, strain by another."""

    motion: Tensor
    strain: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.fitted = settings.patch_scaling == "training-rms"
        self.register_buffer("motion", torch.ones(()))
        self.register_buffer("strain", torch.ones(()))

    @torch.no_grad()
    def fit(self, maps: Tensor) -> None:
        """Take the RMS of the maps' motion and strain. What is 0 everywhere is left as it is."""
        for part, scale in ((maps[..., :2, :, :], self.motion), (maps[..., 2, :, :], self.strain)):
            rms = part.double().square().mean().sqrt()
            if self.fitted and rms > 0:
                scale.copy_(rms)

    def forward(self, maps: Tensor) -> Tensor:
        return maps / torch.stack([self.motion, self.motion, self.strain])[:, None, None]


class ClipScale(nn.Module):
    """RGB 0..255 [B,3,T,H,W], bytes or floats, to what the AU branch is trained on (channel order, range)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.flip = settings.clip_channels == "bgr"
        self.symmetric = settings.clip_scaling == "symmetric"

    def forward(self, clip: Tensor) -> Tensor:
        clip = clip.flip(1).float() if self.flip else clip.float()
        return clip / 127.5 - 1 if self.symmetric else clip

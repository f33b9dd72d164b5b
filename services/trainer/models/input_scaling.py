"""Input scaling as layers, so that stored weights include the scaling."""

import torch
from torch import Tensor, nn

from shared.training.model_settings import ModelSettings


class PatchScale(nn.Module):
    """Divides flow patches (px) by one number fitted on the training fold. The number is a buffer of the model."""

    array_name = "patches"  # what the scale is fitted on
    rms: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.fitted = settings.patch_scaling == "training-rms"
        self.register_buffer("rms", torch.ones(()))

    @torch.no_grad()
    def fit(self, patches: Tensor) -> None:
        """Set the scale to the RMS of patches [...], in px. Without any motion it stays 1."""
        rms = patches.double().square().mean().sqrt()
        if self.fitted and rms > 0:
            self.rms.copy_(rms)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches [...] px -> [...] without a unit."""
        return patches / self.rms


class FlowMapScale(PatchScale):
    """The same for maps of single flows, with the setting of maps. `per-clip` would lose how the motion proceeds."""

    array_name = "flow_maps"

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.fitted = settings.map_scaling != "none"


class MapScale(nn.Module):
    """Divides maps by numbers fitted on the training fold: (u, v) by one, strain by another.

    Only `training-rms` fits them. Maps arrive as `services.trainer.learners.map_input` prepares them.
    """

    array_name = "maps"
    motion: Tensor
    strain: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.fitted = settings.map_scaling == "training-rms"
        self.register_buffer("motion", torch.ones(()))
        self.register_buffer("strain", torch.ones(()))

    @torch.no_grad()
    def fit(self, maps: Tensor) -> None:
        """Set the scales to the RMS of motion and strain of maps [...,3,28,28]. Zeros keep the scale 1."""
        for part, scale in ((maps[..., :2, :, :], self.motion), (maps[..., 2, :, :], self.strain)):
            rms = part.double().square().mean().sqrt()
            if self.fitted and rms > 0:
                scale.copy_(rms)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [...,3,28,28] (u, v in px, strain) -> [...,3,28,28] without a unit."""
        return maps / torch.stack([self.motion, self.motion, self.strain])[:, None, None]


class ClipScale(nn.Module):
    """Brings clips to the channel order and the range of values that the AU branch is trained on."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.flip = settings.clip_channels == "bgr"
        self.symmetric = settings.clip_scaling == "symmetric"

    def forward(self, clip: Tensor) -> Tensor:
        """RGB 0..255 [B,3,T,H,W], bytes or floats -> float32 [B,3,T,H,W]."""
        clip = clip.flip(1).float() if self.flip else clip.float()
        return clip / 127.5 - 1 if self.symmetric else clip

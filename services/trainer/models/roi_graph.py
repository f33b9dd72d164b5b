"""Graph learning: from flow patches around 30 points of the face to one vector for the brows and one for the mouth."""

import torch
from torch import Tensor, nn

from services.trainer.data.arrays import BROW_ROI_COUNT, FLOW_COUNT, PATCH_SIDE, ROI_COUNT
from services.trainer.models.transformer import build_encoder
from shared.training.model_settings import ModelSettings

REGION_WIDTH = 160  # width of the vector per facial region


class PairConv(nn.Module):
    """Mixes u and v of each ROI, with the same weights for all nine flow fields."""

    def __init__(self, each: bool) -> None:
        super().__init__()
        self.each = each
        self.conv = nn.Conv3d(ROI_COUNT, ROI_COUNT, (2, 3, 3), padding=(0, 1, 1), groups=ROI_COUNT)
        self.norm = nn.BatchNorm3d(ROI_COUNT)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches [B,9,2,30,7,7] -> [B,30,9,7,7]."""
        batch, pairs = patches.shape[:2]
        x = self.conv(patches.transpose(2, 3).flatten(0, 1))  # [B*9,30,1,7,7]
        x = x.reshape(batch, pairs, ROI_COUNT, PATCH_SIDE, PATCH_SIDE).transpose(1, 2)  # [B,30,9,7,7]
        return self._normalise_pairs(x).relu()

    def _normalise_pairs(self, x: Tensor) -> Tensor:
        if self.each and self.training:  # statistics of one flow field at a time, nine updates per forward
            return torch.cat([self.norm(x[:, :, [pair]]) for pair in range(FLOW_COUNT)], dim=2)
        return self.norm(x)


class TimeConv(nn.Module):
    """Mixes the nine flow fields of each ROI into one token of 49 values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(ROI_COUNT, ROI_COUNT, (FLOW_COUNT, 3, 3), padding=(0, 1, 1), groups=ROI_COUNT)
        self.norm = nn.BatchNorm3d(ROI_COUNT)

    def forward(self, x: Tensor) -> Tensor:
        """[B,30,9,7,7] -> tokens [B,30,49]."""
        return self.norm(self.conv(x)).relu().flatten(2)


def build_region_head(tokens: int) -> nn.Sequential:
    """[B,tokens,49] -> [B,160]."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(tokens * PATCH_SIDE**2, 2 * REGION_WIDTH),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(2 * REGION_WIDTH, REGION_WIDTH),
        nn.ReLU(),
    )


class RoiGraph(nn.Module):
    """Two fully connected graphs, one of the brows' tokens and one of the mouth's, each with six encoder layers."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.pair_conv = PairConv(each=settings.step_norm == "each")
        self.time_conv = TimeConv()
        layers = 6 if settings.graph else 0
        self.brow_encoder = build_encoder(layers, PATCH_SIDE**2, 128)
        self.mouth_encoder = build_encoder(layers, PATCH_SIDE**2, 128)
        self.brow_head = build_region_head(BROW_ROI_COUNT)
        self.mouth_head = build_region_head(ROI_COUNT - BROW_ROI_COUNT)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Patches [B,9,2,30,7,7] -> brows [B,160], mouth [B,160]."""
        tokens = self.time_conv(self.pair_conv(patches))  # [B,30,49]
        eyebrow = self.brow_head(self.brow_encoder(tokens[:, :BROW_ROI_COUNT]))
        mouth = self.mouth_head(self.mouth_encoder(tokens[:, BROW_ROI_COUNT:]))
        return eyebrow, mouth

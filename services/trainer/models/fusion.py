"""Fusion: the agreement of each region's vector with the vectors of its AUs decides the emotion."""

import torch
from torch import Tensor, nn

from services.trainer.data.annotations import AU_COUNT, BROW_AU_COUNT
from services.trainer.models.settings import ModelSettings


class Fusion(nn.Module):
    """Dot products of region and AU vectors -> LayerNorm(9) -> Linear; plus the direct path if it is on."""

    def __init__(self, settings: ModelSettings, classes: int, width: int) -> None:
        super().__init__()
        if settings.au_branch:
            self.norm = nn.LayerNorm(AU_COUNT, eps=1e-6)
            self.classify = nn.Linear(AU_COUNT, classes)
        self.direct = nn.Linear(2 * width, classes, bias=False) if settings.direct_path else None

    def forward(self, eyebrow: Tensor, mouth: Tensor, aus: Tensor | None) -> Tensor:
        """Eyebrow [B,d], mouth [B,d], AUs [B,9,d] (None without an AU branch) -> emotion logits [B,C]."""
        logits = torch.zeros((), device=mouth.device) if aus is None else self._match_regions(eyebrow, mouth, aus)
        return logits if self.direct is None else logits + self.direct(torch.cat([eyebrow, mouth], 1))

    def _match_regions(self, eyebrow: Tensor, mouth: Tensor, aus: Tensor) -> Tensor:
        brow_match = torch.einsum("bd,bad->ba", eyebrow, aus[:, :BROW_AU_COUNT])  # [B,3]
        mouth_match = torch.einsum("bd,bad->ba", mouth, aus[:, BROW_AU_COUNT:])  # [B,6]
        logits: Tensor = self.classify(self.norm(torch.cat([brow_match, mouth_match], 1)))
        return logits

"""Fusion: the agreement of each region's vector with the vectors of its AUs decides the emotion."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from shared.training.annotations import PAPER_UNITS, count_units_by_region
from shared.training.model_settings import ModelSettings


class Fusion(nn.Module):
    """Dot products of region and AU vectors -> LayerNorm(K) -> Linear; plus the direct path if it is on.

    `units`: the K units, as `order_units` orders them.
    """

    def __init__(self, settings: ModelSettings, classes: int, width: int, units: Sequence[int] = PAPER_UNITS) -> None:
        super().__init__()
        self.unit_counts = count_units_by_region(units)
        if settings.au_branch:
            self.norm = nn.LayerNorm(len(units), eps=1e-6)
            self.classify = nn.Linear(len(units), classes)
        self.direct = nn.Linear(2 * width, classes, bias=False) if settings.direct_path else None

    def forward(self, eyebrow: Tensor, mouth: Tensor, aus: Tensor | None) -> Tensor:
        """Eyebrow [B,d], mouth [B,d], AUs [B,K,d] (None without an AU branch) -> emotion logits [B,C]."""
        logits = torch.zeros((), device=mouth.device) if aus is None else self._match_regions(eyebrow, mouth, aus)
        return logits if self.direct is None else logits + self.direct(torch.cat([eyebrow, mouth], 1))

    def _match_regions(self, eyebrow: Tensor, mouth: Tensor, aus: Tensor) -> Tensor:
        """A unit between brows and mouth has no region of its own: the sum of both regions' vectors stands for it."""
        brows, middle, mouths = aus.split(self.unit_counts, 1)
        matches = [torch.einsum("bd,bad->ba", eyebrow, brows), torch.einsum("bd,bad->ba", mouth, mouths)]
        if middle.shape[1]:
            matches.insert(1, torch.einsum("bd,bad->ba", eyebrow + mouth, middle))
        logits: Tensor = self.classify(self.norm(torch.cat(matches, 1)))
        return logits

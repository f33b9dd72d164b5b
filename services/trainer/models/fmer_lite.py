"""FMER-lite: the idea of FMER at a hundredth of its cost, so that two cores train a whole leave-one-subject-out run.

It keeps a token per ROI, an AU branch, the AU graph and the fusion by dot products. Three things differ:

- A patch is described by its mean flow and the slopes over rows and columns (affine motion model, Black & Yacoob 1997).
  Training changes these patterns from there.
- A region's tokens meet in one linear layer. Attention between them gained nothing (docs/explanation/results.md).
- The AU branch reads the same tokens and the motion of the whole face. It replaces 25 million parameters on raw frames.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from services.trainer.data.arrays import BROW_ROI_COUNT, FLOW_COUNT, PATCH_SIDE, ROI_COUNT
from services.trainer.models.au_graph import AuGraph
from services.trainer.models.fusion import Fusion
from services.trainer.models.head_motion import ROI_PLACES, HeadMotion
from services.trainer.models.input_scaling import MapScale, PatchScale
from shared.training.annotations import PAPER_UNITS, count_units_by_region
from shared.training.model_settings import ModelSettings

TIME_PATTERNS, SPACE_PATTERNS = 4, 3  # temporal and spatial patterns per ROI
TOKEN_WIDTH = 2 * TIME_PATTERNS * SPACE_PATTERNS  # u and v
LITE_REGION_WIDTH = 48  # width of the vector per facial region
FACE_WIDTH = 32  # width of the vector for the whole face


class RoiTokens(nn.Module):
    """Each ROI's motion as amplitudes of learned separable patterns."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.head_motion = HeadMotion(ROI_PLACES) if settings.roi_head == "least-squares" else None
        self.courses = nn.Parameter(cosine_basis(TIME_PATTERNS, FLOW_COUNT))  # [4,9]
        self.shapes = nn.Parameter(affine_basis(PATCH_SIDE))  # [3,49]

    def forward(self, patches: Tensor) -> Tensor:
        """Patches [B,9,2,30,7,7] -> tokens [B,30,24]."""
        patches = patches.flatten(-2)  # [B,9,2,30,49]
        if self.head_motion is not None:
            patches = patches - self.head_motion(patches.mean(-1)).unsqueeze(-1)
        moments = patches @ self.shapes.T  # [B,9,2,30,3]
        if self.head_motion is not None:  # a head that turns or scales also turns or scales each patch
            moments = moments - moments.mean(3, keepdim=True)
        tokens = torch.einsum("btcrs,kt->brkcs", moments, self.courses)
        return tokens.flatten(2)


class WholeFace(nn.Module):
    """The face's motion relative to the head's, from onset to apex. It includes cheeks and nose, which have no ROI."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.map_scale = MapScale(settings)
        self.convs = nn.Sequential(
            *(nn.Conv2d(3, 16, 5, 1, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2)),
            *(nn.Conv2d(16, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.out = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(32 * 49, FACE_WIDTH), nn.ReLU(), nn.Dropout(0.3)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B,3,28,28] (u, v in px, strain) -> [B,32]."""
        return self.out(self.convs(self.map_scale(maps)))  # 28 -> 14 -> 7 rows and columns


class FmerLite(nn.Module):
    """The small network. Without an AU branch its AU logits are None.

    `units`: the K units that it predicts, as `order_units` orders them. Units of the brows are read from the brows'
    vector, units of the mouth from the mouth's. Those between have no ROI and are read from both.
    """

    def __init__(self, classes: int, settings: ModelSettings, units: Sequence[int] = PAPER_UNITS) -> None:
        super().__init__()
        self.unit_counts = count_units_by_region(units)
        self.patch_scale = PatchScale(settings)
        self.tokens = RoiTokens(settings)
        self.brow_head = build_lite_region_head(BROW_ROI_COUNT)
        self.mouth_head = build_lite_region_head(ROI_COUNT - BROW_ROI_COUNT)
        self.whole_face = WholeFace(settings) if settings.whole_face else None
        self.direct = (
            nn.Linear(FACE_WIDTH, classes, bias=False) if settings.whole_face and settings.direct_path else None
        )
        if settings.au_branch:
            face = FACE_WIDTH if settings.whole_face else 0
            brows, middle, mouth = self.unit_counts
            self.au_head = nn.ModuleList(build_unit_head(LITE_REGION_WIDTH + face, count) for count in (brows, mouth))
            self.middle_head = nn.Linear(2 * LITE_REGION_WIDTH + face, middle) if middle else None
            self.au_graph = AuGraph(settings, 1, (16, LITE_REGION_WIDTH), len(units))
        self.fusion = Fusion(settings, classes, LITE_REGION_WIDTH, units)
        self.au_branch = settings.au_branch
        self.detached = settings.emotion_to_au == "detached"

    def forward(self, patches: Tensor, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        """Patches [B,9,2,30,7,7] px, maps [B,3,28,28] (u, v in px, strain) -> emotion logits [B,C], AU logits [B,K]."""
        tokens = self.tokens(self.patch_scale(patches))  # [B,30,24]
        eyebrow = self.brow_head(tokens[:, :BROW_ROI_COUNT])  # [B,48]
        mouth = self.mouth_head(tokens[:, BROW_ROI_COUNT:])  # [B,48]
        seen = [] if self.whole_face is None else [self.whole_face(maps)]  # [B,32]
        au_logits = self._predict_aus(eyebrow, mouth, seen) if self.au_branch else None
        emotions = self.fusion(eyebrow, mouth, None if au_logits is None else self._au_vectors(au_logits))
        return emotions if self.direct is None else emotions + self.direct(seen[0]), au_logits

    def _predict_aus(self, eyebrow: Tensor, mouth: Tensor, seen: list[Tensor]) -> Tensor:  # -> [B,K]
        regions = zip(self.au_head, (eyebrow, mouth), strict=True)
        logits = [score(torch.cat([region, *seen], 1)) for score, region in regions]
        if self.middle_head is not None:
            logits.insert(1, self.middle_head(torch.cat([eyebrow, mouth, *seen], 1)))
        return torch.cat(logits, 1)

    def _au_vectors(self, au_logits: Tensor) -> Tensor:  # [B,K] -> [B,K,48]
        vectors: Tensor = self.au_graph(au_logits.detach() if self.detached else au_logits)
        return vectors


def build_lite_region_head(tokens: int) -> nn.Sequential:
    """[B,tokens,24] -> [B,48]."""
    return nn.Sequential(
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(tokens * TOKEN_WIDTH, LITE_REGION_WIDTH), nn.ReLU(), nn.Dropout(0.3)
    )


class NoUnits(nn.Module):
    """The head of a region of which no unit is predicted. torch warns of a linear layer without outputs."""

    def forward(self, region: Tensor) -> Tensor:
        """[B,width] -> [B,0]."""
        return region[:, :0]


def build_unit_head(width: int, units: int) -> nn.Module:
    """[B,width] -> [B,units]."""
    return nn.Linear(width, units) if units else NoUnits()


def cosine_basis(count: int, length: int) -> Tensor:
    """The first orthonormal DCT-II vectors [count,length]: the start values of the temporal patterns."""
    k, t = torch.arange(count)[:, None], torch.arange(length)
    basis = torch.cos(math.pi * k * (t + 0.5) / length)
    return basis / basis.norm(dim=1, keepdim=True)


def affine_basis(side: int) -> Tensor:
    """Mean, slope over columns, slope over rows of a patch [3,side*side]: the start values of the spatial patterns."""
    line = torch.linspace(-1, 1, side)
    ones = torch.ones(side, side)
    basis = torch.stack([ones, ones * line, ones * line[:, None]]).flatten(1)
    return basis / basis.norm(dim=1, keepdim=True)

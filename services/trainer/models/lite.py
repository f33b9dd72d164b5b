"""FMER-lite: the idea of FMER at a hundredth of its cost, so that two cores train a whole leave-one-subject-out run.

Kept: ROI flow patches as tokens of a graph, an AU branch beside them, AU graph, fusion by dot products. Different: a
patch is described by its mean flow and how that changes over rows and columns (an affine motion model, Black & Yacoob
1997, learned on from there); brows and mouth see each other; the AU branch reads the same tokens and a small picture
of what changed in the clip, in place of 25 million parameters on raw frames.
"""

import math

import torch
from torch import Tensor, nn

from services.trainer.models.au_graph import AUS, AuGraph
from services.trainer.models.encoder import EncoderLayer
from services.trainer.models.fusion import BROW_AUS, Fusion
from services.trainer.models.graph import BROWS, PAIRS, ROIS, SIDE
from services.trainer.models.inputs import PatchScale
from services.trainer.models.settings import ModelSettings

COURSES, SHAPES = 4, 3  # temporal and spatial patterns per ROI
TOKEN = 2 * COURSES * SHAPES  # u and v
WIDTH = 48  # of the vector per facial region
GLIMPSE = 16  # numbers that the clip adds to the AU head
FRAMES = [0, 4, 7, 10, 13]  # of the 16; the first is the onset
LEVELS = 8  # grey levels that count as 1: a micro-expression changes a pixel by no more


class RoiTokens(nn.Module):
    """Each ROI's motion, relative to that of all ROIs (the head's), as amplitudes of learned separable patterns."""

    def __init__(self) -> None:
        super().__init__()
        self.courses = nn.Parameter(cosines(COURSES, PAIRS))  # [4,9]
        self.shapes = nn.Parameter(affine(SIDE))  # [3,49]
        self.position = nn.Parameter(torch.zeros(ROIS, TOKEN))

    def forward(self, patches: Tensor) -> Tensor:  # [B,9,2,30,7,7] -> [B,30,24]
        moments = patches.flatten(-2) @ self.shapes.T  # [B,9,2,30,3]
        moments = moments - moments.mean(3, keepdim=True)
        tokens = torch.einsum("btcrs,kt->brkcs", moments, self.courses)
        return tokens.flatten(2) + self.position


class Glimpse(nn.Module):
    """How brightness has changed since the onset, at a quarter of the size: the strongest response over a few frames,
    so that it matters little where on the clip's time axis the apex lies."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width in ((1, 8), (8, 16), (16, 16)):  # 36 -> 18 -> 9 -> 5 rows and columns
            layers += [nn.Conv2d(width_in, width, 3, 2, 1), nn.ReLU()]
        self.convs = nn.Sequential(*layers)
        self.out = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16 * 25, GLIMPSE), nn.ReLU())

    def forward(self, clip: Tensor) -> Tensor:  # [B,3,16,144,144] -> [B,16]
        green = clip[:, 1, FRAMES].float()  # [B,5,144,144]; carries most of the brightness at a third of the work
        small = nn.functional.avg_pool2d(green, 4) / LEVELS
        change = small[:, 1:] - small[:, :1]  # [B,4,36,36]
        seen = self.convs(change.flatten(0, 1).unsqueeze(1))  # [B*4,16,5,5]
        return self.out(seen.unflatten(0, change.shape[:2]).amax(1))


class FmerLite(nn.Module):
    """(patches [B,9,2,30,7,7] px, clip [B,3,16,144,144] RGB 0..255) -> (emotion logits [B,C], AU logits [B,9])."""

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.patch_scale = PatchScale(settings)
        self.tokens = RoiTokens()
        self.encoder = EncoderLayer(TOKEN, 2 * TOKEN) if settings.graph else nn.Identity()
        self.brow_head = head(BROWS)
        self.mouth_head = head(ROIS - BROWS)
        if settings.au_branch:
            self.glimpse = Glimpse()
            self.au_head = nn.ModuleList([nn.Linear(WIDTH + GLIMPSE, aus) for aus in (BROW_AUS, AUS - BROW_AUS)])
            self.au_graph = AuGraph(settings, layers=1, widths=(16, WIDTH))
        self.fusion = Fusion(settings, classes, WIDTH)
        self.au_branch = settings.au_branch
        self.detached = settings.emotion_to_au == "detached"

    def forward(self, patches: Tensor, clip: Tensor) -> tuple[Tensor, Tensor | None]:
        tokens = self.encoder(self.tokens(self.patch_scale(patches)))  # [B,30,24]
        eyebrow, mouth = self.brow_head(tokens[:, :BROWS]), self.mouth_head(tokens[:, BROWS:])  # [B,48] each
        if not self.au_branch:
            return self.fusion(eyebrow, mouth, None), None
        seen = self.glimpse(clip)
        regions = zip(self.au_head, (eyebrow, mouth), strict=True)
        au_logits = torch.cat([score(torch.cat([region, seen], 1)) for score, region in regions], 1)  # [B,9]
        aus = self.au_graph(au_logits.detach() if self.detached else au_logits)  # [B,9,48]
        return self.fusion(eyebrow, mouth, aus), au_logits


def head(tokens: int) -> nn.Sequential:
    """[B,tokens,24] -> [B,48]."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(tokens * TOKEN, WIDTH), nn.ReLU(), nn.Dropout(0.3))


def cosines(count: int, length: int) -> Tensor:
    """The first orthonormal DCT-II vectors [count, length]: where the temporal patterns start."""
    k, t = torch.arange(count)[:, None], torch.arange(length)
    basis = torch.cos(math.pi * k * (t + 0.5) / length)
    return basis / basis.norm(dim=1, keepdim=True)


def affine(side: int) -> Tensor:
    """Mean, slope over columns, slope over rows of a patch [3, side*side]: where the spatial patterns start."""
    line = torch.linspace(-1, 1, side)
    ones = torch.ones(side, side)
    basis = torch.stack([ones, ones * line, ones * line[:, None]]).flatten(1)
    return basis / basis.norm(dim=1, keepdim=True)

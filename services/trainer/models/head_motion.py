"""The motion of the head, fitted to the motion of a face. Networks subtract it.

A fit takes part of an expression too: `benchmarks/head_leak.py` measures how much. Terms of second order, for a head
that turns, look like a wide smile on a map. The magnifier fits them to whole frames.
"""

import torch
from torch import Tensor, nn

from services.trainer.data.arrays import MAP_SIDE
from shared.training.model_settings import ModelSettings

# Positions of the 30 ROIs on a frontal face: (x, y) from their mean, in hundredths of the brows' width. They are the
# landmarks of eight drawn persons (merstream/synth), averaged over persons and over both sides.
BROW_PLACES = [
    *((-50, -46), (-44, -51), (-34, -53), (-23, -51), (-14, -48)),
    *((14, -48), (23, -51), (34, -53), (44, -51), (50, -46)),
]
OUTER_LIP_PLACES = [
    *((-25, 24), (-12, 18), (-5, 16), (0, 17), (5, 16), (12, 18), (25, 24)),
    *((15, 32), (8, 35), (0, 35), (-8, 35), (-15, 32)),
]
INNER_LIP_PLACES = [(-24, 25), (-8, 24), (0, 25), (8, 24), (24, 25), (8, 24), (0, 25), (-8, 24)]
ROI_PLACES = torch.tensor(BROW_PLACES + OUTER_LIP_PLACES + INNER_LIP_PLACES)

# The face on a map, as an ellipse of cells: roi-au puts the eyes at (8.5, 9) and (19.5, 9), the mouth at (14, 20.5).
FACE_CENTRE, FACE_RADII = (13.5, 14.5), (10.0, 13.0)
# Tukey's biweight: cells whose residual is above the scale take no part. The scale follows the cells that fit best, as
# an expression may fill half of a face. `benchmarks/head_leak.py` measures what both numbers keep.
SCALE_QUANTILE, SCALE_PER_QUANTILE = 0.3, 3.0
FIT_ROUNDS = 10
SMALLEST_SCALE = 1e-3  # of the motion's RMS; a face at rest has residuals of 0


class HeadMotion(nn.Module):
    """The similarity motion (shift, rotation, scale) nearest to a motion at n places, by least squares."""

    basis: Tensor

    def __init__(self, places: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", similarity_basis(places), persistent=False)

    def forward(self, motion: Tensor) -> Tensor:
        """Motion (u, v) [...,2,n] -> similarity motion [...,2,n], both in the same unit."""
        return (motion.flatten(-2) @ self.basis @ self.basis.T).view_as(motion)


class RobustHeadMotion(nn.Module):
    """The similarity motion of the head on a map: a fit that cells with an expression do not pull.

    Iteratively reweighted least squares with Tukey's biweight (Beaton & Tukey 1974), a fixed number of rounds from the
    median motion on. Only cells of the face take part; the motion is given for all cells.
    """

    basis: Tensor
    products: Tensor
    face: Tensor

    def __init__(self) -> None:
        super().__init__()
        places = map_cell_positions(MAP_SIDE)
        basis = similarity_basis(places)  # [2n,4]
        each = basis.view(2, len(places), -1)
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("products", torch.einsum("cni,cnj->nij", each, each).flatten(1), persistent=False)
        self.register_buffer("face", face_cells(places).nonzero().flatten(), persistent=False)  # indices of cells

    @torch.no_grad()
    def forward(self, motion: Tensor) -> Tensor:
        """Motion (u, v) [b,2,784] -> head motion [b,2,784], both in the same unit."""
        seen = motion.float()[..., self.face]  # [b,2,f]
        basis = self.basis.view(2, -1, self.basis.shape[1])[:, self.face].flatten(0, 1)
        products = self.products[self.face]
        smallest = SMALLEST_SCALE * seen.square().mean((1, 2), keepdim=True).sqrt().squeeze(2)
        smallest = smallest + torch.finfo(torch.float32).tiny
        left = seen - median_of_cells(seen)
        for _ in range(FIT_ROUNDS):
            amplitudes = fit_amplitudes(seen, tukey_weights(left.norm(dim=1), smallest), basis, products)
            left = seen - (amplitudes @ basis.T).view_as(seen)
        return (amplitudes @ self.basis.T).view_as(motion)


def build_map_head_fit(settings: ModelSettings) -> nn.Module | None:
    """The fit that `settings.map_head` names, of motion [b,2,784]; None if the head stays."""
    if settings.map_head == "none":
        return None
    if settings.map_head == "least-squares":
        return HeadMotion(map_cell_positions(MAP_SIDE))
    return RobustHeadMotion()


def median_of_cells(values: Tensor) -> Tensor:
    """Values [...,n] -> their median [...,1]: of two middle values the mean, so that -x has the negative median."""
    ordered, middle = values.sort(-1).values, values.shape[-1] // 2
    return (ordered[..., middle, None] + ordered[..., -1 - middle, None]) / 2


def tukey_weights(residuals: Tensor, smallest: Tensor) -> Tensor:
    """Lengths of residuals [b,f] -> weights [b,f], 0 above the scale. `smallest` [b,1] bounds the scale from below."""
    rank = int(SCALE_QUANTILE * residuals.shape[1])
    scale = SCALE_PER_QUANTILE * torch.maximum(residuals.sort(1).values[:, rank, None], smallest)
    return (1 - (residuals / scale).square()).clamp(min=0).square()


def fit_amplitudes(motion: Tensor, weights: Tensor, basis: Tensor, products: Tensor) -> Tensor:
    """Weighted least squares of motion [b,2,f] by basis [2f,k]: amplitudes [b,k]. products [f,k*k]: those of its rows,
    summed over u and v; weights [b,f]."""
    normal = (weights @ products).view(-1, basis.shape[1], basis.shape[1])
    return torch.linalg.solve(normal, (motion * weights.unsqueeze(1)).flatten(1) @ basis)


def similarity_basis(places: Tensor) -> Tensor:
    """Places (x, y) [n,2] -> [2n,4]: orthonormal basis of a plane's flows (u, v) under shift, rotation and scale."""
    x, y = (places.double() - places.double().mean(0)).T
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    flows = [(one, zero), (zero, one), (-y, x), (x, y)]
    basis = torch.stack([torch.cat(flow) for flow in flows], 1)
    return (basis / basis.norm(dim=0)).float()  # already orthogonal, because x and y are centred


def face_cells(places: Tensor) -> Tensor:
    """Positions (x, y) [n,2] of a map's cells -> [n] whether a cell lies in the ellipse of the face."""
    share = (places.double() - torch.tensor(FACE_CENTRE)) / torch.tensor(FACE_RADII)
    return share.square().sum(1) <= 1


def map_cell_positions(side: int) -> Tensor:
    """(x, y) [side*side,2] of the cells of a map."""
    y, x = torch.meshgrid(*[torch.arange(side)] * 2, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)

"""The rigid motion of the head, fitted to the motion of a face. Networks subtract it."""

import torch
from torch import Tensor, nn

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


class HeadMotion(nn.Module):
    """The similarity motion (shift, rotation, scale) nearest to a motion at n places, by least squares."""

    basis: Tensor

    def __init__(self, places: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", similarity_basis(places), persistent=False)

    def forward(self, motion: Tensor) -> Tensor:
        """Motion (u, v) [...,2,n] -> similarity motion [...,2,n], both in the same unit."""
        return (motion.flatten(-2) @ self.basis @ self.basis.T).view_as(motion)


def similarity_basis(places: Tensor) -> Tensor:
    """Places (x, y) [n,2] -> [2n,4]: orthonormal basis of a plane's flows (u, v) under shift, rotation and scale."""
    x, y = (places.double() - places.double().mean(0)).T
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    flows = [(one, zero), (zero, one), (-y, x), (x, y)]
    basis = torch.stack([torch.cat(flow) for flow in flows], 1)
    return (basis / basis.norm(dim=0)).float()  # already orthogonal, because x and y are centred


def map_cell_positions(side: int) -> Tensor:
    """(x, y) [side*side,2] of the cells of a map."""
    y, x = torch.meshgrid(*[torch.arange(side)] * 2, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)

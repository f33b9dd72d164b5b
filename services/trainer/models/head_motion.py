"""What a head does as a whole, fitted to the motion of a face and taken out of it."""

import torch
from torch import Tensor, nn

# Where the 30 ROIs lie on a face that looks straight ahead, (x, y) in hundredths of the brows' width from their mean:
# landmarks of eight drawn persons (merstream/synth), averaged over them and over both sides.
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
    """Motion (u, v) [...,2,n] at n places -> the similarity motion (moved, turned, scaled) nearest to it by least
    squares, [...,2,n]."""

    basis: Tensor

    def __init__(self, places: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", similarity_basis(places), persistent=False)

    def forward(self, motion: Tensor) -> Tensor:
        return (motion.flatten(-2) @ self.basis @ self.basis.T).view_as(motion)


def similarity_basis(places: Tensor) -> Tensor:
    """[2n,4]: an orthonormal basis of the flows (u, v) of a plane that is moved, turned and scaled, at places [n,2]."""
    x, y = (places.double() - places.double().mean(0)).T
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    flows = [(one, zero), (zero, one), (-y, x), (x, y)]
    basis = torch.stack([torch.cat(flow) for flow in flows], 1)
    return (basis / basis.norm(dim=0)).float()  # orthogonal as they are: x and y are centred


def map_cell_positions(side: int) -> Tensor:
    """(x, y) [side*side,2] of the cells of a map."""
    y, x = torch.meshgrid(*[torch.arange(side)] * 2, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)

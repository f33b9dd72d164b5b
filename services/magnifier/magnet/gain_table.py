"""Motion out per motion in, on a face that the training never sees (skimage's astronaut, public domain)."""

import numpy as np
import torch
from torch import Tensor

from services.magnifier.magnet.generator import read_tiles
from services.magnifier.magnet.losses import to_signed
from services.magnifier.magnet.network import MagNet
from services.magnifier.magnet.pictures import blur_pictures

SIDE = 192  # px
AMPLITUDES = (0.3, 1.0, 2.0)  # px
FLOW_BLUR = 1.4  # px, standard deviation, about that of the flow's 5 x 5 window
FACTOR = 3.0  # asks for 4 times the motion


def measure_gains(net: MagNet, device: torch.device, factor: float = FACTOR) -> dict[str, tuple[float, float]]:
    """Per amplitude in px: the gain of a raised brow at this factor, and the RMS of the grey levels left over.

    The gain is that of the moved still picture which is nearest to the magnified one.
    """
    face, field = load_face(device), brow_field(device)
    table = {}
    for amplitude in AMPLITUDES:
        still, moved = (move_face(face, field * length).round() for length in (0.0, amplitude))
        shown = magnify_pair(net, still, moved, factor)
        table[f"{amplitude} px"] = fit_gain(face, field, shown, amplitude, factor)
    return table


@torch.inference_mode()
def magnify_pair(net: MagNet, still: Tensor, moved: Tensor, factor: float) -> Tensor:
    """Grey levels [1,3,H,W] twice -> the second frame + the difference of two decodes, [1,3,H,W]."""
    _, reference = net.encoder(to_signed(still))
    texture, shape = net.encoder(to_signed(moved))
    change = factor * net.manipulator(reference, shape)
    difference: Tensor = net.decoder(texture, shape + change) - net.decoder(texture, shape)
    return moved + 127.5 * difference


def fit_gain(face: Tensor, field: Tensor, shown: Tensor, amplitude: float, factor: float) -> tuple[float, float]:
    """(gain, RMS) of the amplitude in px that explains the picture [1,3,H,W] best, seen through the flow's blur."""
    mask, seen = field.norm(dim=-1)[:, None] > 0.25, blur_pictures(shown, FLOW_BLUR)
    lengths = torch.linspace(0, 1.6 * amplitude * (1 + factor), 33)
    errors = [
        float(((blur_pictures(move_face(face, field * length), FLOW_BLUR) - seen) ** 2 * mask).sum())
        for length in lengths
    ]
    best = int(np.clip(np.argmin(errors), 1, len(errors) - 2))
    left, middle, right = errors[best - 1 : best + 2]
    step = (left - right) / (2 * (left - 2 * middle + right) + 1e-9)  # the vertex of the parabola
    length = float(lengths[best] + step * (lengths[1] - lengths[0]))
    return length / amplitude, float(np.sqrt(middle / (3 * float(mask.sum()))))


def load_face(device: torch.device) -> Tensor:
    """The face [1,3,SIDE,SIDE], grey levels."""
    import skimage.data  # only the training needs it

    face = skimage.data.astronaut()[30 : 30 + SIDE, 128 : 128 + SIDE]
    return torch.tensor(face, dtype=torch.float32, device=device).permute(2, 0, 1)[None]


def brow_field(device: torch.device) -> Tensor:
    """Displacement [1,SIDE,SIDE,2] of a raised brow, px per px of amplitude, spread over a tenth of the face."""
    steps = torch.arange(SIDE, dtype=torch.float32, device=device) / SIDE
    height = torch.exp(-((steps - 0.42) ** 2 + (steps[:, None] - 0.35) ** 2) / (2 * 0.1**2))
    return torch.stack((torch.zeros_like(height), height), -1)[None]


def move_face(face: Tensor, field: Tensor) -> Tensor:
    """The face [1,3,S,S] read at each pixel + the displacement [1,S,S,2] px."""
    middle = (face.shape[-1] - 1) / 2
    placement = torch.tensor([[[1.0, 0.0, middle], [0.0, 1.0, middle]]], device=face.device)
    return read_tiles(face, placement, field)

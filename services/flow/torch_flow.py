"""The flow on tensors, on a GPU or a CPU: all pairs go through every step side by side, as many as memory holds.

Peak memory is `BYTES` per pixel of a pair (measured, tests/unit/flow/test_torch_flow.py): 90 pairs of 224 x 280, a clip
of ten factors, take 1.4 GB. See `services.flow.torch_multigrid` for
why neither the batch nor, on devices that round as IEEE 754 says, the device changes a bit.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.flow import pyramid, torch_linearise, torch_multigrid
from services.flow.settings import FlowSettings
from services.flow.torch_resample import filtered, resized

# Conjugate gradients per system: while the energy is partly quadratic, and for the last GNC stage. No system stops by
# itself, so nothing is read back. Measured at 224 x 280 on a large motion, from a converged solution: 5e-5 px on
# average and 0.02 px at most by `corrected`, 7e-5 and 0.06 px by `paper`. 4 and 6 give a third of it.
EARLY, LAST = 3, 5
BYTES = 256  # per pixel of a pair, at the peak
SHARE = 0.8  # of a GPU's free memory
PIXELS = 2**17  # pairs x rows x columns in one piece on a CPU, where more only leaves the cache


def flow(first: NDArray[Any], second: NDArray[Any], settings: FlowSettings, device: str = "cpu") -> NDArray[np.float32]:
    """N x H x W pairs -> float32 N x 2 x H x W, computed on a device.

    Out of memory halves the piece and goes on; raises torch.OutOfMemoryError where one pair is too much.
    """
    where = torch.device(device)
    flows = np.empty((len(first), 2, *first.shape[1:]), np.float32)
    size, start = pieces(where, first[0].size) if len(first) else 1, 0
    while start < len(first):
        part = slice(start, start + size)
        if (found := attempt(first[part], second[part], settings, where)) is None:
            size = smaller(min(size, len(first) - start))
            continue
        flows[part] = found
        start += size
    return flows


def pieces(where: torch.device, pixels: int) -> int:
    """How many pairs of so many pixels go through together."""
    if where.type != "cuda":
        return max(1, PIXELS // pixels)
    unused = torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)
    free = torch.cuda.mem_get_info(where)[0] + unused
    return max(1, int(SHARE * free) // (BYTES * pixels))


def smaller(size: int) -> int:
    """Half as many pairs, after memory ran out; what was cached for other sizes is given back."""
    if size == 1:
        raise torch.OutOfMemoryError("The flow of one pair of images does not fit into the device's memory.")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return size // 2


def attempt(
    first: NDArray[Any], second: NDArray[Any], settings: FlowSettings, where: torch.device
) -> NDArray[np.float32] | None:
    """The flow of some pairs, or None when memory ran out."""
    try:
        uv: NDArray[np.float32] = pairs(*(placed(images, where) for images in (first, second)), settings).cpu().numpy()
    except torch.OutOfMemoryError:
        return None
    return uv


def placed(images: NDArray[Any], where: torch.device) -> Tensor:
    """On the device in float32; bytes travel as bytes."""
    small = images if images.dtype == np.uint8 else images.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(small)).to(where).float()


@torch.inference_mode()
def pairs(first: Tensor, second: Tensor, settings: FlowSettings) -> Tensor:
    """B x H x W float32 images on 0..255 -> B x 2 x H x W, on their device; nothing in it waits for the device."""
    blur = pyramid.blur_taps, settings.blur_size, settings.blur_sigma, settings.border
    sharp = filtered(first, *blur), filtered(second, *blur)
    uv = first.new_zeros(len(first), 2, *first.shape[1:])
    for step in pyramid.schedule(tuple(first.shape[1:]), settings):
        uv = resize(uv, step.shape, settings.rescale)
        near, far = (level_image(image, step) for image in sharp)
        for _ in range(settings.warps):
            uv = uv + increment(near, far, uv, step.alpha, settings)
    return uv


def resize(uv: Tensor, shape: tuple[int, int], rescale: str) -> Tensor:
    """B x 2 x H x W flow to another size; displacements grow with the image."""
    height, width = uv.shape[2:]
    if (height, width) == shape:
        return uv
    ratio_v = shape[0] / height
    ratio_u = ratio_v if rescale == "height" else shape[1] / width
    parts = [resized(uv[:, c], shape, pyramid.resize_taps, ratio) for c, ratio in enumerate((ratio_u, ratio_v))]
    return torch.stack(parts, 1)


def level_image(images: Tensor, step: pyramid.Step) -> Tensor:
    """Blurred images at a step's level of its stage's pyramid."""
    for _ in range(step.level):
        images = filtered(images, pyramid.shrink_taps, step.spacing)
    return images


def increment(first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings) -> Tensor:
    """Of one warp, clamped."""
    right, down, data, right_side = torch_linearise.system(first, second, uv, alpha, settings)
    solved = torch_multigrid.solve(torch_multigrid.grids(right, down, data), right_side, EARLY if alpha else LAST)
    return solved.clamp(-settings.limit, settings.limit)

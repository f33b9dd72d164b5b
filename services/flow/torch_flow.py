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
from services.flow.torch_resample import filter_images, resize_images

# Conjugate gradients per system: while the energy is partly quadratic, and for the last GNC stage. No system stops by
# itself, so nothing is read back. Measured at 224 x 280 on a large motion, from a converged solution: 5e-5 px on
# average and 0.02 px at most by `corrected`, 7e-5 and 0.06 px by `paper`. 4 and 6 give a third of it.
EARLY, LAST = 3, 5
BYTES_PER_PIXEL = 256  # per pixel of a pair, at the peak
MEMORY_SHARE = 0.8  # of a GPU's free memory
CPU_BATCH_PIXELS = 2**17  # pairs x rows x columns in one piece on a CPU, where more only leaves the cache


def estimate_flow_torch(
    first: NDArray[Any], second: NDArray[Any], settings: FlowSettings, device: str = "cpu"
) -> NDArray[np.float32]:
    """N x H x W pairs -> float32 N x 2 x H x W, computed on a device.

    Out of memory halves the piece and goes on; raises torch.OutOfMemoryError where one pair is too much.
    """
    where = torch.device(device)
    flows = np.empty((len(first), 2, *first.shape[1:]), np.float32)
    size, start = pairs_per_batch(where, first[0].size) if len(first) else 1, 0
    while start < len(first):
        part = slice(start, start + size)
        if (found := try_flow_batch(first[part], second[part], settings, where)) is None:
            size = halve_batch_size(min(size, len(first) - start))
            continue
        flows[part] = found
        start += size
    return flows


def pairs_per_batch(torch_device: torch.device, pixels: int) -> int:
    """How many pairs of so many pixels go through together."""
    if torch_device.type != "cuda":
        return max(1, CPU_BATCH_PIXELS // pixels)
    unused = torch.cuda.memory_reserved(torch_device) - torch.cuda.memory_allocated(torch_device)
    free = torch.cuda.mem_get_info(torch_device)[0] + unused
    return max(1, int(MEMORY_SHARE * free) // (BYTES_PER_PIXEL * pixels))


def halve_batch_size(size: int) -> int:
    """Half as many pairs, after memory ran out; what was cached for other sizes is given back."""
    if size == 1:
        raise torch.OutOfMemoryError("The flow of one pair of images does not fit into the device's memory.")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return size // 2


def try_flow_batch(
    first: NDArray[Any], second: NDArray[Any], settings: FlowSettings, torch_device: torch.device
) -> NDArray[np.float32] | None:
    """The flow of some pairs, or None when memory ran out."""
    try:
        uv: NDArray[np.float32] = (
            estimate_flow_batch(*(place_on_device(images, torch_device) for images in (first, second)), settings)
            .cpu()
            .numpy()
        )
    except torch.OutOfMemoryError:
        return None
    return uv


def place_on_device(images: NDArray[Any], torch_device: torch.device) -> Tensor:
    """On the device in float32; bytes travel as bytes."""
    small = images if images.dtype == np.uint8 else images.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(small)).to(torch_device).float()


@torch.inference_mode()
def estimate_flow_batch(first: Tensor, second: Tensor, settings: FlowSettings) -> Tensor:
    """B x H x W float32 images on 0..255 -> B x 2 x H x W, on their device; nothing in it waits for the device."""
    blur = pyramid.blur_taps, settings.blur_size, settings.blur_sigma, settings.border
    sharp = filter_images(first, *blur), filter_images(second, *blur)
    uv = first.new_zeros(len(first), 2, *first.shape[1:])
    for step in pyramid.level_schedule(tuple(first.shape[1:]), settings):
        uv = resize_flow_batch(uv, step.shape, settings.rescale)
        near, far = (reduce_to_level_batch(image, step) for image in sharp)
        for _ in range(settings.warps):
            uv = uv + solve_increment_batch(near, far, uv, step.alpha, settings)
    return uv


def resize_flow_batch(uv: Tensor, shape: tuple[int, int], rescale: str) -> Tensor:
    """B x 2 x H x W flow to another size; displacements grow with the image."""
    height, width = uv.shape[2:]
    if (height, width) == shape:
        return uv
    ratio_v = shape[0] / height
    ratio_u = ratio_v if rescale == "height" else shape[1] / width
    parts = [resize_images(uv[:, c], shape, pyramid.resize_taps, ratio) for c, ratio in enumerate((ratio_u, ratio_v))]
    return torch.stack(parts, 1)


def reduce_to_level_batch(images: Tensor, step: pyramid.PyramidStep) -> Tensor:
    """Blurred images at a step's level of its stage's pyramid."""
    for _ in range(step.level):
        images = filter_images(images, pyramid.shrink_taps, step.spacing)
    return images


def solve_increment_batch(first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings) -> Tensor:
    """Of one warp, clamped."""
    right, down, data, right_side = torch_linearise.build_system_batch(first, second, uv, alpha, settings)
    solved = torch_multigrid.solve_system_batch(
        torch_multigrid.build_levels(right, down, data), right_side, EARLY if alpha else LAST
    )
    return solved.clamp(-settings.limit, settings.limit)

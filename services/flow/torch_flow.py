"""The flow on tensors, on a GPU or a CPU: as many pairs as fit into memory go through every step together.

Peak memory is `BYTES_PER_PIXEL` per pixel of a pair (measured, tests/unit/flow/test_torch_flow.py). 90 pairs of
224 x 280, a clip of ten factors, take 1.4 GB. The batch does not change a bit of a pair's flow, nor does the device, if
it rounds as IEEE 754 says: see `services.flow.torch_multigrid`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.flow import pyramid, torch_linearise, torch_multigrid
from services.flow.torch_resample import filter_images, resize_images
from shared.device import require_kernel_compiler
from shared.stage_settings.flow import FlowSettings

if TYPE_CHECKING:
    from services.flow.triton_flow import KernelSolver

# Conjugate gradients per system: while the energy is partly quadratic, and for the last GNC stage. The number is fixed,
# so that nothing is read back. Measured at 224 x 280 on a large motion, from a converged solution: 5e-5 px on average
# and 0.02 px at most with `corrected`, 7e-5 and 0.06 px with `paper`. 4 and 6 give a third of it.
EARLY, LAST = 3, 5
BYTES_PER_PIXEL = 256  # per pixel of a pair, at the peak
MEMORY_SHARE = 0.8  # of a GPU's free memory
CPU_BATCH_PIXELS = 2**17  # pairs x rows x columns of a batch on a CPU; larger ones leave the cache
BatchSolver = Callable[[Tensor, Tensor, FlowSettings], Tensor]


def estimate_flow_torch(
    first: NDArray[Any],
    second: NDArray[Any],
    settings: FlowSettings,
    device: str = "cpu",
    batch_size: int | None = None,
    solve: BatchSolver | None = None,
) -> NDArray[np.float32]:
    """Flow of N pairs: [N, H, W] grey on 0..255, twice -> float32 [N, 2, H, W], px, computed on a device.

    batch_size: pairs per batch; None: as many as fit (`pairs_per_batch`). solve: None for `estimate_flow_batch`.
    When memory runs out, the batch is halved. Raises torch.OutOfMemoryError if one pair does not fit.
    """
    torch_device = torch.device(device)
    # Pages that a GPU reaches: the result arrives at the speed of the bus, and needs no second copy.
    flows = torch.empty(len(first), 2, *first.shape[1:], pin_memory=torch_device.type == "cuda")
    size, start = batch_size or (pairs_per_batch(torch_device, first[0].size) if len(first) else 1), 0
    while start < len(first):
        part = slice(start, start + size)
        found = try_flow_batch(first[part], second[part], settings, torch_device, solve or RECORDED_FLOW)
        if found is None:
            size = halve_batch_size(min(size, len(first) - start))
            continue
        flows[part].copy_(found)
        start += size
    result: NDArray[np.float32] = flows.numpy()
    return result


def pairs_per_batch(torch_device: torch.device, pixels: int) -> int:
    """The number of pairs of images with this number of pixels that fit into one batch."""
    if torch_device.type != "cuda":
        return max(1, CPU_BATCH_PIXELS // pixels)
    unused = torch.cuda.memory_reserved(torch_device) - torch.cuda.memory_allocated(torch_device)
    free = torch.cuda.mem_get_info(torch_device)[0] + unused
    return max(1, int(MEMORY_SHARE * free) // (BYTES_PER_PIXEL * pixels))


def halve_batch_size(size: int) -> int:
    """Half as many pairs, after memory ran out; frees the memory that torch cached for other sizes."""
    if size == 1:
        raise torch.OutOfMemoryError("The flow of one pair of images does not fit into the device's memory.")
    RECORDED_FLOW.forget()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return size // 2


def try_flow_batch(
    first: NDArray[Any], second: NDArray[Any], settings: FlowSettings, torch_device: torch.device, solve: BatchSolver
) -> Tensor | None:
    """The flow [B, 2, H, W], px, of images [B, H, W] by `solve` on the device, or None when memory ran out."""
    try:
        near, far = (place_on_device(images, torch_device) for images in (first, second))
        return solve(near, far, settings)
    except torch.OutOfMemoryError:
        return None


def place_on_device(images: NDArray[Any], torch_device: torch.device) -> Tensor:
    """Images [B, H, W] of any real type -> float32 on the device; uint8 travels as uint8."""
    small = images if images.dtype == np.uint8 else images.astype(np.float32, copy=False)
    return torch.from_numpy(np.ascontiguousarray(small)).to(torch_device).float()


@torch.inference_mode()
def estimate_flow_batch(first: Tensor, second: Tensor, settings: FlowSettings) -> Tensor:
    """float32 images [B, H, W] on 0..255 -> flow [B, 2, H, W], px, on their device, without a wait for the device."""
    blur = pyramid.blur_taps, settings.blur_size, settings.blur_sigma, settings.border
    sharp = filter_images(first, *blur), filter_images(second, *blur)
    uv, solver = first.new_zeros(len(first), 2, *first.shape[1:]), kernel_solver(first.device)
    for step in pyramid.level_schedule(tuple(first.shape[1:]), settings):
        uv = resize_flow_batch(uv, step.shape, settings.rescale)
        near, far = (reduce_to_level_batch(image, step) for image in sharp)
        solve = solve_increment_batch if solver is None else solver(len(uv), step.shape, uv.device).solve_increment
        for _ in range(settings.warps):
            increment = solve(near, far, uv, step.alpha, settings, EARLY if step.alpha else LAST)
            uv = uv + increment.clamp(-settings.limit, settings.limit)
        del solve  # its buffers, before the next level takes as many
    return uv


class RecordedFlow:
    """`estimate_flow_batch`; on a GPU, batches after the first of their size are one recorded graph of launches.

    A launch costs more time than most of the kernels take, and a graph launches all of them at once. The workspace of
    the newest graph stays on the GPU.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Free the graph and its workspace."""
        self.key: object = None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs, self.flow = torch.empty(0), torch.empty(0)

    @torch.inference_mode()
    def __call__(self, first: Tensor, second: Tensor, settings: FlowSettings) -> Tensor:
        """As `estimate_flow_batch`. The next call overwrites the result."""
        if first.device.type != "cuda":
            return estimate_flow_batch(first, second, settings)
        key = first.device, first.shape, settings
        if key != self.key:  # compiles kernels and fills caches, neither of which can be recorded
            self.forget()
            found = estimate_flow_batch(first, second, settings)
            self.key = key
            return found
        if self.graph is None:
            self._record(first, settings)
        self.inputs[0].copy_(first)
        self.inputs[1].copy_(second)
        assert self.graph is not None
        self.graph.replay()
        return self.flow

    def _record(self, like: Tensor, settings: FlowSettings) -> None:
        self.inputs = torch.zeros(2, *like.shape, device=like.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self.flow = estimate_flow_batch(self.inputs[0], self.inputs[1], settings)
        self.graph = graph


RECORDED_FLOW = RecordedFlow()


def kernel_solver(device: torch.device) -> "type[KernelSolver] | None":
    """The solver of compiled kernels on a GPU; None elsewhere. Raises Misconfigured where none can be compiled."""
    if device.type != "cuda":
        return None
    require_kernel_compiler()
    from services.flow.triton_flow import KernelSolver

    return KernelSolver


def resize_flow_batch(uv: Tensor, shape: tuple[int, int], rescale: str) -> Tensor:
    """Flow [B, 2, H, W] -> [B, 2, *shape]; displacements scale with the image as in `exact.resize_flow`."""
    height, width = uv.shape[2:]
    if (height, width) == shape:
        return uv
    ratio_v = shape[0] / height
    ratio_u = ratio_v if rescale == "height" else shape[1] / width
    parts = [resize_images(uv[:, c], shape, pyramid.resize_taps, ratio) for c, ratio in enumerate((ratio_u, ratio_v))]
    return torch.stack(parts, 1)


def reduce_to_level_batch(images: Tensor, step: pyramid.PyramidStep) -> Tensor:
    """Blurred images [B, H, W] -> [B, *step.shape], the level of the step's pyramid."""
    for _ in range(step.level):
        images = filter_images(images, pyramid.shrink_taps, step.spacing)
    return images


def solve_increment_batch(
    first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings, iterations: int
) -> Tensor:
    """Increment [B, 2, H, W] of one warp, px, not clamped; images [B, H, W], uv [B, 2, H, W]."""
    right, down, data, right_side = torch_linearise.build_system_batch(first, second, uv, alpha, settings)
    return torch_multigrid.solve_system_batch(torch_multigrid.build_levels(right, down, data), right_side, iterations)

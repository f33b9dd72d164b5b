"""Max pooling of channels-last clips by two kernels, for a GPU: one pass forward, one pass backward.

torch adds the gradients of overlapping windows in any order there, or takes a dozen passes over the largest tensor of
P3D. Here every gradient is gathered: the sum over a pixel's windows has one order, so equal seeds give equal bytes.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit
def split_index(at, channels, columns, rows, frames):
    """Channel, column, row, frame and clip of flat indices into [B, t, h, w, C]."""
    channel, at = at % channels, at // channels
    column, at = at % columns, at // columns
    row, at = at % rows, at // rows
    return channel, column, row, at % frames, at // frames


@triton.jit
def pool_kernel(
    x,
    y,
    places,
    count,
    channels,
    frames,
    rows,
    columns,
    out_frames,
    out_rows,
    out_columns,
    WINDOW: tl.constexpr,
    STRIDE: tl.constexpr,
    MARGIN: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Maximum y of 2 x WINDOW x WINDOW values of x, and the number of its first place in the window."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < count
    channel, column, row, frame, clip = split_index(at, channels, out_columns, out_rows, out_frames)
    best = tl.full((BLOCK,), float("-inf"), tl.float32)
    place = tl.zeros((BLOCK,), tl.int32)
    for dt in tl.static_range(2):
        for dy in tl.static_range(WINDOW):
            for dx in tl.static_range(WINDOW):
                source_row, source_column = row * STRIDE - MARGIN + dy, column * STRIDE - MARGIN + dx
                inside = (source_row >= 0) & (source_row < rows) & (source_column >= 0) & (source_column < columns)
                source = ((clip * frames + frame * 2 + dt) * rows + source_row) * columns + source_column
                value = tl.load(x + source * channels + channel, mask=mask & inside, other=float("-inf")).to(tl.float32)
                larger = (value > best) | (value != value)
                best = tl.where(larger, value, best)
                place = tl.where(larger, (dt * WINDOW + dy) * WINDOW + dx, place)
    tl.store(y + at, best.to(y.dtype.element_ty), mask=mask)
    tl.store(places + at, place.to(tl.uint8), mask=mask)


@triton.jit
def gather_kernel(
    gradient,
    places,
    found,
    count,
    channels,
    frames,
    rows,
    columns,
    out_frames,
    out_rows,
    out_columns,
    WINDOW: tl.constexpr,
    STRIDE: tl.constexpr,
    MARGIN: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The gradient of x: for every value the sum over the windows of which it is the maximum."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < count
    channel, column, row, frame, clip = split_index(at, channels, columns, rows, frames)
    total = tl.zeros((BLOCK,), tl.float32)
    OVERLAP: tl.constexpr = (WINDOW + STRIDE - 1) // STRIDE
    for j in tl.static_range(OVERLAP):
        for k in tl.static_range(OVERLAP):
            out_row, out_column = (row + MARGIN) // STRIDE - j, (column + MARGIN) // STRIDE - k
            dy, dx = row + MARGIN - out_row * STRIDE, column + MARGIN - out_column * STRIDE
            inside = (out_row >= 0) & (out_row < out_rows) & (out_column >= 0) & (out_column < out_columns)
            inside = mask & inside & (dy < WINDOW) & (dx < WINDOW) & (frame // 2 < out_frames)
            source = ((clip * out_frames + frame // 2) * out_rows + out_row) * out_columns + out_column
            source = source * channels + channel
            own = tl.load(places + source, mask=inside, other=255).to(tl.int32)
            chosen = inside & (own == (frame % 2 * WINDOW + dy) * WINDOW + dx)
            total += tl.load(gradient + source, mask=chosen, other=0.0).to(tl.float32)
    tl.store(found + at, total.to(found.dtype.element_ty), mask=mask)


class ChannelsLastPool(torch.autograd.Function):
    """Max pooling over 2 frames and `window` x `window` pixels, every second frame and every `stride`-th pixel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int, stride: int, margin: int) -> Tensor:
        """[B,C,t,h,w] -> [B,C,floor(t/2),h',w'], both with the channels last."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        clips, channels, frames, rows, columns = x.shape
        shape = frames // 2, *((side + 2 * margin - window) // stride + 1 for side in (rows, columns))
        y = allocate_channels_last(x, clips, channels, *shape)
        places = torch.empty_like(y, dtype=torch.uint8)
        ctx.shape, ctx.sizes = x.shape, (channels, frames, rows, columns, *shape)
        ctx.window = {"WINDOW": window, "STRIDE": stride, "MARGIN": margin}
        launch_over(pool_kernel, y.numel(), x, y, places, y.numel(), *ctx.sizes, **ctx.window)
        ctx.save_for_backward(places)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        """Gradient of the result -> gradient of x [B,C,t,h,w]."""
        (places,) = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        found = allocate_channels_last(gradient, *ctx.shape)
        launch_over(gather_kernel, found.numel(), gradient, places, found, found.numel(), *ctx.sizes, **ctx.window)
        return found, None, None, None


def allocate_channels_last(like: Tensor, *shape: int) -> Tensor:
    """An empty tensor [B,C,t,h,w] with the channels last, of the type and on the device of another one."""
    layout = torch.channels_last_3d
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)


def launch_over(kernel: Any, count: int, *args: Any, **constants: int) -> None:
    """Launch a kernel for so many values. Raises ValueError for more than a 32-bit index reaches (400 clips of P3D)."""
    if count >= 2**31:
        raise ValueError(f"Expected at most {2**31 - 1} values to pool, got {count}; train with a smaller batch.")
    kernel[(-(-count // BLOCK),)](*args, BLOCK=BLOCK, num_warps=8, **constants)

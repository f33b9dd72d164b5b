"""RIFE HDv3 on arrays: the frame half-way between two frames (network: `ifnet.py`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.interpolator.ifnet import IFNet

# Rows and columns are padded to a multiple of this, as in the original; the network needs 16 (scale 4, stride 2 twice).
MULTIPLE = 32
# Pairs x rows x columns in one pass of a GPU, which bounds memory. A CPU takes one pair at a time, since batches leave
# its cache (160 x 192, per pair: 0.13 s alone, 0.20 s in batches of eight).
PIXELS = 2**22


class Rife:
    """The network with its weights on one device, for inference only. Equal calls give equal results."""

    def __init__(self, weights: str | Path, device: str = "cpu", precision: str = "float32") -> None:
        """Read the published flownet file `weights`: only its tensors, which must fit exactly.

        The precision `bfloat16` applies to the convolutions, in the layout for a GPU's matrix units (channels last).
        Frames, flows, warps and blending stay in float32.
        """
        self.device = torch.device(device)
        self.net = IFNet()
        self.net.load_state_dict(inference_tensors(weights), strict=True)
        self.net.eval().requires_grad_(False).to(self.device)
        if precision == "bfloat16":
            self.net.to(dtype=torch.bfloat16, memory_format=torch.channels_last)
        self.forwards = 0  # midpoints computed so far

    def midpoint(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Two RGB frames [H,W,3], 0..255 -> the frame half-way, float32 RGB [H,W,3] in 0..1."""
        middle: NDArray[np.float32] = self.midpoints(a[None], b[None])[0]
        return middle

    def midpoints(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pairs of RGB frames [N,H,W,3], 0..255 -> the frames half-way, float32 RGB [N,H,W,3] in 0..1."""
        height, width = a.shape[1:3]
        return unpack_frames(self.packed_midpoints(list(self.pack_frames(a)), list(self.pack_frames(b))), height, width)

    def pack_frames(self, frames: NDArray[np.uint8]) -> Tensor:
        """RGB frames [N,H,W,3] -> the network's input [N,3,H',W']: BGR in 0..1, zeros right and below."""
        # turned and converted on the device: bytes travel, and a GPU does not wait for a CPU to arrange them
        rgb = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        bgr = rgb.flip(-1).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format) / 255
        height, width = bgr.shape[2:]
        return functional.pad(bgr, (0, -width % MULTIPLE, 0, -height % MULTIPLE))

    @torch.inference_mode()
    def packed_midpoints(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """N packed frames [3,H',W'] and N more -> the N frames half-way, packed [N,3,H',W']."""
        size = 1 if self.device.type == "cpu" else max(1, PIXELS // first[0][0].numel())
        starts = range(0, len(first), size)
        self.forwards += len(first)
        with torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
            middles = [
                self.net(torch.stack([*first[i : i + size]]), torch.stack([*second[i : i + size]])) for i in starts
            ]
        return torch.cat([frames for frames, _, _ in middles])


def unpack_frames(packed: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """Packed frames [N,3,H',W'] -> float32 RGB [N,H,W,3] in 0..1, without the padding."""
    rgb: NDArray[np.float32] = packed[:, :, :height, :width].flip(1).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return rgb


def inference_tensors(weights: str | Path) -> dict[str, Any]:
    """The checkpoint's tensors without the prefix `module.` of multi-GPU training and without the teacher block."""
    tensors = torch.load(weights, map_location="cpu", weights_only=True)
    named = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    return {key: tensor for key, tensor in named.items() if not key.startswith("block_tea.")}

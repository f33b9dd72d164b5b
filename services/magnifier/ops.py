"""The steps of EVM that numpy arrays and torch tensors do differently; all other code serves both.

`NumpyOps` computes with numpy and OpenCV. `services.magnifier.torch_ops.TorchOps` has the same methods on tensors. The
caller chooses one of them and passes it down.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # float32 or float64; with TorchOps a tensor
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]


class Ops(Protocol):
    """What `NumpyOps` and `TorchOps` both do. Frames are RGB in 0..1."""

    def place_frames(self, rgb: Floats) -> Floats:
        """A numpy array [T, H, W, 3] -> the same values where this class computes."""

    def allocate_like(self, like: Floats, *shape: int) -> Floats:
        """An array of the given shape, of the type and on the device of `like`; its values are undefined."""

    def reduce_image(self, image: Floats) -> Floats:
        """[H, W] -> ceil(H/2) x ceil(W/2): smooth with [1 4 6 4 1]/16, then keep the even rows and columns."""

    def expand_image(self, image: Floats, height: int, width: int) -> Floats:
        """The opposite of `reduce_image`: an image -> height x width, zeros between the samples, then [1 4 6 4 1]/8."""

    def pyramid_chunks(self, moving: Floats) -> Iterator[tuple[int, ...]]:
        """Indices into the first two axes of [T, C, H, W]: planes under one index go through the pyramid together."""

    def weighted_channel_sums(self, rgb: Floats, weights: Doubles) -> Floats:
        """[T, H, W, 3] and weights [C, 3] -> [T, C, H, W]: one weighted sum of the channels for each row of weights."""

    def brightest_channel(self, rgb: Floats) -> Floats:
        """[..., 3] -> [...]: the largest of the three channels."""

    def mix_bands(self, part: Floats, mixture: Doubles) -> Floats:
        """[C, R, HW] and R weights -> [C, HW]: the weighted sum of the R rows."""

    def add_in_gamut(self, frame: Floats, top: Floats, change: Floats, out: Floats) -> None:
        """Write frame [H, W, 3] plus change [C, HW] to `out` [H, W, 3], kept in gamut as MATLAB's ntsc2rgb does.

        Negative values become 0. A pixel with a channel above 1 is divided by its largest channel, which keeps its hue.
        `top` (HW) is the frame's `brightest_channel`.
        """

    def quantise_frames(self, frames: Floats) -> Bytes:
        """Floats 0..1 of any shape -> uint8 numpy array of this shape; halves go up, as in MATLAB's im2uint8."""


class NumpyOps:
    """The steps on numpy arrays, one plane [H, W] at a time, since OpenCV takes no more. Each method is as in `Ops`."""

    def place_frames(self, rgb: Floats) -> Floats:
        return rgb

    def allocate_like(self, like: Floats, *shape: int) -> Floats:
        return np.empty(shape, like.dtype)

    def reduce_image(self, image: Floats) -> Floats:
        return cv2.pyrDown(image, borderType=cv2.BORDER_REFLECT_101)

    def expand_image(self, image: Floats, height: int, width: int) -> Floats:
        # Mirroring on an odd grid means one mirrored sample more. OpenCV's own odd sizes have another border.
        padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REFLECT_101)
        return cv2.pyrUp(padded)[:height, :width]

    def pyramid_chunks(self, moving: Floats) -> Iterator[tuple[int, ...]]:
        return np.ndindex(*moving.shape[:2])

    def weighted_channel_sums(self, rgb: Floats, weights: Doubles) -> Floats:
        rows = weights.astype(rgb.dtype)
        if len(rows) == 1:
            single: Floats = rgb @ rows[0]
            return single[:, None]
        return np.ascontiguousarray(np.moveaxis(rgb @ rows.T, -1, 1))

    def brightest_channel(self, rgb: Floats) -> Floats:
        # numpy's max along so short an axis is thirty times slower
        largest: Floats = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
        return largest

    def mix_bands(self, part: Floats, mixture: Doubles) -> Floats:
        change: Floats = mixture.astype(part.dtype) @ part
        return change

    def add_in_gamut(self, frame: Floats, top: Floats, change: Floats, out: Floats) -> None:
        planes = list(change.reshape(-1, *frame.shape[:2])) * (3 // len(change))
        np.add(frame, cv2.merge(planes, dst=out).reshape(frame.shape), out=out)
        cv2.threshold(out, 0, 0, cv2.THRESH_TOZERO, dst=out)
        pixels = out.reshape(-1, 3)
        # `top` plus the change bounds the largest channel at a third of the work; few pixels can exceed 1
        bright = np.flatnonzero(top + (change[0] if len(change) == 1 else change.max(axis=0)) > 1)
        pixels[bright] /= np.maximum(self.brightest_channel(pixels[bright]), 1)[:, None]

    def quantise_frames(self, frames: Floats) -> Bytes:
        scaled: Floats = frames * frames.dtype.type(255)
        scaled += frames.dtype.type(0.5)
        return scaled.astype(np.uint8)


NUMPY_OPS = NumpyOps()

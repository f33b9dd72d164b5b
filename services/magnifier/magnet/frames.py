"""A clip magnified by MagNet at many factors: each frame encoded once, one change of shape for all factors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.magnifier.arrays import Floats
from services.magnifier.magnet.checkpoint import TrainedMagNet, find_weights, load_magnet
from services.magnifier.magnet.network import MULTIPLE
from services.magnifier.preparation import check_factors, prepare_rgb
from shared.stage_settings.magnifier import MagnifierSettings

BYTES_PER_PIXEL = 1200  # of a frame at the peak of the decoder of the published width, in float32
MEMORY_SHARE = 0.5  # of a GPU's free memory; what is encoded takes a part of the rest


def magnify_each_by_network(
    frames: NDArray[np.uint8], factors: Sequence[float], settings: MagnifierSettings, device_name: str = "cpu"
) -> Iterator[Floats]:
    """RGB frames uint8 [T,H,W,3] -> for each factor float32 [N,H,W,3] in 0..1; frame 0, the onset, is the reference.

    N is T, and the onset is shown as it is; with the setting `first_frame` "dropped" N is T-1. A factor asks for
    1 + factor times the motion; with the decode "plain" it is handed to the network as it is. All factors share one
    buffer: a result is valid until the next one is requested. Raises BadData as `magnify_motion`, MissingWeights.
    """
    alphas = check_factors(factors)
    rgb = prepare_rgb(frames, np.float32, settings)
    trained = load_trained_magnet(settings.weights, device_name)
    clip = EncodedClip(trained, rgb)
    shown = 1 if settings.first_frame == "shown" else 0
    out = np.empty((len(rgb) - 1 + shown, *rgb.shape[1:]), np.float32)
    for alpha in alphas:
        out[:shown] = rgb[:shown]
        out[shown:] = clip.draw_difference(alpha) if settings.decode == "difference" else clip.draw_plain(alpha)
        yield out


@cache
def load_trained_magnet(sha256: str, device_name: str) -> TrainedMagNet:
    """The network with these weights on this device, loaded once per process. Raises MissingWeights."""
    trained = load_magnet(find_weights(sha256), sha256)
    trained.net.to(torch.device(device_name), memory_format=torch.channels_last)
    return trained


class EncodedClip:
    """Texture, shape and change of shape of every frame after the first, on the network's device."""

    def __init__(self, trained: TrainedMagNet, rgb: Floats) -> None:
        """`rgb` float32 [T,H,W,3] in 0..1, T of 2 or more."""
        self.trained, self.rgb = trained, rgb[1:]
        self.device = next(trained.net.parameters()).device
        self.size = frames_per_batch(self.device, rgb[0, ..., 0].size)
        padded = pad_frames(torch.from_numpy(rgb).permute(0, 3, 1, 2) * 2 - 1)
        with exact_convolutions():
            textures, shapes = zip(*self._in_batches(trained.net.encoder, padded), strict=True)
            self.texture, shape = torch.cat(textures)[1:], torch.cat(shapes)
            self.shape, still = shape[1:], shape[:1]
            self.change = torch.cat([*self._in_batches(lambda part: trained.net.manipulator(still, part), self.shape)])
        self._own: Floats | None = None

    def draw_difference(self, factor: float) -> Floats:
        """[T-1,H,W,3] in 0..1: the recorded frames + the difference of two drawings, none at factor 0."""
        if self._own is None:
            self._own = self._decode(0.0)
        drawn: Floats = self.rgb + (self._decode(self.total_alpha(factor)) - self._own) / 2
        return drawn.clip(0, 1)

    def total_alpha(self, factor: float) -> float:
        """What the network needs for 1 + factor times the motion; 0 at factor 0."""
        return factor + self.trained.own_motion if factor else 0.0

    def magnify_shape(self, alpha: float) -> Tensor:
        """The shapes [T-1,C,H/2,W/2] with alpha times their change."""
        return self.shape + alpha * self.change

    def draw_plain(self, alpha: float) -> Floats:
        """[T-1,H,W,3] in 0..1: what the network draws with alpha as it is."""
        drawn: Floats = (self._decode(alpha) + 1) / 2
        return drawn.clip(0, 1)

    def _decode(self, alpha: float) -> Floats:
        """The network's drawing of each frame, [T-1,H,W,3], nominally -1..1."""
        net, (height, width) = self.trained.net, self.rgb.shape[1:3]
        with exact_convolutions():
            parts = self._in_batches(net.decoder, self.texture, self.magnify_shape(alpha))
            frames = torch.cat([part[:, :, :height, :width].permute(0, 2, 3, 1).cpu() for part in parts])
        drawn: Floats = frames.numpy()
        return drawn

    def _in_batches(self, apply: Callable[..., Any], *tensors: Tensor) -> Iterator[Any]:
        """What `apply` makes of the tensors [N,...], batch by batch. When memory runs out, batches are halved."""
        start = 0
        while start < len(tensors[0]):
            try:
                made = apply(*(tensor[start : start + self.size].to(self.device) for tensor in tensors))
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise
                self.size //= 2
                torch.cuda.empty_cache()
                continue
            yield made
            start += self.size


def frames_per_batch(device: torch.device, pixels: int) -> int:
    """Frames with this number of pixels that go through the network together; one on a CPU, for its cache."""
    if device.type != "cuda":
        return 1
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + unused
    return max(1, int(MEMORY_SHARE * free) // (BYTES_PER_PIXEL * pixels))


def pad_frames(frames: Tensor) -> Tensor:
    """[N,3,H,W] -> the same, mirrored right and below to multiples of 4."""
    height, width = frames.shape[2:]
    return functional.pad(frames, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="reflect")


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Inference in whole float32, with the same algorithm at every call."""
    with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
        yield

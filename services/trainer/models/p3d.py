"""P3D-63, the AU branch: a ResNet-50 whose 3x3x3 convolutions are split into space and time (Qiu et al. 2017).

Four poolings halve the time axis. It has length 1 when the last, two-dimensional layer begins. So only clips of 16 to
31 frames with sides of 129 to 160 px fit.
"""

import math
from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.device import require_kernel_compiler
from shared.training.annotations import PAPER_UNITS
from shared.training.model_settings import ModelSettings

BLOCKS_PER_LAYER = (3, 4, 6, 3)
EXPANSION = 4


class SplitConv(nn.Conv3d):
    """A convolution over space (1xKxK) or over time (Kx1x1); on CUDA and in bf16 it runs in two dimensions.

    On a CPU the gradients of torch's bf16 convolutions in three dimensions differ between equal calls. On CUDA both
    ways take the same time, and the norms that follow take less in two dimensions.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,t,h,w] -> [B,C',t,h',w']."""
        folded = x.is_cuda or torch.is_autocast_enabled("cpu")
        return convolve_in_two_dimensions(self, x) if folded else super().forward(x)


def convolve_in_two_dimensions(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """[B,C,t,h,w] -> [B,C',t,h',w'], for a kernel of 1xKxK or Kx1x1, without bias. A kernel over time has no stride.

    Space: the frames join the batch. Time: rows and columns become one axis. With the channels last both are views.
    """
    if conv.kernel_size[0] == 1:
        frames, weight = x.transpose(1, 2).flatten(0, 1), conv.weight.squeeze(2)
        y = functional.conv2d(frames, weight, None, conv.stride[1:], conv.padding[1:])  # type: ignore[arg-type]
        return y.unflatten(0, (len(x), -1)).transpose(1, 2)
    y = functional.conv2d(x.flatten(3), conv.weight.flatten(3), padding=(conv.padding[0], 0))  # type: ignore[arg-type]
    return y.unflatten(3, x.shape[3:])


class FrameNorm(nn.BatchNorm3d):
    """BatchNorm of frames. On CUDA it runs in two dimensions, whose kernels are faster there."""

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,t,h,w] -> [B,C,t,h,w]."""
        return normalise_in_two_dimensions(self, x) if x.is_cuda else super().forward(x)

    def _check_input_dim(self, input: Tensor) -> None:
        """Both numbers of dimensions are right."""


def normalise_in_two_dimensions(norm: FrameNorm, x: Tensor) -> Tensor:
    """[B,C,t,h,w] -> [B,C,t,h,w]: the frames join the batch, so the moments are over the same values."""
    y = nn.BatchNorm3d.forward(norm, x.transpose(1, 2).flatten(0, 1))
    return y.unflatten(0, (len(x), -1)).transpose(1, 2)


def build_conv_norm(width_in: int, width_out: int, kernel: tuple[int, ...], stride: int = 1) -> nn.Sequential:
    """Convolution and BatchNorm, in two or three dimensions like the kernel. The stride acts on rows and columns."""
    padding = tuple(size // 2 for size in kernel)
    if len(kernel) == 2:
        flat = nn.Conv2d(width_in, width_out, kernel, stride, padding, bias=False)  # type: ignore[arg-type]
        return nn.Sequential(flat, nn.BatchNorm2d(width_out))
    conv = SplitConv(width_in, width_out, kernel, (1, stride, stride), padding, bias=False)  # type: ignore[arg-type]
    return nn.Sequential(conv, FrameNorm(width_out))


class BottleneckBlock(nn.Module):
    """Bottleneck with shortcut. Subclasses differ in the layers between the two 1x1 convolutions.

    Shapes: [B,C,t,h,w] -> [B,4*width,t,h/stride,w/stride], without the time axis in FlatBlock.
    """

    ones: tuple[int, ...] = (1, 1, 1)

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = build_conv_norm(width_in, width, self.ones, stride)
        self.expand = build_conv_norm(width, EXPANSION * width, self.ones)
        same = width_in == EXPANSION * width and stride == 1
        self.shortcut = nn.Identity() if same else build_conv_norm(width_in, EXPANSION * width, self.ones, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B,width_in,t,h,w] -> [B,4*width,t,h/stride,w/stride]."""
        return (self.expand(self.transform_middle(self.reduce(x).relu())) + self.shortcut(x)).relu()

    def transform_middle(self, x: Tensor) -> Tensor:
        """[B,width,t,h,w] -> [B,width,t,h,w]."""
        raise NotImplementedError


class SplitBlock(BottleneckBlock):
    """Space S (1x3x3) and time T (3x1x1) in one of the paper's three arrangements."""

    def __init__(self, width_in: int, width: int, stride: int, arrangement: str) -> None:
        super().__init__(width_in, width, stride)
        self.arrangement = arrangement
        self.space = build_conv_norm(width, width, (1, 3, 3))
        self.time = build_conv_norm(width, width, (3, 1, 1))

    def transform_middle(self, x: Tensor) -> Tensor:
        """[B,width,t,h,w] -> [B,width,t,h,w]."""
        space = self.space(x).relu()
        if self.arrangement == "A":  # serial
            return self.time(space).relu()
        if self.arrangement == "B":  # parallel
            return space + self.time(x).relu()
        return space + self.time(space).relu()  # C: serial with a shortcut around T


class FlatBlock(BottleneckBlock):
    """The two-dimensional bottleneck of the last layer."""

    ones = (1, 1)

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__(width_in, width, stride)
        self.space = build_conv_norm(width, width, (3, 3))

    def transform_middle(self, x: Tensor) -> Tensor:
        """[B,width,h,w] -> [B,width,h,w]."""
        return self.space(x).relu()


class PairPool(nn.MaxPool3d):
    """Max pooling of two frames, and of overlapping windows of pixels in the stem, with deterministic gradients.

    On CUDA torch adds the gradients of a pooling over frames in any order. There own kernels add them in one order.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,2t,h,w] -> [B,C,t,h',w']."""
        if not x.is_cuda:
            return super().forward(x)
        require_kernel_compiler()
        from services.trainer.models.triton_pool import ChannelsLastPool

        pooled: Tensor = ChannelsLastPool.apply(x, self.kernel_size[1], self.stride[1], self.padding[1])
        return pooled


class P3D(nn.Module):
    """The AU branch. Shapes in comments are those of 16 frames of 144x144 px."""

    def __init__(self, settings: ModelSettings, blocks_per_layer: Sequence[int] = BLOCKS_PER_LAYER) -> None:
        super().__init__()
        stem = SplitConv(3, 64, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.stem = nn.Sequential(stem, FrameNorm(64), nn.ReLU(), PairPool((2, 3, 3), (2, 2, 2), (0, 1, 1)))
        arrangements = (("A", "B", "C")[n % 3] for n in count())
        self.layers = nn.Sequential()
        width_in = 64
        for blocks, width, stride in zip(blocks_per_layer[:3], (64, 128, 256), (1, 2, 2), strict=True):
            for index in range(blocks):
                self.layers.append(SplitBlock(width_in, width, stride if index == 0 else 1, next(arrangements)))
                width_in = EXPANSION * width
            self.layers.append(PairPool((2, 1, 1), (2, 1, 1), (0, 0, 0)))
        self.flat = nn.Sequential(
            *(FlatBlock(2048 if i else 1024, 512, 1 if i else 2) for i in range(blocks_per_layer[3]))
        )
        self.classify = nn.Sequential(
            nn.AvgPool2d(5, 1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(2048, len(PAPER_UNITS))
        )
        self.apply(initialise_fan_out if settings.p3d_init == "fan-out" else initialise_two_sizes)
        self.apply(lay_out_volume_weights)

    def forward(self, clip: Tensor) -> Tensor:
        """Clip [B,3,16,144,144] -> AU logits [B,9]."""
        x = self.stem(clip.contiguous(memory_format=torch.channels_last_3d))  # [B,64,8,36,36]
        x = self.layers(x)  # [B,256,4,36,36] -> [B,512,2,18,18] -> [B,1024,1,9,9]
        x = x.transpose(1, 2).flatten(0, 1)  # the time axis, now of length 1, joins the batch
        logits: Tensor = self.classify(self.flat(x))  # [B,2048,5,5] -> [B,9]
        return logits


def lay_out_volume_weights(module: nn.Module) -> None:
    """Lay out the weights of a 3-D convolution with the channels last, without a change of values.

    A training step on a CPU is then a quarter faster.
    """
    if isinstance(module, nn.Conv3d):
        module.to(memory_format=torch.channels_last_3d)


def initialise_fan_out(module: nn.Module) -> None:
    """Draw the weights of a convolution from N(0, 2/fan_out) (He et al. 2015)."""
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def initialise_two_sizes(module: nn.Module) -> None:
    """Initialise like the published code: its fan ignores the kernel's third size, and 2-D convolutions keep torch's
    default."""
    if isinstance(module, nn.Conv3d):
        time, rows = module.kernel_size[:2]
        nn.init.normal_(module.weight, 0.0, math.sqrt(2 / (time * rows * module.out_channels)))

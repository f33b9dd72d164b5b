"""The network of MagNet (Oh et al. 2018), with the layers and the names of the port that the ICASSP 2024 paper uses.

No layer has a bias, no layer normalises, and ReLU is the only nonlinearity. So the network is positively homogeneous:
k times both inputs give k times the output. The change of shape is computed once for all factors, since a factor
multiplies it exactly. Frames that are equal give no change at any factor.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

MULTIPLE = 4  # height and width of the input are multiples of this
WIDTH, BLOCKS = 32, 9  # channels of texture and shape, residual blocks of the decoder: those of the published network


class ReflectedConvolution(nn.Module):
    """Convolution without bias, [N,I,H,W] -> [N,O,H/stride,W/stride]; the border is reflected, then ReLU if asked."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = False) -> None:
        super().__init__()
        padding = kernel // 2
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False, padding_mode="reflect")
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """[N,I,H,W] -> [N,O,H/stride,W/stride]."""
        y: Tensor = self.conv2d(x)
        return functional.relu(y) if self.relu else y


class ResidualBlock(nn.Module):
    """x [N,C,H,W] + two convolutions of it; ReLU after the first one alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cba_1 = ReflectedConvolution(channels, channels, relu=True)
        self.cba_2 = ReflectedConvolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N,C,H,W] -> [N,C,H,W]."""
        y: Tensor = x + self.cba_2(self.cba_1(x))
        return y


def residual_blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


class Encoder(nn.Module):
    """A frame [N,3,H,W] -> its texture [N,C,H/4,W/4] and its shape [N,C,H/2,W/2]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cba_1 = ReflectedConvolution(3, width // 2, 7, relu=True)
        self.cba_2 = ReflectedConvolution(width // 2, width, stride=2, relu=True)
        self.resblks = residual_blocks(width, 3)
        self.texture_cba = ReflectedConvolution(width, width, stride=2, relu=True)
        self.texture_resblks = residual_blocks(width, 2)
        self.motion_cba = ReflectedConvolution(width, width, relu=True)
        self.motion_resblks = residual_blocks(width, 2)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """[N,3,H,W] in -1..1 -> texture [N,C,H/4,W/4], shape [N,C,H/2,W/2]."""
        common = self.resblks(self.cba_2(self.cba_1(frames)))
        return self.texture_resblks(self.texture_cba(common)), self.motion_resblks(self.motion_cba(common))


class Manipulator(nn.Module):
    """Two shapes -> the change of shape that a factor multiplies."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = ReflectedConvolution(width, width, relu=True)
        self.h_conv = ReflectedConvolution(width, width)
        self.h_resblk = ResidualBlock(width)

    def forward(self, reference: Tensor, shape: Tensor) -> Tensor:
        """Shapes [N,C,H/2,W/2] -> their change; magnified by alpha, the shape is `shape` + alpha * change."""
        change: Tensor = self.h_resblk(self.h_conv(self.g(shape - reference)))
        return change


class Decoder(nn.Module):
    """Texture [N,C,H/4,W/4] and shape [N,C,H/2,W/2] -> the frame [N,3,H,W]."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.resblks = residual_blocks(2 * width, blocks)
        self.cba_1 = ReflectedConvolution(2 * width, width, relu=True)
        self.cba_2 = ReflectedConvolution(width, 3, 7)

    def forward(self, texture: Tensor, shape: Tensor) -> Tensor:
        """[N,C,H/4,W/4], [N,C,H/2,W/2] -> [N,3,H,W], nominally -1..1."""
        features = self.resblks(torch.cat((functional.interpolate(texture, scale_factor=2.0), shape), 1))
        frame: Tensor = self.cba_2(self.cba_1(functional.interpolate(features, scale_factor=2.0)))
        return frame


class MagNet(nn.Module):
    """Encoder, manipulator and decoder. `width` 32 and 9 `blocks` are the published network of 877,968 weights."""

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        self.manipulator = Manipulator(width)
        self.decoder = Decoder(width, blocks)

    def forward(self, reference: Tensor, frames: Tensor, alpha: float | Tensor) -> Tensor:
        """Two times [N,3,H,W] in -1..1 and a factor, or one per frame [N,1,1,1] -> the magnified frames [N,3,H,W]."""
        _, still = self.encoder(reference)
        texture, shape = self.encoder(frames)
        magnified: Tensor = self.decoder(texture, shape + alpha * self.manipulator(still, shape))
        return magnified

"""IFNet of RIFE HDv3: estimates the flow from the frame half-way between two frames to each of them.

Source: Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022. The layer
widths are those of the published HDv3 weights (model 3.8). Names of modules follow the keys of that checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 90  # channels of a block's features
SCALES = (4, 2, 1)  # coarse to fine, one block each; reduction of the frames


def conv_prelu(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


def upsampling_head(outputs: int) -> nn.Sequential:
    """From the block's features back to the resolution of its input (two transposed convolutions)."""
    middle = WIDTH // 2
    return nn.Sequential(
        nn.ConvTranspose2d(WIDTH, middle, 4, 2, 1), nn.PReLU(middle), nn.ConvTranspose2d(middle, outputs, 4, 2, 1)
    )


class FlowBlock(nn.Module):
    """One scale: images, mask and flow so far -> the changes of flow (4 channels, px) and mask (1 channel, logit)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(conv_prelu(11, WIDTH // 2, 2), conv_prelu(WIDTH // 2, WIDTH, 2))
        for unit in range(4):
            setattr(self, f"convblock{unit}", nn.Sequential(conv_prelu(WIDTH, WIDTH), conv_prelu(WIDTH, WIDTH)))
        self.conv1 = upsampling_head(4)
        self.conv2 = upsampling_head(1)

    def forward(self, x: Tensor, flow: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """x [N,7,H,W] (image 0, image 1, mask), flow [N,4,H,W] -> flow [N,4,H,W], mask [N,1,H,W].

        Convolutions have the type of their weights; inputs, outputs and all resizing have that of x.
        """
        given = torch.cat((resize_bilinear(x, 1 / scale), resize_bilinear(flow, 1 / scale) / scale), 1)
        features = self.conv0(given.to(self.conv0[0][0].weight.dtype))
        for unit in range(4):
            features = getattr(self, f"convblock{unit}")(features) + features
        change, mask = self.conv1(features).to(x.dtype), self.conv2(features).to(x.dtype)
        return resize_bilinear(change, scale) * scale, resize_bilinear(mask, scale)


class IFNet(nn.Module):
    """Two frames [N,3,H,W] (BGR, 0..1, H and W multiples of 32) -> the frame half-way, the flow and the mask.

    The flow [N,4,H,W] is (x, y) in px from the middle to the first and to the second frame. The mask [N,1,H,W] is the
    logit of the first frame's weight.
    """

    def __init__(self) -> None:
        super().__init__()
        self.block0, self.block1, self.block2 = FlowBlock(), FlowBlock(), FlowBlock()

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """first, second [N,3,H,W] -> frame half-way [N,3,H,W], flow [N,4,H,W], mask [N,1,H,W]."""
        flow = first.new_zeros(len(first), 4, *first.shape[2:])
        mask, warped = flow[:, :1], (first, second)
        for block, scale in zip((self.block0, self.block1, self.block2), SCALES, strict=True):
            flow, mask = refine_flow(block, warped, flow, mask, scale)
            warped = warp_backward(first, flow[:, :2]), warp_backward(second, flow[:, 2:])
        weight = torch.sigmoid(mask)
        return warped[0] * weight + warped[1] * (1 - weight), flow, mask


def refine_flow(
    block: nn.Module, warped: tuple[Tensor, Tensor], flow: Tensor, mask: Tensor, scale: int
) -> tuple[Tensor, Tensor]:
    """Flow [N,4,H,W] and mask [N,1,H,W] after one block; warped: both frames [N,3,H,W] at the flow so far.

    The block sees the pair in both orders, so that time has no preferred direction.
    """
    forth = torch.cat((*warped, mask), 1)
    back = torch.cat((*reversed(warped), -mask), 1)
    flows, masks = block(torch.cat((forth, back)), torch.cat((flow, swap_flow_directions(flow))), scale)
    (flow_forth, flow_back), (mask_forth, mask_back) = flows.chunk(2), masks.chunk(2)
    return flow + (flow_forth + swap_flow_directions(flow_back)) / 2, mask + (mask_forth - mask_back) / 2


def swap_flow_directions(flow: Tensor) -> Tensor:
    """The flow [N,4,H,W] with the roles of first and second frame exchanged."""
    return torch.cat((flow[:, 2:], flow[:, :2]), 1)


def resize_bilinear(x: Tensor, scale: float) -> Tensor:
    """[N,C,H,W] -> [N,C,scale * H,scale * W], bilinear, corners not aligned."""
    if scale == 1:
        return x
    return functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


def warp_backward(image: Tensor, flow: Tensor) -> Tensor:
    """The image [N,C,H,W] read at (x + u, y + v), px, bilinear; flow [N,2,H,W]; outside, the border's value."""
    height, width = image.shape[2:]
    x = torch.linspace(-1, 1, width, device=image.device, dtype=image.dtype) + flow[:, 0] / ((width - 1) / 2)
    y = torch.linspace(-1, 1, height, device=image.device, dtype=image.dtype)[:, None] + flow[:, 1] / ((height - 1) / 2)
    grid = torch.stack((x, y), -1)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)

"""HTNet (Wang, Zhang, Luo, Sankaranarayana: HTNet for micro-expression recognition, 2023; arXiv 2307.14637).

Four blocks of 14x14 px lie around the eyes and the corners of the mouth. They form a picture of 28x28 px, cut into
tokens of 7x7 px. Each of three levels has transformers inside its blocks. All levels but the last end in an
aggregation, which halves rows and columns and doubles the width. Sizes are those of the authors' code
(github.com/wangzhifengharrison/HTNet, Model.py and its main script): width 256, 3 heads, 2 + 2 + 8 transformers. That
makes 114,429,446 parameters for 3 classes.

With these sizes each block is one token at every level. So attention compares nothing, although the paper speaks of
local self-attention, and only the aggregations mix places. Differences from the paper and its code:

- The paper finds eyes and mouth in each picture. Here they have fixed places on the aligned map.
- The authors' script cuts its blocks with a landmark's x as row and y as column, so its blocks lie elsewhere. Here x is
  the column.
- The authors report the best epoch on the test subject beside the last. Here it is the last.
- Channels come last, and the authors' 1x1 convolutions are linear layers. The sums are the same. On a CPU a convolution
  lays out its weights again in every step, and here the weights are larger than the pictures.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.trainer.models.input_scaling import MapScale
from shared.training.model_settings import ModelSettings

BLOCK_SIDE = 14  # rows and columns
BLOCK_CENTRES = (((9, 8), (9, 20)), ((20, 9), (20, 19)))  # row and column: eyes, corners of the mouth
TOKEN_SIDE = 7  # rows and columns
FIRST_LEVEL_WIDTH, FIRST_LEVEL_HEADS = 256, 3  # both double from level to level
LEVEL_DEPTHS = (2, 2, 8)  # transformers per level


class Htnet(nn.Module):
    """Hierarchical transformer on maps. It predicts no AUs."""

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.map_scale = MapScale(settings)
        self.tokens = nn.Conv2d(3, FIRST_LEVEL_WIDTH, TOKEN_SIDE, TOKEN_SIDE)  # 28 -> 4 rows and columns
        self.levels = nn.ModuleList(build_htnet_level(number) for number in range(len(LEVEL_DEPTHS)))
        last = FIRST_LEVEL_WIDTH * 2 ** (len(LEVEL_DEPTHS) - 1)
        self.norm, self.out = nn.LayerNorm(last), nn.Linear(last, classes)

    def forward(self, maps: Tensor) -> tuple[Tensor, None]:
        """Maps [B,3,28,28] (u, v in px, strain) -> emotion logits [B,C], None."""
        seen = self.tokens(gather_face_blocks(self.map_scale(maps))).permute(0, 2, 3, 1)  # [B,4,4,256]
        for each in self.levels:  # [B,2,2,512], [B,1,1,1024], [B,1,1,1024]
            seen = each(seen)
        return self.out(self.norm(seen).mean((1, 2))), None


def gather_face_blocks(maps: Tensor) -> Tensor:
    """Maps [B,3,28,28] -> [B,3,28,28]: the four blocks in the arrangement of the face."""
    half = BLOCK_SIDE // 2
    rows = [
        torch.cat([maps[:, :, y - half : y + half, x - half : x + half] for y, x in centres], 3)
        for centres in BLOCK_CENTRES
    ]
    return torch.cat(rows, 2)


def build_htnet_level(level_index: int) -> nn.Sequential:
    """Transformers, then an aggregation unless it is the last level: [B,h,w,W] -> [B,h/2,w/2,2W]."""
    width, heads = FIRST_LEVEL_WIDTH * 2**level_index, FIRST_LEVEL_HEADS * 2**level_index
    layers: list[nn.Module] = [
        BlockPosition(),
        *(BlockTransformer(width, heads) for _ in range(LEVEL_DEPTHS[level_index])),
    ]
    if level_index + 1 < len(LEVEL_DEPTHS):
        layers += [BlockAggregation(width)]
    return nn.Sequential(*layers)


class BlockPosition(nn.Module):
    """One number per place in a block, added to all channels; a block is one token."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(1))

    def forward(self, seen: Tensor) -> Tensor:
        """[B,h,w,W] -> [B,h,w,W]."""
        return seen + self.place


class BlockTransformer(nn.Module):
    """Attention and a two-layer perceptron of four times the width, each with pre-norm and a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), BlockAttention(width, heads))
        self.mixed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, seen: Tensor) -> Tensor:
        """[B,h,w,W] -> [B,h,w,W]."""
        seen = seen + self.attention(seen)
        return seen + self.mixed(seen)


class BlockAttention(nn.Module):
    """Attention between the tokens of a block. Each token is a block of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, inner = heads, width // heads * heads
        self.queries_keys_values = nn.Linear(width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, width)

    def forward(self, seen: Tensor) -> Tensor:
        """[B,h,w,W] -> [B,h,w,W]."""
        tokens = seen.shape[:3].numel()
        each = self.queries_keys_values(seen).reshape(tokens, 3, self.heads, 1, -1)
        mixed = functional.scaled_dot_product_attention(*each.unbind(1))  # [B*h*w,heads,1,85]
        return self.out(mixed.reshape(*seen.shape[:3], -1))


class BlockAggregation(nn.Module):
    """Half the rows and columns, twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm = nn.LayerNorm(2 * width)
        self.pool = nn.MaxPool2d(3, 2, padding=1)

    def forward(self, seen: Tensor) -> Tensor:
        """[B,h,w,W] -> [B,h/2,w/2,2W]."""
        mixed = self.norm(self.mix(seen.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return self.pool(mixed.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

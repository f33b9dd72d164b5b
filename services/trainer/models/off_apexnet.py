"""OFF-ApexNet (Gan, Liong, Yau, Huang, Tan: OFF-ApexNet on micro-expression recognition system, 2019; arXiv
1805.08699).

One stream for u and one for v have two 5x5 convolutions each. Two layers of width 1,024 join them. It has 2,664,475
parameters for 3 classes: the 2.66 M that the README of Off-TANet counts. The re-implementation in
github.com/tvaranka/meb is another network: one stream on both channels, 3x3, one layer of 1,024, 807,909 parameters.
meb trains its network with Adam at 1e-4 and a weight decay of 1e-3. No code of the paper's authors is known. The
dropout of one half before the first and the last joined layer is meb's.
"""

import torch
from torch import Tensor, nn

from services.trainer.models.input_scaling import MapScale
from shared.training.model_settings import ModelSettings

JOINED_WIDTH = 1024


class OffApexnet(nn.Module):
    """Two streams on maps, of which strain is not read. It predicts no AUs."""

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.map_scale = MapScale(settings)
        self.across, self.down = build_flow_stream(), build_flow_stream()
        self.joined = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(2 * 16 * 7 * 7, JOINED_WIDTH),
            nn.ReLU(),
            nn.Linear(JOINED_WIDTH, JOINED_WIDTH),
            nn.ReLU(),
        )
        self.out = nn.Sequential(nn.Dropout(0.5), nn.Linear(JOINED_WIDTH, classes))

    def forward(self, maps: Tensor) -> tuple[Tensor, None]:
        """Maps [B,3,28,28] (u, v in px, strain) -> emotion logits [B,C], None."""
        u, v = self.map_scale(maps)[:, :2].split(1, 1)  # [B,1,28,28] each
        return self.out(self.joined(torch.cat([self.across(u), self.down(v)], 1))), None  # [B,1568] -> [B,C]


def build_flow_stream() -> nn.Sequential:
    """[B,1,28,28] -> [B,784]."""
    layers: list[nn.Module] = []
    for width_in, width in ((1, 6), (6, 16)):  # 28 -> 14 -> 7 rows and columns
        layers += [nn.Conv2d(width_in, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())

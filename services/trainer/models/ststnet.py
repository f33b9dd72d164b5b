"""STSTNet (Liong, Gan, See, Khor, Huang: Shallow triple stream three-dimensional CNN, FG 2019; arXiv 1902.03634).

Three shallow streams of 3, 5 and 8 filters see the same map, and their outputs are concatenated. Layers are those of
the authors' PyTorch code (github.com/christy1206/STSTNet, main.py): 1,683 parameters for 3 classes. That code trains
for 800 epochs, the authors' MATLAB script for 500 (5 in its first three commits), both with Adam at 5e-5 and 256 clips
per step. Both read 8-bit pictures. Here the map keeps its unit, divided by one number for motion and one for strain.
"""

import torch
from torch import Tensor, nn

from services.trainer.data.arrays import FLOW_COUNT
from services.trainer.models.input_scaling import FlowMapScale, MapScale
from shared.training.model_settings import ModelSettings

STREAM_FILTERS = (3, 5, 8)


class Ststnet(nn.Module):
    """Three shallow streams on maps. It predicts no AUs."""

    def __init__(self, classes: int, settings: ModelSettings, channels: int = 3) -> None:
        super().__init__()
        self.map_scale = MapScale(settings)
        self.streams = nn.ModuleList(build_shallow_stream(filters, channels) for filters in STREAM_FILTERS)
        self.pool = nn.AvgPool2d(2)
        self.out = nn.Linear(5 * 5 * sum(STREAM_FILTERS), classes)

    def forward(self, maps: Tensor) -> tuple[Tensor, None]:
        """Maps [B,3,28,28] (u, v in px, strain) -> emotion logits [B,C], None."""
        return self.classify(self.map_scale(maps)), None

    def classify(self, scaled: Tensor) -> Tensor:
        """Scaled maps [B,channels,28,28] -> emotion logits [B,C]."""
        seen = torch.cat([each(scaled) for each in self.streams], 1)  # [B,16,10,10]
        logits: Tensor = self.out(self.pool(seen).flatten(1))  # [B,400] -> [B,C]
        return logits


class StstnetFlows(nn.Module):
    """STSTNet on the map and the nine flows that lead to it, as 21 channels. No publication has it.

    It shows what nine flows of the whole face are worth to a published network. `fmer-lite` sees them at the ROIs.
    """

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.ststnet = Ststnet(classes, settings, channels=3 + 2 * FLOW_COUNT)
        self.flow_scale = FlowMapScale(settings)

    def forward(self, maps: Tensor, flow_maps: Tensor) -> tuple[Tensor, None]:
        """Maps [B,3,28,28] (u, v in px, strain), flow maps [B,9,2,28,28] px -> emotion logits [B,C], None."""
        flows = self.flow_scale(flow_maps.float()).flatten(1, 2)  # [B,18,28,28]
        return self.ststnet.classify(torch.cat([self.ststnet.map_scale(maps), flows], 1)), None


def build_shallow_stream(filters: int, channels: int = 3) -> nn.Sequential:
    """[B,channels,28,28] -> [B,filters,10,10]. A border of two enlarges 28 to 30 rows and columns."""
    return nn.Sequential(
        nn.Conv2d(channels, filters, 3, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(filters),
        nn.MaxPool2d(3, 3, padding=1),
        nn.Dropout(0.5),
    )

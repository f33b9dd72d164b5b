"""SSSNet, a shallow single stream (Varanka, Peng, Zhao: Micro-expression recognition with noisy labels, 2021).

Layers are those of the authors' code (github.com/tvaranka/meb, meb/models/me_networks.py): 1,349,251 parameters for 3
classes. A notebook of the same repository trains it on maps of 64x64 px, for 200 epochs with Adam at 1e-4 and a weight
decay of 1e-3. Here the map of 28x28 px is enlarged to that size. This adds no detail and keeps every layer. The weight
decay is AdamW's.
"""

from torch import Tensor, nn
from torch.nn import functional

from services.trainer.models.input_scaling import MapScale
from shared.training.model_settings import ModelSettings

SSSNET_SIDE = 64  # px; the input side that the layers need


class Sssnet(nn.Module):
    """A shallow stream on maps. It predicts no AUs."""

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.map_scale = MapScale(settings)
        self.seen = nn.Sequential(
            *build_conv_layer(3, 32, 5, 3),  # 64 -> 60 -> 20
            *build_conv_layer(32, 64, 3, 2),  # 20 -> 18 -> 9
            nn.Flatten(),
        )
        self.joined = nn.Sequential(nn.Linear(64 * 9 * 9, 256), nn.ReLU(), nn.Dropout(0.5))
        self.out = nn.Linear(256, classes)

    def forward(self, maps: Tensor) -> tuple[Tensor, None]:
        """Maps [B,3,28,28] (u, v in px, strain) -> emotion logits [B,C], None."""
        large = functional.interpolate(
            self.map_scale(maps), size=(SSSNET_SIDE, SSSNET_SIDE), mode="bilinear", align_corners=False
        )
        return self.out(self.joined(self.seen(large))), None  # [B,3,64,64] -> [B,5184] -> [B,256] -> [B,C]


def build_conv_layer(width_in: int, width: int, kernel: int, pool: int) -> list[nn.Module]:
    """Convolution, ReLU, pooling, BatchNorm, and dropout of whole channels."""
    conv = nn.Conv2d(width_in, width, kernel)
    return [conv, nn.ReLU(), nn.MaxPool2d(pool), nn.BatchNorm2d(width), nn.Dropout2d(0.5)]

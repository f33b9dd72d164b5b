"""RCN-A (Xia, Peng, Khor, Feng, Zhao: Revealing the invisible with model and data shrinking for composite-database
micro-expression recognition, IEEE TIP 2020): a recurrent convolution and an attention without parameters of its own.

Layers are those of the authors' code (github.com/xiazhaoqiang/ParameterFreeRCNs-MicroExpressionRec, `rcn_a`, version 3;
also in github.com/tvaranka/meb). Sizes are those of its README's command, 32 feature maps and 5x5 places: 15,331
parameters for 3 classes. The defaults of its training script are 64 and 7 (55,747 parameters). Neither names the size
of the input. Here it is the map of 28x28 px. One thing differs: a constant class map is divided by a small number, in
the authors' code by zero.
"""

from torch import Tensor, nn

from services.trainer.models.input_scaling import MapScale
from shared.training.model_settings import ModelSettings

FEATURE_MAP_COUNT, POOLED_SIDE = 32, 5
SMALLEST_RANGE = 1e-6


class RcnA(nn.Module):
    """Recurrent convolution with attention, on maps. It predicts no AUs."""

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.map_scale = MapScale(settings)
        self.first = nn.Sequential(*build_conv_unit(3, 5, 0), nn.MaxPool2d(2), nn.Dropout(0.5))  # 28 -> 24 -> 12
        self.recurrent = RecurrentConv()
        self.places = nn.AdaptiveAvgPool2d(POOLED_SIDE)
        self.out = nn.Linear(FEATURE_MAP_COUNT * POOLED_SIDE**2, classes)
        self.apply(_initialise_weights)

    def forward(self, maps: Tensor) -> tuple[Tensor, None]:
        """Maps [B,3,28,28] (u, v in px, strain) -> emotion logits [B,C], None."""
        seen = self.first(self.map_scale(maps))  # [B,32,12,12]
        attention = self.attention_map(self.places(seen))  # [B,1,5,5]
        return self.out((self.places(self.recurrent(seen)) * attention).flatten(1)), None

    def attention_map(self, seen: Tensor) -> Tensor:
        """Early features [B,32,5,5] -> attention [B,1,5,5].

        It is their product with the classifier's weights, scaled to 0..1 by class, averaged over the classes.
        """
        weights = self.out.weight.view(-1, FEATURE_MAP_COUNT, POOLED_SIDE, POOLED_SIDE)  # [C,32,5,5]
        found = (weights * seen[:, None]).mean(2)  # [B,C,5,5]
        found = found - found.amin((2, 3), keepdim=True)
        return (found / found.amax((2, 3), keepdim=True).clamp(min=SMALLEST_RANGE)).mean(1, keepdim=True)


class RecurrentConv(nn.Module):
    """One 3x3 convolution, applied twice with the input added."""

    def __init__(self) -> None:
        super().__init__()
        self.forth = nn.Sequential(*build_conv_unit(FEATURE_MAP_COUNT, 1, 0))
        self.again = nn.Sequential(*build_conv_unit(FEATURE_MAP_COUNT, 3, 1))
        self.down = nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.5))

    def forward(self, seen: Tensor) -> Tensor:
        """[B,32,12,12] -> [B,32,6,6]."""
        state = self.again(seen + self.forth(seen))
        return self.down(self.again(seen + state))


def build_conv_unit(width_in: int, kernel: int, padding: int) -> list[nn.Module]:
    """Convolution to 32 feature maps, BatchNorm, ReLU."""
    return [
        nn.Conv2d(width_in, FEATURE_MAP_COUNT, kernel, padding=padding),
        nn.BatchNorm2d(FEATURE_MAP_COUNT),
        nn.ReLU(),
    ]


def _initialise_weights(module: nn.Module) -> None:
    """Initialise like the authors' code."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)

"""Networks by name. All take (patches [B,9,2,30,7,7] px, clip [B,3,16,144,144] RGB 0..255) and return
(emotion logits [B,C], AU logits [B,9])."""

from collections.abc import Callable

from torch import nn

from services.trainer.models.fmer import Fmer
from services.trainer.models.lite import FmerLite
from services.trainer.models.settings import PROFILES, ModelSettings
from shared.stage import resolve

MODELS: dict[str, Callable[[int, ModelSettings], nn.Module]] = {"fmer": Fmer, "fmer-lite": FmerLite}


def build(name: str, classes: int, profile: str | ModelSettings = "corrected") -> nn.Module:
    """A fresh network. Raises ValueError for an unknown name or profile, or fewer than two classes."""
    if name not in MODELS:
        raise ValueError(f"Unknown model {name!r}: expected one of {', '.join(sorted(MODELS))}.")
    if classes < 2:
        raise ValueError(f"A model tells at least 2 classes apart, got classes={classes}.")
    return MODELS[name](classes, resolve(profile, PROFILES))

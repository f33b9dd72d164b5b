"""Networks by name and their input arrays: the paper's network, and the field's baselines on a map of the motion.

Inputs: patches [B,9,2,30,7,7] px, clip [B,3,16,144,144] RGB 0..255, maps [B,3,28,28] (u, v in px, strain) from onset to
apex, flow_maps [B,9,2,28,28] (u, v in px) of each flow. `learners.map_input` prepares maps before a network reads them.
All networks return (emotion logits [B,C], AU logits [B,K]). AU logits are None if the published model has no AU head.
`fmer` always predicts the paper's nine units, `fmer-lite` the K units of the run.
"""

from collections.abc import Callable, Sequence

from torch import nn

from services.trainer.models.fmer import Fmer
from services.trainer.models.fmer_lite import FmerLite
from services.trainer.models.htnet import Htnet
from services.trainer.models.off_apexnet import OffApexnet
from services.trainer.models.rcn_a import RcnA
from services.trainer.models.sssnet import Sssnet
from services.trainer.models.ststnet import Ststnet, StstnetFlows
from shared.stage import settings_for_profile
from shared.training.annotations import PAPER_UNITS
from shared.training.model_settings import MODEL_PROFILES, ModelSettings

MODEL_CLASSES: dict[str, Callable[[int, ModelSettings], nn.Module]] = {
    "fmer": Fmer,
    "fmer-lite": FmerLite,
    "ststnet": Ststnet,
    "ststnet-flows": StstnetFlows,
    "off-apexnet": OffApexnet,
    "sssnet": Sssnet,
    "rcn-a": RcnA,
    "htnet": Htnet,
}
MODELS_OF_ANY_UNITS: dict[str, Callable[[int, ModelSettings, Sequence[int]], nn.Module]] = {"fmer-lite": FmerLite}
UNITS_BY_MODEL = {"fmer": PAPER_UNITS}  # networks with units of their own, whatever the run scores
ARRAYS_BY_MODEL: dict[str, tuple[str, ...]] = {
    "fmer": ("patches", "clip"),
    "fmer-lite": ("patches", "maps"),
    "ststnet": ("maps",),
    "ststnet-flows": ("maps", "flow_maps"),
    "off-apexnet": ("maps",),
    "sssnet": ("maps",),
    "rcn-a": ("maps",),
    "htnet": ("maps",),
}


def build_network(
    name: str, classes: int, profile: str | ModelSettings = "corrected", units: Sequence[int] = PAPER_UNITS
) -> nn.Module:
    """A fresh network for the action units of a run. Raises ValueError for an unknown name or profile, or fewer than
    two classes."""
    if name not in MODEL_CLASSES:
        raise ValueError(f"Unknown model {name!r}: expected one of {', '.join(sorted(MODEL_CLASSES))}.")
    if classes < 2:
        raise ValueError(f"Expected at least 2 classes, got {classes}.")
    settings = settings_for_profile(profile, MODEL_PROFILES)
    if name in MODELS_OF_ANY_UNITS:
        return MODELS_OF_ANY_UNITS[name](classes, settings, units)
    return MODEL_CLASSES[name](classes, settings)

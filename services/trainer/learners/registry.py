"""Learners by name: the networks and the baselines, and the arrays that each can be trained on."""

from collections.abc import Callable, Collection, Sequence

from services.trainer import models
from services.trainer.learners.base import Learner
from services.trainer.learners.baselines import LinearLearner, LinearMapsLearner, MajorityLearner
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.network import NetworkLearner
from services.trainer.learners.pooled_linear import PooledLinearLearner
from shared.errors import BadData
from shared.training.annotations import PAPER_UNITS
from shared.training.settings import TrainSettings

BASELINES: dict[str, Callable[[int, TrainSettings], Learner]] = {
    "majority": MajorityLearner,
    "linear": LinearLearner,
    "linear-maps": LinearMapsLearner,
    "pooled-linear": PooledLinearLearner,
}
# By learner: any one of these groups of arrays, all arrays of the group.
ARRAYS_BY_LEARNER: dict[str, tuple[tuple[str, ...], ...]] = {
    "majority": ((),),
    "linear": (("patches",), ("maps",)),
    "linear-maps": (("maps",),),
    "pooled-linear": (("maps",),),
    **{name: (needs,) for name, needs in models.ARRAYS_BY_MODEL.items()},
}


def create_learner(
    classes: int,
    settings: TrainSettings,
    seed: int = 0,
    device: TrainingDevice | None = None,
    units: Sequence[int] = PAPER_UNITS,
) -> Learner:
    """The learner that `settings.model` names, for the action units of a run. Baselines use neither seed nor device,
    and have the units of the clips that they are fitted to."""
    if settings.model in BASELINES:
        return BASELINES[settings.model](classes, settings)
    return NetworkLearner(classes, settings, seed, device, units_of_learner(settings.model, units))


def units_of_learner(name: str, units: Sequence[int]) -> tuple[int, ...]:
    """The action units that a learner predicts in a run that scores `units`."""
    return models.UNITS_BY_MODEL.get(name, tuple(units))


def trainable_learners(array_names: Collection[str]) -> list[str]:
    """The learners that need no other arrays than these."""
    return [
        name
        for name, choices in ARRAYS_BY_LEARNER.items()
        if any(set(arrays) <= set(array_names) for arrays in choices)
    ]


def require_arrays(array_names: Collection[str], learner_name: str, source: str) -> None:
    """Raises BadData unless the arrays that `source` holds suffice for the learner."""
    if learner_name not in (fitting := trainable_learners(array_names)):
        wanted = " or ".join(" and ".join(arrays) for arrays in ARRAYS_BY_LEARNER[learner_name])
        raise BadData(
            f"{source}: expected {wanted} for the model {learner_name!r}, got {', '.join(array_names)}. Choose a model "
            f"that can be trained on these: {', '.join(fitting)}."
        )

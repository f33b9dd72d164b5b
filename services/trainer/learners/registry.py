"""Which learners can be trained on which arrays: asked before anything is trained."""

from collections.abc import Collection

from services.trainer import models
from shared.errors import BadData

# By learner what it can be trained on: any of these, all that stands in one.
ARRAYS_BY_LEARNER: dict[str, tuple[tuple[str, ...], ...]] = {
    "majority": ((),),
    "linear": (("patches",), ("maps",)),
    **{name: (needs,) for name, needs in models.ARRAYS_BY_MODEL.items()},
}


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
            f"{source}: expected {wanted} for the model {learner_name!r}, got {', '.join(array_names)}; choose a "
            "model that can be "
            f"trained on these: {', '.join(fitting)}."
        )

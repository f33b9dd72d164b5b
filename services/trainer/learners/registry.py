"""Which learners can be trained on which arrays: asked before anything is trained."""

from collections.abc import Collection

from services.trainer import models
from shared.errors import BadData

# By learner what it can be trained on: any of these, all that stands in one.
ARRAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "majority": ((),),
    "linear": (("patches",), ("maps",)),
    **{name: (needs,) for name, needs in models.NEEDS.items()},
}


def trainable(holds: Collection[str]) -> list[str]:
    """The learners that need no other arrays than these."""
    return [name for name, choices in ARRAYS.items() if any(set(arrays) <= set(holds) for arrays in choices)]


def require(holds: Collection[str], model: str, source: str) -> None:
    """Raises BadData unless the arrays that `source` holds suffice for the learner."""
    if model not in (fitting := trainable(holds)):
        wanted = " or ".join(" and ".join(arrays) for arrays in ARRAYS[model])
        raise BadData(
            f"{source}: expected {wanted} for the model {model!r}, got {', '.join(holds)}; choose a model that can be "
            f"trained on these: {', '.join(fitting)}."
        )

"""Which learners can be trained on which arrays: asked before anything is trained."""

from collections.abc import Collection

from services.trainer import models
from services.trainer.dataset import Features
from shared.errors import BadData

INPUTS = {"patches-and-clip": ("patches", "clip"), "maps": ("maps",)}
ARRAYS: dict[str, tuple[str, ...]] = {
    "majority": (),
    "linear": ("patches",),
    **{name: INPUTS[needs] for name, needs in models.NEEDS.items()},
}


def trainable(holds: Collection[str]) -> list[str]:
    """The learners that need no other arrays than these."""
    return [name for name, arrays in ARRAYS.items() if set(arrays) <= set(holds)]


def require(features: Features, model: str) -> None:
    """Raises BadData unless the features hold what the learner needs."""
    absent = [what for what in ARRAYS[model] if what not in features.holds]
    if absent:
        raise BadData(
            f"Model {model!r} needs {' and '.join(ARRAYS[model])}, the features hold {', '.join(features.holds)}: no "
            f"{', '.join(absent)}. On these features can be trained: {', '.join(trainable(features.holds))}."
        )

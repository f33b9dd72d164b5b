"""Who trains on a stack needs one: the trainer's toy dataset, and trainers on it."""

from tests.unit.trainer.conftest import lab, trainer  # noqa: F401

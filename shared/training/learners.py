"""The learners of a run: its model, and the baselines beside it."""

from collections.abc import Sequence

from shared.training.settings import TrainSettings

REPORTED_BASELINES = ("majority", "linear")  # beside the model in every report
FOLD_VERSION = 5  # raise it when equal features and settings give another outcome: stored folds are then ignored


def expand_learners(
    settings: TrainSettings, seeds: int = 1, baselines: Sequence[str] = REPORTED_BASELINES
) -> list[TrainSettings]:
    """The settings of the model for each seed, from its own seed on; then those of the baselines."""
    names = [settings.model, *(name for name in baselines if name != settings.model)]
    all_seeds = range(settings.seed, settings.seed + seeds)
    return [settings.model_copy(update={"model": name, "seed": seed}) for name in names for seed in all_seeds]

"""The course of each fold's training: of finished folds from their outcomes, of others as the trainer stores it."""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

from pydantic import Field

from services.console.api.responses import RunAnswer
from services.console.runs.run_reader import RunReader
from shared.errors import BadData
from shared.pipeline_state import PipelineSnapshot
from shared.records import FoldResult, FrozenModel
from shared.store import NotStored
from shared.training.fold_course import FoldCourse, course_prefix

MOST_CURVES = 100  # of a run: each is a file of its own
KEPT_CURVES = 500  # over all runs


class FoldCurve(FrozenModel):
    """A fold of the run's model that is trained or finished. `loss` and `uf1` have a value per epoch so far.

    They are those of the training subjects, and empty for a learner that does not train by epochs.
    """

    held_out: str
    seed: int
    trained_on: int = Field(description="Clips.")
    tested_on: int = Field(description="Clips.")
    accuracy: float | None = Field(description="Null while the fold is trained.")
    seconds: float | None = Field(description="Null while the fold is trained, and if it existed already.")
    loss: tuple[float, ...] = ()
    uf1: tuple[float, ...] = ()


class CurveReader:
    """Reads the curves of runs. An outcome never changes, so it is read once."""

    def __init__(self, runs: RunReader) -> None:
        self.runs = runs
        self._read_course = lru_cache(maxsize=KEPT_CURVES)(self._read_course_once)

    def read_curves(self, snapshot: PipelineSnapshot, run: RunAnswer) -> list[FoldCurve]:
        """The newest MOST_CURVES folds of the run's model, by name and seed: finished ones, and those in training."""
        folds = [fold for fold in snapshot.folds.values() if (fold.run, fold.learner) == (run.id, run.model)]
        finished = {(fold.held_out, fold.seed) for fold in folds}
        growing = [] if run.folds is None else self._read_growing(run)
        shown = [self._describe_fold(fold) for fold in folds[-MOST_CURVES:]]
        shown += [fold for fold in growing if (fold.held_out, fold.seed) not in finished]
        return sorted(shown[-MOST_CURVES:], key=lambda fold: (fold.held_out, fold.seed))

    def _read_growing(self, run: RunAnswer) -> list[FoldCurve]:
        found = []
        for key in self.runs.store.list_keys(course_prefix(run.id)):
            with suppress(NotStored, BadData):  # a fold that is done has none any more
                course = FoldCourse.decode(self.runs.store.get(key))
                if course.learner == run.model:
                    fields = course.model_dump(exclude={"schema_name", "learner"})
                    found.append(FoldCurve(**fields, accuracy=None, seconds=None))
        return found

    def _describe_fold(self, fold: FoldResult) -> FoldCurve:
        loss, uf1 = self._read_course(fold.outcome)
        fields = fold.model_dump(include={"held_out", "seed", "trained_on", "tested_on", "accuracy", "seconds"})
        return FoldCurve(**fields, loss=loss, uf1=uf1)

    def _read_course_once(self, key: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Loss and UF1 by epoch, empty if the outcome is gone or of another version."""
        try:
            epochs: Sequence[dict[str, float]] = self.runs.read_json(key).get("epochs", ())
            return tuple(float(each["loss"]) for each in epochs), tuple(float(each["uf1"]) for each in epochs)
        except (KeyError, TypeError, ValueError):
            return (), ()


def draw_lines(series: Sequence[Sequence[float]], top: float, width: float, height: float) -> list[str]:
    """The points of a line for each series, as SVG has them. At the upper edge is `top`, at the lower one 0."""
    longest = max((len(values) for values in series), default=0)
    step = width / max(1, longest - 1)
    return [
        " ".join(f"{at * step:.1f},{height * (1 - min(max(value / top, 0), 1)):.1f}" for at, value in enumerate(values))
        for values in series
    ]

"""What clients are told of runs and datasets."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from services.trainer.runs.state import Known
from shared.records import Dataset, Figures, Model, Run, RunResult


class Folds(Model):
    """Of the model and its baselines together. `total` is None where the run's contents can't be read."""

    done: int
    total: int | None


class RunAnswer(Model):
    """One run. `figures` by learner and `files` (where to fetch them) once it is done; `reason` if it can't be."""

    id: str
    url: str
    state: Literal["planned", "training", "done", "failed"]
    dataset: str
    pipeline: str
    model: str
    protocol: str
    seed: int | None
    seeds: int
    folds: Folds | None = Field(description="None where the run is over.")
    reason: str = ""
    figures: dict[str, Figures] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    created: datetime


class DatasetAnswer(Model):
    """One dropped dataset, in clips: `clips` = with `features` + `buried` + `waiting`. `left_out` says why, clip by
    clip, also of what could not be used as it lies."""

    name: str
    pipeline: str
    profile: str
    clips: int
    features: int
    waiting: int
    buried: int
    left_out: tuple[str, ...]
    complete: bool
    created: datetime


def datasets(known: Known) -> Iterator[DatasetAnswer]:
    """The newest first."""
    return (_dataset(known, each) for each in sorted(known.datasets.values(), key=_created, reverse=True))


def _dataset(known: Known, dataset: Dataset) -> DatasetAnswer:
    now = known.standing(dataset)
    return DatasetAnswer(
        name=dataset.name,
        pipeline=dataset.pipeline.digest,
        profile=dataset.pipeline.profile,
        clips=len(dataset.clips),
        features=len(now.features),
        waiting=now.waiting,
        buried=now.buried,
        left_out=now.left_out,
        complete=dataset.complete,
        created=dataset.created,
    )


def run(known: Known, name: str, total: Callable[[Run], int | None]) -> RunAnswer | None:
    """`total` tells how many folds a run has. None for a run that nobody started."""
    if result := known.results.get(name):
        return _over(result)
    if started := known.runs.get(name):
        done = sum(fold.run == name for fold in known.folds.values())
        return _under_way(started, Folds(done=done, total=total(started)))
    return None


def runs(known: Known, dataset: str | None, limit: int, total: Callable[[Run], int | None]) -> list[RunAnswer]:
    """The newest first."""
    done = Counter(fold.run for fold in known.folds.values())
    every: dict[str, Run | RunResult] = {**known.runs, **known.results}
    wanted = [(name, each) for name, each in every.items() if dataset in (None, each.dataset)]
    newest = sorted(wanted, key=lambda named: _created(named[1]), reverse=True)[:limit]
    return [
        _over(each) if isinstance(each, RunResult) else _under_way(each, Folds(done=done[name], total=total(each)))
        for name, each in newest
    ]


def _under_way(run: Run, folds: Folds) -> RunAnswer:
    state: Literal["planned", "training"] = "training" if folds.done else "planned"
    return RunAnswer(id=run.id, url=f"/runs/{run.id}", state=state, folds=folds, **_about(run))


def _over(result: RunResult) -> RunAnswer:
    url = f"/runs/{result.run}"
    return RunAnswer(
        id=result.run,
        url=url,
        state=result.status,
        folds=None,
        reason=result.reason,
        figures=result.figures,
        files={name: f"{url}/{name}" for name in result.files},
        **_about(result),
    )


def _about(each: Run | RunResult) -> dict[str, Any]:
    return each.model_dump(include={"dataset", "pipeline", "model", "protocol", "seed", "seeds", "created"})


def _created(each: Dataset | Run | RunResult) -> datetime:
    return each.created

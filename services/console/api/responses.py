"""What the API answers about runs and datasets."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.pipeline_state import PipelineSnapshot
from shared.records import Dataset, Figures, FrozenModel, Run, RunResult
from shared.training.definition import run_identity


class FoldCounts(FrozenModel):
    """Folds of the model and its baselines. `total` is None if the run's contents cannot be read."""

    done: int
    total: int | None


class RunAnswer(FrozenModel):
    """One run. A finished run has `figures` by learner and `files` with the paths of their URLs.

    A run that failed or was cancelled has a `reason`.
    """

    id: str
    url: str
    state: Literal["planned", "training", "done", "failed", "cancelled"]
    dataset: str
    pipeline: str
    model: str
    protocol: str
    seed: int | None
    seeds: int
    folds: FoldCounts | None = Field(description="Null for a run that has ended.")
    reason: str = ""
    figures: dict[str, Figures] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    created: datetime


class DatasetAnswer(FrozenModel):
    """One uploaded dataset. `clips` counts those with `features`, those `waiting` and those in `left_out`.

    `left_out` has a sentence for each clip that has a fault or became a dead letter. `buried` counts the dead letters.
    """

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


def list_dataset_answers(snapshot: PipelineSnapshot) -> Iterator[DatasetAnswer]:
    """All datasets, the newest first."""
    newest = sorted(snapshot.datasets.values(), key=locate_dataset, reverse=True)
    return (describe_dataset(snapshot, dataset) for dataset in newest)


def locate_dataset(dataset: Dataset) -> tuple[float, str]:
    """Its place in lists by age."""
    return dataset.created.timestamp(), dataset.key


def describe_dataset(snapshot: PipelineSnapshot, dataset: Dataset) -> DatasetAnswer:
    """The answer for one dataset."""
    now = snapshot.progress_of(dataset)
    return DatasetAnswer(
        name=dataset.name,
        pipeline=dataset.pipeline.digest,
        profile=dataset.pipeline.profile,
        clips=now.clip_count,
        features=len(now.features),
        waiting=now.pending_count,
        buried=now.buried_count,
        left_out=now.left_out,
        complete=dataset.complete,
        created=dataset.created,
    )


def find_run_answer(
    snapshot: PipelineSnapshot, run_id: str, count_folds: Callable[[Run], int | None]
) -> RunAnswer | None:
    """The answer for one run, None if there is no such run. `count_folds` returns how many folds a run has."""
    if result := snapshot.results.get(run_id):
        return _finished_answer(result)
    if started := snapshot.runs.get(run_id):
        done = sum(fold.run == run_id for fold in snapshot.folds.values())
        return _unfinished_answer(started, FoldCounts(done=done, total=count_folds(started)))
    return None


def order_runs(snapshot: PipelineSnapshot, dataset: str | None = None) -> list[Run | RunResult]:
    """All runs, or those of one dataset: its result if a run has one. The newest first."""
    every: dict[str, Run | RunResult] = {**snapshot.runs, **snapshot.results}
    wanted = [each for each in every.values() if dataset in (None, each.dataset)]
    return sorted(wanted, key=locate_run, reverse=True)


def locate_run(run: Run | RunResult) -> tuple[float, str]:
    """Its place in lists by age."""
    return run.created.timestamp(), run.key


def describe_runs(
    snapshot: PipelineSnapshot, runs: Iterable[Run | RunResult], count_folds: Callable[[Run], int | None]
) -> list[RunAnswer]:
    """The answers for some of the runs. `count_folds` returns how many folds a run has."""
    done = Counter(fold.run for fold in snapshot.folds.values())
    return [
        _finished_answer(each)
        if isinstance(each, RunResult)
        else _unfinished_answer(each, FoldCounts(done=done[each.key], total=count_folds(each)))
        for each in runs
    ]


def _unfinished_answer(run: Run, folds: FoldCounts) -> RunAnswer:
    state: Literal["planned", "training"] = "training" if folds.done else "planned"
    return RunAnswer(
        id=run.id, url=f"/runs/{run.id}", state=state, folds=folds, created=run.created, **run_identity(run)
    )


def _finished_answer(result: RunResult) -> RunAnswer:
    url = f"/runs/{result.run}"
    return RunAnswer(
        id=result.run,
        url=url,
        state=result.status,
        folds=None,
        reason=result.reason,
        figures=result.figures,
        files={name: f"{url}/{name}" for name in result.files},
        created=result.created,
        **run_identity(result),
    )

"""What a training run consists of, and the name that says so."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from services.trainer.data import features as features_
from services.trainer.data.annotations import person
from services.trainer.evaluation.clip_selection import contents_of, taken
from services.trainer.evaluation.protocol import Protocol, folds
from services.trainer.experiment import learners
from services.trainer.folds.fold import VERSION
from services.trainer.options import Choice
from services.trainer.runs.manifest import stated
from services.trainer.settings import TrainSettings
from shared.dataset_progress import Standing
from shared.errors import BadData
from shared.records import Dataset, Record, Run, RunContents, RunResult, digest
from shared.store import Store


def compose(
    dropped: Sequence[tuple[Dataset, Standing]], choice: Choice, device: str = "cpu"
) -> tuple[Run, RunContents]:
    """The run that dropped datasets as they stand, pooled, and a choice of settings make; equal ones have equal ids,
    in whatever order the datasets come. Raises BadData for none, for one twice, and for several pipelines."""
    parts = sorted(dropped, key=lambda part: part[0].name)
    name, pipeline = "+".join(dataset.name for dataset, _ in parts), _pipeline([dataset for dataset, _ in parts])
    records = [record for _, now in parts for record in now.features]
    faults = [fault for _, now in parts for fault in now.left_out]
    contents = stated(name, pipeline, choice, records, faults=faults, device=device)
    run = Run(
        id=_id(contents),
        dataset=name,
        pipeline=pipeline,
        model=choice.settings.model,
        protocol=choice.protocol.name,
        seed=choice.settings.seed,
        seeds=choice.seeds,
    )
    return run, contents


def _pipeline(datasets: Sequence[Dataset]) -> str:
    """The digest of the one pipeline that made the features of all."""
    names, digests = [each.name for each in datasets], {each.pipeline.digest for each in datasets}
    if len(set(names)) < len(names) or not names:
        raise BadData(f"Expected different datasets to train on together, got {', '.join(names) or 'none'}.")
    if len(digests) > 1:
        told = ", ".join(f"{each.name} {each.pipeline.digest}" for each in datasets)
        raise BadData(
            f"Expected datasets of one pipeline, got {told}: drop them again with the same profile and overrides."
        )
    return digests.pop()


def _id(contents: RunContents) -> str:
    """Features by content and labels: who made them, when and where, shapes nothing."""
    shaped_by = contents.model_dump(mode="json", exclude={"features", "table", "environment"})
    return digest([shaped_by, VERSION])[:32]


def refused(dataset: Dataset, reason: str) -> RunResult:
    """The outcome of a dataset whose training settings make no sense."""
    about = [dataset.name, dataset.pipeline.digest, dataset.train, reason]
    return RunResult(
        run=digest(about)[:32],
        dataset=dataset.name,
        pipeline=dataset.pipeline.digest,
        model=str(dataset.train.get("model") or ""),
        status="failed",
        reason=reason,
    )


def failed(run: Run, reason: str) -> RunResult:
    """The outcome of a run that can't be done with these data. Publish the run again once they are mended."""
    return RunResult(run=run.id, status="failed", reason=reason, **about(run))


def about(run: Run) -> dict[str, Any]:
    """What a run's result repeats of the run."""
    return run.model_dump(include={"dataset", "pipeline", "model", "protocol", "seed", "seeds"})


def opened(store: Store, run: Run) -> tuple[RunContents, Choice]:
    """Raises BadData."""
    contents = RunContents.decode(store.get(run.contents))
    return contents, choice_of(contents, run.contents)


def choice_of(contents: RunContents, told: str) -> Choice:
    """`told` is what a fault begins with. Raises BadData."""
    try:
        settings = TrainSettings.model_validate(contents.settings)
        protocol = Protocol.model_validate(contents.protocol)
        return Choice(settings, contents.classes, protocol, contents.seeds)
    except ValidationError as error:
        raise BadData(f"{told} has settings of another version of the trainer: {error}") from None


def tasks(records: Sequence[Record], choice: Choice) -> list[tuple[str, int, str]]:
    """(learner, seed, what is held out) of every fold, those of the model first: they take longest. Raises BadData."""
    samples, contents = [record.sample for record in records], [contents_of(record) for record in records]
    found = taken(samples, choice.protocol, choice.classes, contents)
    rows, classes = features_.select(found.clips, found.classes, found.others)
    kept = [found.clips[row] for row in rows]
    divided = folds(
        choice.protocol, [person(clip) for clip in kept], [classes.index(str(clip.emotion)) for clip in kept]
    )
    return [
        (each.model, each.seed, fold.held_out) for each in learners(choice.settings, choice.seeds) for fold in divided
    ]

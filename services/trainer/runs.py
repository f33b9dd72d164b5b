"""What a training run consists of, and the name that says so."""

from collections.abc import Sequence

from pydantic import ValidationError

from services.trainer import dataset as features_
from services.trainer import folds, protocol
from services.trainer.choice import Choice
from services.trainer.experiment import learners
from services.trainer.labels import person
from services.trainer.settings import TrainSettings
from services.trainer.standing import Standing
from shared.errors import BadData
from shared.records import Dataset, Record, Run, RunContents, RunResult, digest
from shared.store import Store


def compose(dropped: Sequence[tuple[Dataset, Standing]], choice: Choice) -> tuple[Run, RunContents]:
    """The run that dropped datasets as they stand, pooled, and a choice of settings make; equal ones have equal ids,
    in whatever order the datasets come. Raises BadData for none, for one twice, and for several pipelines."""
    parts = sorted(dropped, key=lambda part: part[0].name)
    name, pipeline = "+".join(dataset.name for dataset, _ in parts), _pipeline([dataset for dataset, _ in parts])
    contents = RunContents(
        dataset=name,
        pipeline=pipeline,
        settings=choice.settings.model_dump(mode="json"),
        classes=choice.classes,
        features=sorted((record for _, now in parts for record in now.features), key=lambda record: record.key),
        faults=[fault for _, now in parts for fault in now.left_out],
    )
    about = {"dataset": name, "pipeline": pipeline}
    return Run(id=_id(contents), model=choice.settings.model, seed=choice.settings.seed, **about), contents


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
    """Features by content and labels: who made them, and when, shapes nothing."""
    shaped_by = contents.model_dump(mode="json", exclude={"features"})
    clips = [[each.key, each.artifact.sha256, *_labels(each)] for each in contents.features]
    return digest([shaped_by, clips, folds.VERSION])[:32]


def _labels(record: Record) -> list[object]:
    return [record.sample.emotion, sorted(map(str, record.sample.aus))]


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
    about = {"dataset": run.dataset, "pipeline": run.pipeline, "model": run.model, "seed": run.seed}
    return RunResult(run=run.id, status="failed", reason=reason, **about)


def opened(store: Store, run: Run) -> tuple[RunContents, Choice]:
    """Raises BadData."""
    contents = RunContents.decode(store.get(run.contents))
    try:
        return contents, Choice(TrainSettings.model_validate(contents.settings), contents.classes)
    except ValidationError as error:
        raise BadData(f"{run.contents} has settings of another version of the trainer: {error}") from None


def tasks(records: Sequence[Record], choice: Choice) -> list[tuple[str, str]]:
    """(learner, subject) of every fold, those of the model first: they take longest. Raises BadData."""
    samples = [record.sample for record in records]
    kept, _ = features_.select(samples, choice.classes, choice.others)
    subjects = [fold.subject for fold in protocol.loso([person(samples[row]) for row in kept])]
    return [(each.model, subject) for each in learners(choice.settings) for subject in subjects]

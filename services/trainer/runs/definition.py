"""What a training run consists of, and the name that says so."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from services.trainer.data import features as features_
from services.trainer.data.annotations import subject_id
from services.trainer.evaluation.clip_selection import content_digests, select_by_protocol
from services.trainer.evaluation.protocol import ProtocolSettings, protocol_folds
from services.trainer.experiment import expand_learners
from services.trainer.folds.fold import FOLD_VERSION
from services.trainer.options import TrainingOptions
from services.trainer.runs.manifest import describe_run
from services.trainer.settings import TrainSettings
from shared.dataset_progress import DatasetProgress
from shared.errors import BadData
from shared.records import Dataset, Record, Run, RunContents, RunResult, json_digest
from shared.store import Store


def compose_run(
    dropped: Sequence[tuple[Dataset, DatasetProgress]], options: TrainingOptions, device: str = "cpu"
) -> tuple[Run, RunContents]:
    """The run that dropped datasets as they stand, pooled, and a choice of settings make; equal ones have equal ids,
    in whatever order the datasets come. Raises BadData for none, for one twice, and for several pipelines."""
    parts = sorted(dropped, key=lambda part: part[0].name)
    name, pipeline = "+".join(dataset.name for dataset, _ in parts), _common_pipeline([dataset for dataset, _ in parts])
    records = [record for _, now in parts for record in now.features]
    faults = [fault for _, now in parts for fault in now.left_out]
    contents = describe_run(name, pipeline, options, records, faults=faults, device=device)
    run = Run(
        id=_run_id(contents),
        dataset=name,
        pipeline=pipeline,
        model=options.settings.model,
        protocol=options.protocol.name,
        seed=options.settings.seed,
        seeds=options.seeds,
    )
    return run, contents


def _common_pipeline(datasets: Sequence[Dataset]) -> str:
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


def _run_id(contents: RunContents) -> str:
    """Features by content and labels: who made them, when and where, shapes nothing."""
    shaped_by = contents.model_dump(mode="json", exclude={"features", "table", "environment"})
    return json_digest([shaped_by, FOLD_VERSION])[:32]


def rejected_result(dataset: Dataset, reason: str) -> RunResult:
    """The outcome of a dataset whose training settings make no sense."""
    about = [dataset.name, dataset.pipeline.digest, dataset.train, reason]
    return RunResult(
        run=json_digest(about)[:32],
        dataset=dataset.name,
        pipeline=dataset.pipeline.digest,
        model=str(dataset.train.get("model") or ""),
        status="failed",
        reason=reason,
    )


def failed_result(run: Run, reason: str) -> RunResult:
    """The outcome of a run that can't be done with these data. Publish the run again once they are mended."""
    return RunResult(run=run.id, status="failed", reason=reason, **run_identity(run))


def run_identity(run: Run) -> dict[str, Any]:
    """What a run's result repeats of the run."""
    return run.model_dump(include={"dataset", "pipeline", "model", "protocol", "seed", "seeds"})


def open_run(store: Store, run: Run) -> tuple[RunContents, TrainingOptions]:
    """Raises BadData."""
    contents = RunContents.decode(store.get(run.contents_key))
    return contents, options_of_run(contents, run.contents_key)


def options_of_run(contents: RunContents, location: str) -> TrainingOptions:
    """`told` is what a fault begins with. Raises BadData."""
    try:
        settings = TrainSettings.model_validate(contents.settings)
        protocol = ProtocolSettings.model_validate(contents.protocol)
        return TrainingOptions(settings, contents.classes, protocol, contents.seeds)
    except ValidationError as error:
        raise BadData(f"{location} has settings of another version of the trainer: {error}") from None


def list_folds(records: Sequence[Record], options: TrainingOptions) -> list[tuple[str, int, str]]:
    """(learner, seed, what is held out) of every fold, those of the model first: they take longest. Raises BadData."""
    samples, contents = [record.sample for record in records], [content_digests(record) for record in records]
    found = select_by_protocol(samples, options.protocol, options.classes, contents)
    rows, classes = features_.select_clips(found.clips, found.classes, found.other_emotions)
    kept = [found.clips[row] for row in rows]
    divided = protocol_folds(
        options.protocol, [subject_id(clip) for clip in kept], [classes.index(str(clip.emotion)) for clip in kept]
    )
    return [
        (each.model, each.seed, fold.held_out)
        for each in expand_learners(options.settings, options.seeds)
        for fold in divided
    ]

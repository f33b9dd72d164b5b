"""The contents of a training run, and the id that follows from them."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pydantic import ValidationError

from shared.dataset_progress import DatasetProgress
from shared.errors import BadData, first_problem
from shared.records import Dataset, Record, Run, RunResult, json_digest
from shared.run_contents import RunContents, read_contents
from shared.store import Store
from shared.training.annotations import subject_id
from shared.training.clip_selection import ProtocolClip, content_digests, select_by_protocol, select_clips
from shared.training.learners import FOLD_VERSION, expand_learners
from shared.training.manifest import describe_run
from shared.training.options import TrainingOptions
from shared.training.protocol import ProtocolSettings, protocol_folds
from shared.training.settings import TrainSettings


def compose_run(
    datasets: Sequence[tuple[Dataset, DatasetProgress]], options: TrainingOptions, device: str = "cpu"
) -> tuple[Run, RunContents]:
    """The run on uploaded datasets, pooled, with these options.

    Equal runs have equal ids, in any order of the datasets. Raises BadData for no dataset, for one
    that is named twice, and for datasets of several pipelines.
    """
    parts = sorted(datasets, key=lambda part: part[0].name)
    name, pipeline = "+".join(dataset.name for dataset, _ in parts), _common_pipeline([dataset for dataset, _ in parts])
    records = reduce(add, (progress.features for _, progress in parts))
    faults = [fault for _, progress in parts for fault in progress.left_out]
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
    """The digest of the pipeline of all datasets. Raises BadData if there is not exactly one."""
    names, digests = [each.name for each in datasets], {each.pipeline.digest for each in datasets}
    if len(set(names)) < len(names) or not names:
        raise BadData(
            f"Expected different datasets to train on together, got {', '.join(names) or 'none'}. Name each once."
        )
    if len(digests) > 1:
        found = ", ".join(f"{each.name} {each.pipeline.digest}" for each in datasets)
        raise BadData(
            f"Expected datasets of one pipeline, got {found}; upload them again with the same profile and overrides."
        )
    return digests.pop()


def _run_id(contents: RunContents) -> str:
    """The id depends on content and labels of the features, not on who computed them, when or where."""
    identifying = contents.model_dump(mode="json", exclude={"features", "table", "environment"})
    return json_digest([identifying, FOLD_VERSION])[:32]


def rejected_result(dataset: Dataset, reason: str) -> RunResult:
    """The result of a dataset whose training settings are invalid."""
    identifying = [dataset.name, dataset.pipeline.digest, dataset.train, reason]
    return RunResult(
        run=json_digest(identifying)[:32],
        dataset=dataset.name,
        pipeline=dataset.pipeline.digest,
        model=str(dataset.train.get("model") or ""),
        status="failed",
        reason=reason,
    )


def failed_result(run: Run, reason: str) -> RunResult:
    """The result of a run that cannot be trained on its data. After a correction, publish the run again."""
    return RunResult(run=run.id, status="failed", reason=reason, **run_identity(run))


def cancelled_result(run: Run, reason: str) -> RunResult:
    """The result of a run that somebody cancelled. The same request starts it again."""
    return RunResult(run=run.id, status="cancelled", reason=reason, **run_identity(run))


def run_identity(run: Run | RunResult) -> dict[str, Any]:
    """The fields that a run, its result and the API's answer have in common."""
    return run.model_dump(include={"dataset", "pipeline", "model", "protocol", "seed", "seeds"})


def list_stored_folds(store: Store, run: Run, scratch: Path | None = None) -> list[tuple[str, int, str]]:
    """`list_folds` of a run in the store, whose records are read one at a time. Raises BadData as `open_run` too."""
    with NamedTemporaryFile(dir=scratch) as file:
        store.fetch_file(run.contents_key, Path(file.name))
        contents, features = read_contents(file)
        return list_folds(features, options_of_run(contents, run.contents_key))


def open_run(store: Store, run: Run) -> tuple[RunContents, TrainingOptions]:
    """The contents and options of a run. Raises BadData if they cannot be read."""
    contents = RunContents.decode(store.get(run.contents_key))
    return contents, options_of_run(contents, run.contents_key)


def options_of_run(contents: RunContents, location: str) -> TrainingOptions:
    """The options of a run. Raises BadData that begins with `location`."""
    try:
        settings = TrainSettings.model_validate(contents.settings)
        protocol = ProtocolSettings.model_validate(contents.protocol)
        return TrainingOptions(settings, contents.classes, protocol, contents.seeds)
    except ValidationError as error:
        field, value, message = first_problem(error)
        raise BadData(
            f"{location}: expected settings of this version of the trainer, got {field} {value!r}: {message}; "
            "start the run again."
        ) from None


def list_folds(records: Iterable[Record], options: TrainingOptions) -> list[tuple[str, int, str]]:
    """(learner, seed, held-out group) of every fold. Those of the model are first: they take longest.

    The records are read once, and none is kept. Raises BadData if the clips cannot be divided by the protocol.
    """
    clips, contents = [], []
    for row, record in enumerate(records):  # no fold depends on action units
        each = record.sample
        clips.append(ProtocolClip(row, each.dataset, each.subject, each.clip, each.emotion, aus=()))
        contents.append(content_digests(record))
    found = select_by_protocol(clips, options.protocol, options.classes, contents)
    rows, classes = select_clips(found.clips, found.classes, found.other_emotions)
    kept = [found.clips[row] for row in rows]
    divided = protocol_folds(
        options.protocol,
        [subject_id(clip) for clip in kept],
        [classes.index(str(clip.emotion)) for clip in kept],
        options.seeds,
    )
    return [
        (each.model, each.seed, fold.held_out)
        for each in expand_learners(options.settings, options.seeds)
        for fold in divided
    ]

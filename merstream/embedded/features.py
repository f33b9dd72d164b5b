"""What `mer run` and `mer train` do between reading options and the trainer: features there, report written, told."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape

from merstream.cli.console import stderr_console
from merstream.cli.progress import stage_bars
from merstream.embedded.pipeline import run_stages
from merstream.embedded.run_folder import Workspace
from services.ingest.catalogue.entry import ReadingOptions
from services.ingest.discover import DEFAULT_READING
from services.trainer.runs.state import PipelineSnapshot, PipelineState
from shared.dataset_progress import DatasetProgress
from shared.errors import BadData
from shared.records import Pipeline, Record
from shared.settings import KeepPolicy


@contextmanager
def exit_on_interrupt() -> Iterator[None]:
    """Ctrl-C ends a command with a sentence and code 130."""
    try:
        yield
    except KeyboardInterrupt:
        stderr_console.print("\nStopped. The same command goes on where it stopped.")
        raise typer.Exit(130) from None


@dataclass(frozen=True)
class ExtractedFeatures:
    """What can be trained on: features, and a sentence for each clip of the same datasets that has none."""

    features: list[Record]
    faults: list[str]


def extract_features(
    dataset: Path,
    out: Path,
    pipeline: Pipeline,
    *,
    reading: ReadingOptions = DEFAULT_READING,
    jobs: int,
    keep: KeepPolicy = "all",
) -> ExtractedFeatures:
    """Features of every clip that came through; those that did not are told, each with its sentence."""
    with exit_on_interrupt(), stage_bars() as watch:
        outcome = run_stages(dataset, Workspace(out), pipeline, jobs=jobs, reading=reading, keep=keep, on_tally=watch)
    for sentence in outcome.notes:
        stderr_console.print(f"[dim]noted[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    for sentence in outcome.failures:
        stderr_console.print(f"[yellow]left out[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    stderr_console.print(f"{len(outcome.features)} clips have features, {len(outcome.failures)} were left out.")
    return ExtractedFeatures(outcome.features, outcome.failures)


def load_extracted_features(run_folders: Sequence[Path], pipeline: str | None = None) -> ExtractedFeatures:
    """The newest state of every dataset in the folders of earlier runs, pooled; of one pipeline: in each folder that
    which ran last, or the one whose digest begins with `pipeline`.

    Raises BadData if there is none, if clips are under way, and if the folders' pipelines differ.
    """
    found = {out: _pipeline_progress(out, pipeline) for out in run_folders}
    digests = {out: digest for out, (digest, _) in found.items()}
    if len(set(digests.values())) > 1:
        told = ", ".join(f"{out}: {digest}" for out, digest in digests.items())
        raise BadData(
            f"Expected features of one pipeline to train on together, got {told}; run the datasets with the same --set "
            "and --profile, or choose one with --pipeline."
        )
    states = [state for _, (_, states) in found.items() for state in states]
    features = [record for state in states for record in state.features]
    return ExtractedFeatures(
        sorted(features, key=lambda record: record.key), [fault for state in states for fault in state.left_out]
    )


def _pipeline_progress(out: Path, pipeline: str | None) -> tuple[str, list[DatasetProgress]]:
    """The digest of the chosen pipeline, and how every dataset stands under it."""
    known = _read_pipeline_state(out)
    by_age = sorted(known.datasets.values(), key=lambda dataset: dataset.created)
    digests = [dataset.pipeline.digest for dataset in by_age]
    chosen = [digest for digest in digests if digest.startswith(pipeline or "")]
    if not chosen:
        there = ", ".join(dict.fromkeys(digests)) or "none"
        raise BadData(
            f"{out}: expected features of pipeline {pipeline or 'any'}, got {there}; run `mer run` first, or again: "
            "what it made is kept."
        )
    states = {each.name: known.progress_of(each) for each in by_age if each.pipeline.digest == chosen[-1]}
    if late := [f"{state.pending_count} of {name}" for name, state in states.items() if state.pending_count]:
        raise BadData(
            f"{out}: expected every clip to be through, got clips under way: {', '.join(late)}; start `mer run` again, "
            "it goes on where it stopped."
        )
    return chosen[-1], list(states.values())


def _read_pipeline_state(out: Path) -> PipelineSnapshot:
    """Raises BadData for what is no run's folder."""
    if not (out / "bus.sqlite").exists():
        raise BadData(
            f"{out}: expected the folder of an earlier run, got none; run `mer run DATASET --out {out}` first."
        )
    place = Workspace(out)
    with closing(place.open_bus()) as bus:
        return PipelineState(bus, place.open_store()).read_snapshot()

"""Features of an embedded run: computed with progress in the terminal, or those of earlier runs."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.progress import Progress

from merstream.cli.console import print_message, progress_bars, stderr_console
from merstream.embedded.pipeline import StageRun, Tally, TallyCallback, run_stages
from merstream.embedded.run_folder import Workspace
from merstream.stages import STAGES
from shared.clip_notes import summarise_notes
from shared.dataset_progress import DatasetProgress
from shared.errors import BadData
from shared.pipeline_state import PipelineSnapshot, PipelineState
from shared.records import Record

MAX_PRINTED_NOTES = 20
NOTES_FILE = "notes.txt"


@dataclass(frozen=True)
class ExtractedFeatures:
    """Features to train on, and one sentence per clip of the same datasets that has none."""

    features: list[Record]
    faults: list[str]


def extract_with_progress(work: StageRun, out: Path, jobs: int) -> ExtractedFeatures:
    """Run the image stages with bars in the terminal, then print a sentence per repaired clip and per missing clip.

    Raises StorageRefused before any work if a folder of the run cannot be written.
    """
    workspace = Workspace(out)
    workspace.require_writable()
    with stage_bars() as show_tally:
        outcome = run_stages(work, workspace, jobs=jobs, on_tally=show_tally)
    _tell_notes(outcome.notes, workspace.folder)
    for sentence in outcome.failures:
        print_message(sentence, "left out")
    stderr_console.print(f"{len(outcome.features)} clips have features, {len(outcome.failures)} were left out.")
    return ExtractedFeatures(outcome.features, outcome.failures)


def _tell_notes(notes: Sequence[str], folder: Path) -> None:
    """Print the notes in short, and write all of them to the run's folder."""
    short, file = summarise_notes(notes), folder / NOTES_FILE
    for sentence in short[:MAX_PRINTED_NOTES]:
        print_message(sentence, "noted", "dim")
    if len(notes) > min(len(short), MAX_PRINTED_NOTES):
        print_message(f"all {len(notes)} notes are in {file}.", "noted", "dim")
    file.write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")


@contextmanager
def stage_bars() -> Iterator[TallyCallback]:
    """One bar per stage. Yields the callback that moves them."""
    with progress_bars() as progress:
        yield add_stage_bars(progress)


def add_stage_bars(progress: Progress) -> TallyCallback:
    """Add one bar per stage, and return the callback that moves them."""
    tasks = {stage.name: progress.add_task(stage.name, total=None, remark="") for stage in STAGES}
    told: set[str] = set()

    def update_bars(tally: Tally) -> None:
        for name, task in tasks.items():
            done, wait = min(tally.done.get(name, 0), tally.clip_count), tally.waits.get(name, "")
            progress.update(task, total=tally.clip_count, completed=done, remark=escape(wait))
            if wait and not stderr_console.is_terminal and name not in told:
                told.add(name)  # bars are not drawn in a log file: one line has to do
                print_message(f"{name} is {wait}.")

    return update_bars


def load_extracted_features(run_folders: Sequence[Path], pipeline: str | None = None) -> ExtractedFeatures:
    """The newest state of every dataset in the folders of earlier runs, pooled.

    `pipeline` is the beginning of a pipeline's digest. Without it, each folder's pipeline is the one that ran last.
    Raises BadData if there are no features, if clips are still in work, if the folders' pipelines differ, and if two
    datasets hold one clip.
    """
    found = {out: _pipeline_progress(out, pipeline) for out in run_folders}
    digests = {out: digest for out, (digest, _) in found.items()}
    if len(set(digests.values())) > 1:
        listed = ", ".join(f"{out}: {digest}" for out, digest in digests.items())
        raise BadData(
            f"Expected features of one pipeline to train on together, got {listed}. Run the datasets with the same "
            "--set and --profile, or choose one with --pipeline."
        )
    held = {(out, name): state for out, (_, states) in found.items() for name, state in states.items()}
    _refuse_shared_clips(held)
    states = list(held.values())
    features = [record for state in states for record in state.features]
    return ExtractedFeatures(
        sorted(features, key=lambda record: record.key), [fault for state in states for fault in state.left_out]
    )


def _pipeline_progress(out: Path, pipeline: str | None) -> tuple[str, dict[str, DatasetProgress]]:
    """The digest of the chosen pipeline, and the progress of every dataset under it, by name."""
    known = _read_pipeline_state(out)
    by_age = sorted(known.datasets.values(), key=lambda dataset: dataset.created)
    digests = [dataset.pipeline.digest for dataset in by_age]
    chosen = [digest for digest in digests if digest.startswith(pipeline or "")]
    if not chosen:
        known_digests = ", ".join(dict.fromkeys(digests)) or "none"
        raise BadData(
            f"{out}: expected features of pipeline {pipeline or 'any'}, got {known_digests}. Run `mer run` first, or "
            "again: it reuses what it has computed."
        )
    states = {each.name: known.progress_of(each) for each in by_age if each.pipeline.digest == chosen[-1]}
    if late := [f"{state.pending_count} of {name}" for name, state in states.items() if state.pending_count]:
        raise BadData(
            f"{out}: expected features of every clip, got clips in work: {', '.join(late)}. Start `mer run` again: it "
            "continues where it stopped."
        )
    return chosen[-1], states


def _refuse_shared_clips(held: Mapping[tuple[Path, str], DatasetProgress]) -> None:
    """Raises BadData if one clip is in two datasets of the run folders. Keys: run folder, name of the dataset."""
    seen: dict[str, tuple[Path, str]] = {}
    for (out, name), state in held.items():
        for record in state.features:
            first, old = seen.setdefault(record.clip_name, (out, name))
            if (first, old) == (out, name):
                continue
            clip = record.sample.identity
            if first != out:
                raise BadData(f"{first} and {out} both hold clip {clip}: two runs of one dataset. Give one of them.")
            raise BadData(
                f"{out} holds clip {clip} in the datasets {old} and {name}: the dataset's folder was renamed or copied "
                f"between two runs. Withdraw the old name: `{forget_call(old, out)}`."
            )


def forget_call(dataset: str, out: Path | str) -> str:
    """The command line that withdraws a dataset from a run's folder."""
    return shlex.join(["mer", "forget", dataset, "--out", str(out)])


def _read_pipeline_state(out: Path) -> PipelineSnapshot:
    """Raises BadData for a folder without a run."""
    if not (out / "bus.sqlite").exists():
        raise BadData(
            f"{out}: expected the folder of an earlier run, got none. Run `mer run DATASET --out {out}` first."
        )
    workspace = Workspace(out)
    with closing(workspace.open_bus()) as bus:
        return PipelineState(bus, workspace.open_store()).read_snapshot()

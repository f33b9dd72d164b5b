"""Deletes a training run: its report, its folds and its records."""

from collections.abc import Iterator, Sequence

from fastapi import HTTPException

from services.console.access.visitor import note_action
from services.console.state_reader import StateReader
from shared.bus.topics import RESULTS, RUNS
from shared.pipeline_state import PipelineSnapshot
from shared.records import FoldResult, Run, RunResult, report_prefix, run_cancellation_key, run_contents_key

DELETION_SECONDS = 300.0  # a run of many folds has thousands of files and records


class RunDeleter:
    """Deletes runs. The same request finishes a deletion that ended early.

    The order is mark, files, records, and the record of the run last: until then the run is listed, and its folds are
    known. The mark stays. It stops the workers of the run, and it keeps an automatic run from starting again.
    """

    def __init__(self, reader: StateReader) -> None:
        self.reader = reader

    def delete_run(self, run: str) -> None:
        """Delete the run with this id. Folds that another run has, too, stay. Raises HTTPException 404."""
        state, snapshot = self.reader.state, self.reader.read_snapshot()
        known = snapshot.results.get(run) or snapshot.runs.get(run)
        if known is None and not state.was_stopped(run):
            raise HTTPException(404, f"No run {run}; GET /runs lists all runs.")
        state.store.put(run_cancellation_key(run), b"")
        folds = [fold for fold in snapshot.folds.values() if fold.run == run or _is_left_over(fold, snapshot)]
        for prefix in _list_prefixes(run, known):
            for key in state.store.list_keys(prefix):
                state.store.delete(key)
        for key in _list_fold_files(folds, snapshot):
            state.store.delete(key)
        state.store.delete(run_contents_key(run))
        for fold in folds:
            state.bus.publish(RESULTS.name, fold.key, None)
        if run in snapshot.results:
            state.bus.publish(RESULTS.name, run, None)
        if run in snapshot.runs:
            state.bus.publish(RUNS.name, run, None)
        note_action("run deleted", object=run, dataset=known.dataset if known else "")


def _is_left_over(fold: FoldResult, snapshot: PipelineSnapshot) -> bool:
    """Whether its run was deleted while a worker finished it."""
    return fold.run not in snapshot.runs and fold.run not in snapshot.results


def _list_prefixes(run: str, known: Run | RunResult | None) -> Sequence[str]:
    """Where the report lies. That of an embedded run lies where its result says."""
    if known is None:
        return ()
    named = (
        [key for key in known.files.values() if key != run_contents_key(run)] if isinstance(known, RunResult) else []
    )
    return sorted({report_prefix(known.dataset, run), *(f"{key.rpartition('/')[0]}/" for key in named)})


def _list_fold_files(folds: Sequence[FoldResult], snapshot: PipelineSnapshot) -> Iterator[str]:
    """Outcomes and weights that no other run has. The outcome first: one without weights would count as trained."""
    gone = {fold.key for fold in folds}
    needed = {fold.outcome for key, fold in snapshot.folds.items() if key not in gone}
    for outcome in {fold.outcome for fold in folds} - needed:
        yield outcome
        for suffix in (".safetensors", ".checkpoint.safetensors"):
            yield outcome.removesuffix(".json") + suffix

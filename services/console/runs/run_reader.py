"""Runs as the console shows them: their answers, their files, and what is in run.json and report.json."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from fastapi import HTTPException

from services.console.api import responses
from services.console.api.responses import RunAnswer
from services.console.state_reader import hold_lock
from services.console.stored_files import open_stored_file
from shared.errors import BadData
from shared.pipeline_state import PipelineSnapshot
from shared.records import Run, RunResult, run_contents_key
from shared.store import NotStored, Store
from shared.training import definition

LONGEST_SHOWN_BYTES = 8 << 20  # of a JSON file that is read whole for a page. Its features take most of a run.json


@dataclass(frozen=True)
class RunDetails:
    """What a page shows of run.json and report.json, as JSON values. Empty where a file is missing or too long."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    clip_count: int | None = None
    classes: tuple[str, ...] | None = None  # None: all that occur
    left_out: tuple[str, ...] = ()
    class_figures: tuple[Mapping[str, Any], ...] = ()  # of report.json: class, samples, f1, recall, precision


class RunReader:
    """Reads runs from snapshots and from the store, for several threads. What never changes is kept."""

    def __init__(self, store: Store, scratch: Path | None, patience_seconds: float) -> None:
        self.store, self.scratch, self.patience_seconds = store, scratch, patience_seconds
        self._fold_counts: dict[str, int | None] = {}
        self._fold_lock = threading.Lock()
        self._read_contents = lru_cache(maxsize=16)(self._read_contents_once)

    def find_answer(self, snapshot: PipelineSnapshot, run: str) -> RunAnswer:
        """The answer for one run. Raises HTTPException 404."""
        if found := responses.find_run_answer(snapshot, run, self.count_folds):
            return found
        raise HTTPException(404, f"No run {run}; GET /runs lists all runs.")

    def list_answers(self, snapshot: PipelineSnapshot, runs: Iterable[Run | RunResult]) -> list[RunAnswer]:
        """The answers for runs that `order_runs` returned."""
        return responses.describe_runs(snapshot, runs, self.count_folds)

    def open_file(self, snapshot: PipelineSnapshot, run: str, name: str) -> IO[bytes]:
        """A file of a finished run, open. Raises HTTPException 404."""
        answer = self.find_answer(snapshot, run)
        if name not in answer.files:
            known = ", ".join(sorted(answer.files)) or f"none, it is {answer.state}"
            raise HTTPException(404, f"Run {run} has no file {name!r}; there are {known}.")
        return open_stored_file(self.store, snapshot.results[run].files[name], self.scratch)

    def count_folds(self, run: Run) -> int | None:
        """The number of folds, None if the run's contents cannot be used. Of one run at a time, since it decodes them.

        Raises Unavailable as `hold_lock`.
        """
        if run.id not in self._fold_counts:
            with hold_lock(self._fold_lock, self.patience_seconds):
                if run.id not in self._fold_counts:
                    self._fold_counts[run.id] = self._count_folds_once(run)
        return self._fold_counts[run.id]

    def note_fold_count(self, run: str, count: int) -> None:
        """Keep the number of folds of a run, which then needs not be read again."""
        self._fold_counts[run] = count

    def read_details(self, snapshot: PipelineSnapshot, run: str) -> RunDetails:
        """What a page shows beside the answer."""
        result = snapshot.results.get(run)
        files = result.files if result else {}
        return self._read_contents(files.get("run.json") or run_contents_key(run), files.get("report.json"))

    def _read_contents_once(self, contents_key: str, report_key: str | None) -> RunDetails:
        contents, report = self.read_json(contents_key), self.read_json(report_key) if report_key else {}
        return RunDetails(
            settings=contents.get("settings", {}),
            protocol=contents.get("protocol", {}),
            environment=contents.get("environment") or {},
            clip_count=len(contents.get("features") or contents.get("table", ())) if contents else None,
            classes=tuple(contents["classes"]) if contents.get("classes") else None,
            left_out=tuple(contents.get("faults", ())),
            class_figures=tuple(report.get("result", {}).get("per_class", ())),
        )

    def _count_folds_once(self, run: Run) -> int | None:
        try:
            return len(definition.list_stored_folds(self.store, run, self.scratch))
        except BadData:
            return None

    def read_json(self, key: str) -> dict[str, Any]:
        """The object in a JSON file, {} if it is missing, too long or no object."""
        sizes = [found.size for found in self.store.list_objects(key) if found.key == key]
        if not sizes or sizes[0] > LONGEST_SHOWN_BYTES:
            return {}
        try:
            found = json.loads(self.store.get(key))
        except (NotStored, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

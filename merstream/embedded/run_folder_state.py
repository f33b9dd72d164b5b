"""The state of an embedded run as a stack would have it, for the console: its report is a run like any other."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from merstream.embedded.run_folder import Workspace
from services.trainer.report.model import FIGURES, Report
from shared.bus import Bus
from shared.errors import BadData
from shared.pipeline_state import PipelineSnapshot, PipelineState
from shared.records import Figures, RunResult, json_digest
from shared.store import LocalStore, ObjectInfo

REPORT_PART = "report/"  # keys below it are files of the report's folder. No service stores any
REPORT_FILE, RUN_FILE = "report.json", "run.json"


class RunFolderStore(LocalStore):
    """The store of a run's folder, and the files of its report, to read and to delete."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.folder / "store")
        self._whole_folder = LocalStore(workspace.folder)

    def get(self, key: str) -> bytes:
        return self._whole_folder.get(key) if key.startswith(REPORT_PART) else super().get(key)

    def fetch_file(self, key: str, file: Path) -> None:
        return (
            self._whole_folder.fetch_file(key, file) if key.startswith(REPORT_PART) else super().fetch_file(key, file)
        )

    def delete(self, key: str) -> None:
        return self._whole_folder.delete(key) if key.startswith(REPORT_PART) else super().delete(key)

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        whole = prefix.startswith(REPORT_PART)
        return self._whole_folder.list_objects(prefix) if whole else super().list_objects(prefix)


class RunFolderState(PipelineState):
    """The state on the bus of a run's folder, and the run whose report lies there."""

    def __init__(self, bus: Bus, workspace: Workspace) -> None:
        super().__init__(bus, RunFolderStore(workspace))
        self._folder = workspace.report_folder
        self._known: tuple[int, RunResult | None] = (0, None)  # time of report.json, and what it says

    def _read_topics(self) -> PipelineSnapshot:
        snapshot, result = super()._read_topics(), self._find_result()
        return replace(snapshot, results={**snapshot.results, result.run: result}) if result else snapshot

    def _find_result(self) -> RunResult | None:
        """The result of the report, None where there is none or one of another version."""
        file = self._folder / REPORT_FILE
        written = file.stat().st_mtime_ns if file.exists() else 0
        if written != self._known[0]:
            self._known = written, read_folder_result(self._folder)
        return self._known[1]


def read_folder_result(folder: Path) -> RunResult | None:
    """The result of the run whose report lies in `folder`, None where there is none that can be read."""
    file, run = folder / REPORT_FILE, _read_run(folder / RUN_FILE)
    try:
        report = Report.decode(file.read_bytes(), str(file))
    except (OSError, BadData):
        return None
    return RunResult(
        run=json_digest([run.get("data", ""), report.model_dump(mode="json")])[:32],
        dataset=run.get("dataset") or "+".join(report.data.datasets),
        pipeline=run.get("pipeline", ""),
        model=report.model,
        protocol=report.protocol.name,
        seed=report.seed,
        seeds=len(report.seed_numbers),
        status="done",
        figures={learner: _read_figures(report, learner) for learner in report.spread},
        files={each.name: f"{REPORT_PART}{each.name}" for each in sorted(folder.iterdir()) if each.is_file()},
        created=datetime.fromtimestamp(file.stat().st_mtime, UTC),
    )


def _read_figures(report: Report, learner: str) -> Figures:
    """The means over seeds."""
    spread = report.spread[learner]
    return Figures.model_validate({name: getattr(spread, name).mean for name in FIGURES})


def _read_run(file: Path) -> Mapping[str, Any]:
    """What run.json says, {} where it is missing or damaged. The first reports have none."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

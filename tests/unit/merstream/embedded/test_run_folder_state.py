"""The report of an embedded run, as the console finds it."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from merstream.embedded.run_folder import Workspace
from merstream.embedded.run_folder_state import RunFolderState
from services.console.runs.run_deleter import RunDeleter
from services.console.state_reader import StateReader
from services.trainer.report.model import Report
from shared.records import RunResult
from shared.store import NotStored
from tests.unit.trainer.conftest import drawn_table, loso_run

__all__ = ["drawn_table", "loso_run"]


@pytest.fixture
def workspace(loso_run: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(loso_run, tmp_path / "out")
    return Workspace(tmp_path / "out")


@pytest.fixture
def state(workspace: Workspace) -> Iterator[RunFolderState]:
    with closing(workspace.open_bus()) as bus, closing(RunFolderState(bus, workspace)) as found:
        yield found


def read_only_result(state: RunFolderState) -> RunResult:
    (result,) = state.read_snapshot().results.values()
    return result


def test_the_report_is_a_run_with_its_figures_and_files(state: RunFolderState, workspace: Workspace) -> None:
    result = read_only_result(state)
    report = Report.decode((workspace.report_folder / "report.json").read_bytes(), "report")
    assert (result.status, result.dataset, result.model) == ("done", "lab", "pooled-linear")
    assert result.figures["pooled-linear"].uf1 == report.result.uf1
    assert {"report.html", "report.json", "run.json"} <= result.files.keys()
    for name, key in result.files.items():
        assert state.store.get(key) == (workspace.report_folder / name).read_bytes()
        assert [found.key for found in state.store.list_objects(key)] == [key]
    with pytest.raises(NotStored):
        state.store.get("report/../bus.sqlite")


def test_a_new_report_is_another_run_and_a_damaged_one_is_none(state: RunFolderState, workspace: Workspace) -> None:
    first, file = read_only_result(state), workspace.report_folder / "report.json"
    assert read_only_result(state) is first
    report = Report.decode(file.read_bytes(), "report")
    file.write_bytes(report.model_copy(update={"seed": report.seed + 1}).encode())
    assert read_only_result(state).run != first.run
    file.write_bytes(b"{")
    assert state.read_snapshot().results == {}
    file.unlink()
    assert state.read_snapshot().results == {}


def test_a_deleted_report_leaves_the_folder_and_the_features_stay(state: RunFolderState, workspace: Workspace) -> None:
    run = read_only_result(state).run
    (workspace.report_folder / "folds").mkdir(exist_ok=True)
    (workspace.report_folder / "folds" / "a.json").write_text("{}")
    kept = [key for key in state.store.list_keys() if not key.startswith("runs/")]
    RunDeleter(StateReader(state, 60)).delete_run(run)
    assert [file for file in workspace.report_folder.rglob("*") if file.is_file()] == []
    assert state.read_snapshot().results == {}
    assert [key for key in state.store.list_keys() if not key.startswith("runs/")] == kept

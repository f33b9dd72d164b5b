"""`mer report`: which report is fetched from a stack."""

import json
from pathlib import Path

import pytest

from merstream.commands.report import fetch_report, select_result, show_report
from merstream.embedded.run_folder import Workspace
from shared.errors import BadData
from shared.pipeline_status import newest_results
from shared.records import RunResult


def result(run: str, day: int, dataset: str = "lab", **more: object) -> RunResult:
    files = {name: f"reports/{dataset}/{run}/{name}" for name in ("predictions.csv", "report.html", "report.json")}
    files |= {"run.json": f"runs/{run}/run.json"}
    common = {"pipeline": "p", "model": "linear", "status": "done", "created": f"2026-01-{day:02}T00:00:00Z"}
    return RunResult.model_validate({"run": run, "dataset": dataset, "files": files} | common | more)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Two datasets, `lab` trained twice and then failed under another pipeline; the current folder is elsewhere."""
    place = Workspace(tmp_path / "stack")
    bus, store = place.open_bus(), place.open_store()
    done = [result("a", 3), result("b", 1, "other"), result("c", 2)]
    for each in [*done, result("d", 4, pipeline="q", status="failed", reason="one subject", files={})]:
        bus.publish("mer.results", each.key, each.encode())
        for name, key in each.files.items():
            content = json.dumps({"code": f"run {each.run}"}) if name == "report.json" else name
            store.put(key, content.encode())
    bus.publish("mer.results", "a/linear/3/s1", b'{"schema": "mer.fold-result/2"}')
    bus.close()
    monkeypatch.setenv("MER_HOME", str(place.folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return place


def test_the_newest_report_is_fetched_whole(stack: Workspace) -> None:
    folder = fetch_report(None, None)
    assert folder == Path("out/reports/lab/a")
    assert sorted(file.name for file in folder.iterdir()) == [
        "predictions.csv", "report.html", "report.json", "run.json",
    ]  # fmt: skip
    assert (folder / "report.html").read_text() == "report.html"


def test_the_report_of_a_dataset_goes_where_it_is_asked_to(stack: Workspace, tmp_path: Path) -> None:
    assert fetch_report("other", tmp_path / "to") == tmp_path / "to"
    assert json.loads((tmp_path / "to" / "report.json").read_text())["code"] == "run b"


def test_what_can_not_be_fetched_is_said(stack: Workspace) -> None:
    with pytest.raises(BadData, match="report of nobody, got none; there are results of other, lab"):
        fetch_report("nobody", None)
    with pytest.raises(BadData, match="newest training on lab failed: one subject"):
        fetch_report("lab", None)
    assert not Path("out").exists()


def test_the_newest_of_each_dataset_and_pipeline() -> None:
    found = [result("a", 3), result("b", 1, "other"), result("c", 2), result("d", 1, pipeline="q")]
    assert [one.run for one in newest_results(found).values()] == ["b", "d", "a"]
    assert select_result(newest_results(found).values(), None).run == "a"


def test_without_a_stack_the_folder_of_a_run_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadData, match=r"out/run/report/report.json: expected a report"):
        show_report(None, None, None)

"""Killed with SIGKILL in a stage and started again: the same bytes, and nothing made twice."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from merstream.embedded.pipeline import Tally, run_stages
from merstream.embedded.run_folder import Workspace
from merstream.stages import STAGES
from shared.records import Record
from tests.integration.conftest import EmbeddedRun

SMALL = ["--set", "ingest.height=112", "--set", "ingest.width=96", "--set", "magnifier.factors=[2.0]"]
EVERY_STAGE = [stage.name for stage in STAGES]


@pytest.mark.parametrize(
    "stages",
    [["ingest", "flow"], pytest.param(EVERY_STAGE, marks=pytest.mark.exhaustive)],
    ids=["two stages", "every stage"],
)
def test_killed_in_a_stage_ends_with_the_same_bytes(
    embedded_run: EmbeddedRun, stages: list[str], tmp_path: Path
) -> None:
    written: dict[str, int] = {}
    for stage in stages:
        killed = start(embedded_run.asked.dataset, tmp_path)
        wait_for_artifact(killed, tmp_path, stage)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        nothing_was_rewritten(written, tmp_path)
    run_stages(embedded_run.asked, Workspace(tmp_path), jobs=1)
    nothing_was_rewritten(written, tmp_path)
    assert digests(tmp_path) == digests(embedded_run.workspace.folder)
    assert every_artifact_was_made_once(tmp_path)


def test_a_second_start_computes_nothing(embedded_run: EmbeddedRun, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(embedded_run.workspace.folder, out)
    first = {file: file.stat().st_mtime_ns for file in (out / "store").rglob("*.npz")}
    run_stages(embedded_run.asked, Workspace(out), jobs=1)
    assert {file: file.stat().st_mtime_ns for file in (out / "store").rglob("*.npz")} == first
    outcomes = [line["message"] for line in logged(out)]
    assert outcomes.count("computed") == outcomes.count("reused") == 2 * len(STAGES)


def test_a_worker_that_is_killed_is_replaced(embedded_run: EmbeddedRun, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_worker(tally: Tally) -> None:
        if not killed and any((tmp_path / "store" / "ingest").rglob("*.npz")):
            (worker,) = multiprocessing.active_children()
            assert worker.pid
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.pid)

    run_stages(embedded_run.asked, Workspace(tmp_path), jobs=1, on_tally=kill_worker)
    assert digests(tmp_path) == digests(embedded_run.workspace.folder)
    assert len(list((tmp_path / "logs").glob("*.jsonl"))) == 2


def start(dataset: Path, out: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "merstream", "run", str(dataset), "--out", str(out), "--no-train", "--jobs", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, *SMALL], start_new_session=True, **quiet)


def wait_for_artifact(process: "subprocess.Popen[bytes]", out: Path, stage: str) -> None:
    """Until the stage has put something: then it, or another, is in mid-work."""
    before = set((out / "store" / stage).rglob("*")) if (out / "store" / stage).exists() else set()
    while process.poll() is None:
        if (out / "store" / stage).exists() and set((out / "store" / stage).rglob("*")) - before:
            return
        time.sleep(0.005)


def nothing_was_rewritten(written: dict[str, int], out: Path) -> None:
    """An artifact with a manifest keeps its time of writing for ever."""
    for manifest in (out / "store").rglob("*.json"):
        if manifest.is_relative_to(out / "store" / "datasets"):
            continue  # the contents of a dataset have no array
        artifact = out / "store" / Record.decode(manifest.read_bytes()).artifact.key
        assert written.setdefault(str(artifact), artifact.stat().st_mtime_ns) == artifact.stat().st_mtime_ns


def every_artifact_was_made_once(out: Path) -> bool:
    computed = [line["artifact"] for line in logged(out) if line["message"] == "computed"]
    return len(computed) == len(set(computed))


def digests(out: Path) -> dict[str, str]:
    store = out / "store"
    return {
        file.relative_to(store).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in store.rglob("*.npz")
    }


def logged(out: Path) -> list[dict[str, str]]:
    """Lines of all workers; the last line of a killed one may be cut."""
    lines = [line for log in (out / "logs").glob("*.jsonl") for line in log.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]

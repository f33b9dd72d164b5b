"""Killed with SIGKILL in any stage and started again: the same bytes, and nothing made twice."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from merstream import synth
from merstream.stages import STAGES

SMALL = ["--set", "ingest.height=112", "--set", "ingest.width=96", "--set", "magnifier.factors=[1.4,2.0]"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "synth"
    synth.write_dataset(folder, subjects=2, clips=2, seed=3)
    return folder


@pytest.fixture(scope="module")
def undisturbed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed")
    assert start(dataset, out).wait() == 0
    return digests(out)


def test_killed_in_every_stage_ends_with_the_same_bytes(
    dataset: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    written: dict[str, int] = {}
    for stage in STAGES:
        killed = start(dataset, tmp_path)
        wait_for_artifact(killed, tmp_path, stage.name)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        nothing_was_rewritten(written, tmp_path)
    assert start(dataset, tmp_path).wait() == 0
    nothing_was_rewritten(written, tmp_path)
    assert digests(tmp_path) == undisturbed
    assert every_artifact_was_made_once(tmp_path)


def test_a_second_start_computes_nothing(dataset: Path, tmp_path: Path) -> None:
    assert start(dataset, tmp_path).wait() == 0
    first = {file: file.stat().st_mtime_ns for file in (tmp_path / "store").rglob("*.npz")}
    assert start(dataset, tmp_path).wait() == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "store").rglob("*.npz")} == first
    outcomes = [line["message"] for line in logged(tmp_path)]
    assert outcomes.count("computed") == outcomes.count("reused") == 4 * len(STAGES)


def test_a_worker_that_is_killed_is_replaced(dataset: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    running = start(dataset, tmp_path)
    wait_for_artifact(running, tmp_path, "ingest")
    try:
        os.kill(a_worker_of(running.pid), signal.SIGKILL)
    finally:
        code = running.wait()
    assert code == 0
    assert digests(tmp_path) == undisturbed
    assert len(list((tmp_path / "logs").glob("*.jsonl"))) == 3


def a_worker_of(parent: int) -> int:
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return next(int(pid) for pid, ppid, args in rows if int(ppid) == parent and "spawn_main" in args)


def start(dataset: Path, out: Path) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "merstream",
        "run",
        str(dataset),
        "--out",
        str(out),
        "--no-train",
        "--jobs",
        "2",
        *SMALL,
    ]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


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
        artifact = manifest.with_suffix(".npz")
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

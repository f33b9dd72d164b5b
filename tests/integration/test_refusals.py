"""Disks that refuse, memory that ends, processes that are killed: the run says so, and the rest of the work is done."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from merstream.embedded.pipeline import run_stages
from merstream.embedded.run_folder import Workspace
from merstream.embedded.worker_notes import message_digest
from merstream.embedded.worker_processes import WorkerCrew
from shared.bus.dead_letters import read_outstanding_letters
from shared.errors import StorageRefused
from shared.records import Artifact, Record, Sample
from tests.integration.conftest import EmbeddedRun
from tests.integration.test_kill import SMALL, digests
from tests.small_disk import mount_small_disk, resize_disk

CONTINUES = "The same command continues where it stopped."


def run_in_terminal(dataset: Path, out: Path, before: Callable[[], None] | None = None) -> tuple[int, str]:
    """The exit code and what stands on the screen."""
    command = [sys.executable, "-m", "merstream", "run", str(dataset), "--out", str(out), "--no-train", "--jobs", "2"]
    done = subprocess.run([*command, *SMALL], capture_output=True, text=True, timeout=300, preexec_fn=before)
    return done.returncode, done.stderr


def limit_files() -> None:
    """No file over 600 kB: the first array that does not fit is a write that fails, on any file system."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1.5 MB, where the machine lets us mount one."""
    with mount_small_disk(tmp_path / "disk", "1500k") as folder:
        yield folder


def test_a_write_that_fails_ends_the_run_and_the_next_start_gives_the_same_bytes(
    embedded_run: EmbeddedRun, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, screen = run_in_terminal(embedded_run.asked.dataset, out, limit_files)
    assert (code, "Traceback" in screen) == (1, False)
    assert "File too large. Raise the limit on the size of files" in screen
    assert screen.rstrip().endswith(CONTINUES)
    assert not list((out / "store").rglob(".put-*"))
    run_stages(embedded_run.asked, Workspace(out), jobs=1)
    assert digests(out) == digests(embedded_run.workspace.folder)


def test_a_full_disk_ends_the_run_and_with_more_space_the_same_bytes_follow(
    embedded_run: EmbeddedRun, small_disk: Path
) -> None:
    code, screen = run_in_terminal(embedded_run.asked.dataset, small_disk / "out")
    assert (code, "Traceback" in screen) == (1, False)
    assert "No space left on device. Free space there." in screen
    resize_disk(small_disk, "100m")
    code, screen = run_in_terminal(embedded_run.asked.dataset, small_disk / "out")
    assert (code, "2 clips have features, 0 were left out." in screen) == (0, True)
    assert digests(small_disk / "out") == digests(embedded_run.workspace.folder)


@pytest.mark.parametrize("place", ["file/out", "run/report"])
def test_a_file_in_the_way_is_said_before_any_work(embedded_run: EmbeddedRun, tmp_path: Path, place: str) -> None:
    file = tmp_path / place if "run" in place else tmp_path / "file"
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    out = tmp_path / "run" if "run" in place else tmp_path / place
    code, screen = run_in_terminal(embedded_run.asked.dataset, out)
    assert (code, screen.count("\n")) == (1, 1)
    assert screen.endswith("A file is where a folder is needed: choose another path.\n")
    assert file.read_text() == "mine"
    with pytest.raises(StorageRefused):
        Workspace(out).require_writable()


def test_a_record_that_ends_processes_becomes_a_dead_letter_and_stops_no_other(
    embedded_run: EmbeddedRun, tmp_path: Path
) -> None:
    """Its artifact is a pipe that never gives a byte, so its worker is in its work when it is killed."""
    given, workspace = embedded_run.workspace.open_store(), Workspace(tmp_path)
    bus, store = workspace.open_bus(), workspace.open_store()
    manifest = next(key for key in given.list_keys("source/") if key.endswith(".json"))
    good = Record.decode(given.get(manifest))
    store.put(good.artifact.key, given.get(good.artifact.key))
    deadly = good.model_copy(
        update={
            "sample": Sample(dataset="d", subject="s", clip="huge", onset=1, offset=2, fps=200),
            "artifact": Artifact(key="source/d/s/huge/0.npz", sha256="0" * 64, size=1),
        }
    )
    (tmp_path / "store" / "source" / "d" / "s" / "huge").mkdir(parents=True)
    os.mkfifo(tmp_path / "store" / deadly.artifact.key)
    bus.publish("mer.sources", deadly.key, deadly.encode())
    bus.publish("mer.sources", good.key, good.encode())
    killed = []
    crew = WorkerCrew(tmp_path, 1)
    try:
        while not bus.read_newest("mer.features") or not read_outstanding_letters(bus, store, "ingest"):
            crew.watch_workers()
            for member in crew.members:
                stuck = member.work and member.work.digest == message_digest("ingest", deadly.encode())
                if stuck and member.process.pid not in killed:
                    killed.append(member.process.pid)
                    os.kill(member.process.pid or 0, signal.SIGKILL)
            time.sleep(0.05)
    finally:
        crew.close()
    (letter,) = read_outstanding_letters(bus, store, "ingest")
    bus.close()
    assert letter.reason == (
        "Stage 'ingest' lost 2 processes over this record, the last one killed by the system (SIGKILL), as it does "
        "when memory runs out. Give the machine more memory, use fewer --jobs, or make the frames smaller or the clip "
        "shorter. Then run it again."
    )
    assert (Record.decode(letter.value).sample.clip, len(killed)) == ("huge", 2)

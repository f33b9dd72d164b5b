"""Records that end their process, whatever way: each is one dead letter, and the good ones around them pass."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shared.bus import Message
from shared.bus.local import LocalBus
from shared.connect import open_bus, open_store
from shared.records import Record, Sample
from shared.settings import Settings
from shared.store import LocalStore, Store
from shared.telemetry import Metrics
from shared.worker import Worker
from shared.worker.attempt_marks import MARKS_PREFIX, AttemptMarks
from shared.worker.child_handler import ChildHandler, build_stage_handler
from shared.worker.process import build_service_worker
from shared.worker.stage_handler import StageHandler, read_artifact, write_artifact
from tests.unit.shared.worker import poison
from tests.unit.shared.worker.poison import CRASHED, ENDLESS, EXITED, GOOD, GREEDY, KILLED

QUICK = {"retry_base_seconds": 0.001, "retry_cap_seconds": 0.002, "dead_letters_datasets": 0}
SAMPLE = Sample(dataset="d", subject="s", clip="c", emotion="happiness", onset=0, apex=1, offset=2, fps=200)
REASONS = {
    GREEDY: "needs more memory than this process can get (Unable to allocate 1.00 EiB",
    KILLED: "killed by the system (SIGKILL)",
    CRASHED: "by the signal SIGSEGV",
    ENDLESS: "did not get on for 0.5 s",
    EXITED: "with exit code 3",
}


def send(store: Store, bus: LocalBus, number: int, value: int) -> Record:
    artifact = write_artifact(store, f"magnifier/{value}.npz", {"value": np.int64(value)})
    sample = SAMPLE.model_copy(update={"clip": f"{number}"})
    record = Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t")
    bus.publish("mer.magnified", record.key, record.encode())
    return record


@contextmanager
def open_worker(settings: Settings) -> Iterator[Worker]:
    """A worker as a service has it."""
    bus, store, metrics, stopping = open_bus(settings), open_store(settings), Metrics(), threading.Event()
    build = partial(build_stage_handler, poison.__name__)
    with closing(ChildHandler("flow", build, settings, metrics, stopping, [poison.__name__])) as handler:
        yield build_service_worker(handler, bus, store, settings, metrics, stopping)
    bus.close()


def test_each_poison_is_buried_once_and_the_good_records_pass(tmp_path: Path) -> None:
    sent = [GOOD, GREEDY, GOOD, KILLED, GOOD, CRASHED, GOOD, EXITED, GOOD, ENDLESS, GOOD]
    patient = Settings(home=tmp_path, **QUICK)
    with closing(LocalBus(tmp_path / "bus.sqlite")) as bus:
        store = LocalStore(tmp_path / "store")
        records = [send(store, bus, number, value) for number, value in enumerate(sent)]
        with open_worker(patient) as worker:
            for _ in sent[: sent.index(ENDLESS)]:
                assert worker.step()
            figures = worker.metrics.registry.get_sample_value
            assert figures("mer_compute_seconds_count", {"stage": "flow"}), "the child's figures are the worker's"
        with open_worker(patient.model_copy(update={"work_seconds": 0.5})) as worker:
            assert worker.step()  # only this one: a good record may take long on a busy machine
        with open_worker(patient) as worker:
            assert worker.step()
        assert bus.group_progress("mer.magnified", "flow").lag == 0
        outputs = {key: Record.decode(message.value) for key, message in bus.read_newest("mer.flows").items()}
        letters = list(bus.read_newest("mer.flow.dlq").values())
    assert set(outputs) == {record.key for record, value in zip(records, sent, strict=True) if value == GOOD}
    assert all(read_artifact(store, each.artifact, "")["twice"] == 2 * GOOD for each in outputs.values())
    bad = [(record, value) for record, value in zip(records, sent, strict=True) if value != GOOD]
    for letter, (record, value) in zip(letters, bad, strict=True):
        assert letter.value == record.encode()
        assert REASONS[value] in letter.headers["reason"]
        assert letter.headers["attempts"] == "3"
    assert list(store.list_keys(MARKS_PREFIX)) == []


def test_a_record_that_takes_the_whole_worker_with_it_is_buried_by_the_next_one(tmp_path: Path) -> None:
    """As the kernel does it that kills a whole container: nobody can count, but marks in the store."""
    settings = Settings(home=tmp_path, **QUICK)
    with closing(LocalBus(tmp_path / "bus.sqlite")) as bus:
        store = LocalStore(tmp_path / "store")
        poisonous, good = send(store, bus, 0, KILLED), send(store, bus, 1, GOOD)
        lives = [work_in_process(tmp_path) for _ in range(4)]
        (letter,) = bus.read_newest("mer.flow.dlq").values()
        assert bus.group_progress("mer.magnified", "flow").lag == 0
        assert [Record.decode(each.value).sample for each in bus.read_newest("mer.flows").values()] == [good.sample]
    assert lives == [-signal.SIGKILL] * settings.surprise_attempts + [0]
    assert letter.value == poisonous.encode()
    assert "3 processes of 'flow' ended in work on this record" in letter.headers["reason"]
    assert list(store.list_keys(MARKS_PREFIX)) == []


def work_in_process(home: Path) -> int:
    """One life of a worker without a child, until there is nothing to do."""
    return subprocess.run([sys.executable, "-m", __name__, str(home)], check=False).returncode


def test_work_that_is_given_up_leaves_no_mark(tmp_path: Path) -> None:
    store, stopping = LocalStore(tmp_path), threading.Event()
    message = Message("mer.magnified", 0, 7, "k", b"v")
    dead, alive = (AttemptMarks(store, "flow", threading.Event()) for _ in range(2))
    assert dead.begin_work(message) == 0
    assert alive.begin_work(message) == 1
    with pytest.raises(OSError, match="lost"), alive.watch_work(message, lambda: True):
        raise OSError("lost")
    told = AttemptMarks(store, "flow", stopping)
    assert told.begin_work(message) == 1, "only that of the dead process"
    with told.watch_work(message, lambda: True):
        stopping.set()
        while len(list(store.list_keys(MARKS_PREFIX))) > 1:
            time.sleep(0.01)
    assert list(store.list_keys(MARKS_PREFIX)) == []
    assert dead.begin_work(Message("mer.magnified", 0, 7, "k", b"another bus")) == 0


def test_work_in_progress_ends_with_its_worker(tmp_path: Path) -> None:
    with closing(LocalBus(tmp_path / "bus.sqlite")) as bus:
        send(LocalStore(tmp_path / "store"), bus, 0, ENDLESS)
    command = [sys.executable, "-m", __name__, str(tmp_path), "child"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        child = int(worker.stdout.readline())
        worker.kill()
    while True:  # until it is nowhere, or a zombie that nobody waits for
        try:
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)


def run_worker(home: Path, in_child: bool) -> None:
    settings = Settings(home=home, **QUICK)
    if in_child:
        with open_worker(settings) as worker:
            print(worker.handler._child._process.pid, flush=True)  # type: ignore[attr-defined]
            worker.step()
        return
    bus, store = open_bus(settings), open_store(settings)
    marks = AttemptMarks(store, "flow", threading.Event())
    worker = Worker(StageHandler(poison.STAGE, store), bus, store, settings, marks=marks)
    while worker.step():
        pass
    os._exit(0)


if __name__ == "__main__":
    run_worker(Path(sys.argv[1]), len(sys.argv) > 2)

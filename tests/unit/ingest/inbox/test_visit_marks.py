"""A dataset that ends the whole process of the inbox is left alone after some deaths, and the others are announced."""

import multiprocessing
import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.ingest.inbox.guarded_reading import GuardedReading
from services.ingest.inbox.visit_marks import VisitMarks
from shared.bus import Message
from shared.errors import BadData
from shared.store import LocalStore
from shared.worker import attempt_marks
from shared.worker.attempt_marks import AttemptMarks
from tests.unit.ingest.inbox.lab import Lab, dataset

DEATHS = 3
MARKS = "attempts/inbox/"


def live_and_die(folder: Path, deadly: str, gets_further: bool) -> None:
    """A process of the inbox that is killed as soon as it discovers the dataset `deadly`, or something further on."""
    discover = GuardedReading.discover_dataset
    lab = Lab(folder, surprise_attempts=DEATHS)

    def discover_or_die(self: GuardedReading, name: str, *arguments: Any) -> Any:
        if name == deadly:
            if gets_further:
                lab.process.scanner.reconciler.note_progress()
            os.kill(os.getpid(), signal.SIGKILL)
        return discover(self, name, *arguments)

    GuardedReading.discover_dataset = discover_or_die  # type: ignore[method-assign]
    lab.scan()


def run_process(folder: Path, deadly: str = "", gets_further: bool = False) -> int | None:
    """The exit code of a process of the inbox."""
    process = multiprocessing.get_context("fork").Process(target=live_and_die, args=(folder, deadly, gets_further))
    process.start()
    process.join()
    return process.exitcode


def upload(folder: Path, name: str, *clips: str) -> None:
    for path, data in dataset(*clips).items():
        LocalStore(folder / "inbox").put(f"{name}/{path}", data)


def list_marks(folder: Path) -> list[str]:
    return list(LocalStore(folder / "store").list_keys(MARKS))


def test_a_dataset_that_ends_the_process_several_times_is_left_alone_until_it_changes(tmp_path: Path) -> None:
    upload(tmp_path, "bad", "a")
    upload(tmp_path, "good", "a")
    for _ in range(DEATHS):
        assert run_process(tmp_path, "bad") == -signal.SIGKILL
    for _ in range(2):
        assert run_process(tmp_path, "bad") == 0, "nobody reads it any more"
    with closing(Lab(tmp_path, surprise_attempts=DEATHS)) as lab:
        announced = lab.announced()
        assert len(announced["good"].clips) == 1
        assert announced["bad"].faults == (
            f"bad: {DEATHS} processes of the inbox ended while they read it (killed, out of memory, a machine that "
            "failed). It is left alone until its objects change. Give the inbox more memory, or upload smaller files.",
        )
        upload(tmp_path, "bad", "a", "b")
        lab.scan()
        assert (len(lab.announced()["bad"].clips), lab.announced()["bad"].faults) == (2, ())


def test_deaths_that_a_dataset_survives_leave_nothing(tmp_path: Path) -> None:
    upload(tmp_path, "d", "a")
    for _ in range(DEATHS - 1):
        run_process(tmp_path, "d")
    assert len(list_marks(tmp_path)) == DEATHS - 1
    assert run_process(tmp_path) == 0
    assert list_marks(tmp_path) == []


def test_a_visit_that_gets_further_each_time_is_not_given_up(tmp_path: Path) -> None:
    upload(tmp_path, "d", "a")
    for _ in range(DEATHS + 2):
        assert run_process(tmp_path, "d", gets_further=True) == -signal.SIGKILL
    assert run_process(tmp_path) == 0
    with closing(Lab(tmp_path)) as lab:
        assert lab.only().faults == ()


def test_another_inbox_that_reads_the_same_dataset_is_no_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_marks, "WATCH_SECONDS", 0.01)
    store = LocalStore(tmp_path / "store")

    def read_marks() -> list[bytes]:
        return [store.get(key) for key in list_marks(tmp_path)]

    def wait_for_change() -> None:
        before, gives_up = read_marks(), time.monotonic() + 60
        while (
            time.monotonic() < gives_up and sum(now != then for now, then in zip(read_marks(), before, strict=True)) < 2
        ):
            pass

    one, other = (
        VisitMarks(AttemptMarks(store, "inbox", threading.Event(), renews=True), 1, wait_for_change) for _ in range(2)
    )
    with one.watch_visit("d", "state"), other.watch_visit("d", "state"):
        assert len(list_marks(tmp_path)) == 2
    assert list_marks(tmp_path) == []


def test_a_process_whose_mark_does_not_change_is_dead(tmp_path: Path) -> None:
    dead, alive = (AttemptMarks(LocalStore(tmp_path / "store"), "inbox", threading.Event()) for _ in range(2))
    dead.begin_work(Message("inbox", 0, 0, "d", b"d state"))
    visits = VisitMarks(alive, 1, lambda: None)
    with pytest.raises(BadData, match="d: 1 processes of the inbox ended"), visits.watch_visit("d", "state"):
        pass
    assert len(list_marks(tmp_path)) == 1

"""A worker process of an embedded run that does not get on with a message is ended, and counts as one that died."""

import multiprocessing
import signal
from collections.abc import Iterator

import pytest

from merstream.embedded.worker_notes import WorkerNote
from merstream.embedded.worker_processes import CrewMember, _end_overdue
from shared.settings import Settings


@pytest.fixture
def member() -> Iterator[CrewMember]:
    """A process that never ends by itself."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=signal.pause, daemon=True)
    process.start()
    theirs.close()
    yield CrewMember(process, ours)
    process.kill()
    process.join()
    ours.close()


def test_work_beyond_its_time_ends_the_process(member: CrewMember) -> None:
    settings = Settings(work_seconds=0.001)
    _end_overdue(member, settings)
    assert member.process.is_alive(), "it has no message in its hands"
    member.work = WorkerNote("began", "flow", "digest")
    _end_overdue(member, settings)
    assert (member.process.exitcode, member.overdue) == (-signal.SIGKILL, 0.001)

"""The worker processes of an embedded run, seen from the process that starts them."""

import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from merstream.caller_script import hide_caller_script
from merstream.embedded.worker_loop import run_worker_process
from merstream.embedded.worker_notes import WorkerNote
from merstream.single_thread import single_thread_environment
from shared.errors import Misconfigured, StorageRefused
from shared.interrupts import start_deaf_processes
from shared.settings import KeepPolicy, Settings
from shared.worker.child import describe_exit_code
from shared.worker.limits import choose_limits

MOST_DEATHS = 2  # processes that may end in work on one message before it is refused


@dataclass
class CrewMember:
    """A process, its pipe, the message in its hands and since when, and what it waits for.

    `overdue`: s without progress after which it was ended.
    """

    process: BaseProcess
    lifeline: Connection
    work: WorkerNote | None = None
    since: float = 0.0
    overdue: float = 0.0
    last_digest: str = ""  # of the message that it took last
    waits: WorkerNote | None = None


class WorkerCrew:
    """`size` processes that work until `close`. A process that dies is replaced.

    A message in whose work `MOST_DEATHS` processes died becomes a dead letter. Without such a message, or before any
    message was finished, at most `restarts` processes are replaced.
    """

    def __init__(
        self,
        home: Path,
        size: int,
        retain: KeepPolicy = "all",
        restarts: int = 3,
        settings: Settings | None = None,
    ) -> None:
        self.home, self.retain, self.restarts, self.settings = home, retain, restarts, settings or Settings()
        self._context = multiprocessing.get_context("spawn")
        self._restarts_left = restarts
        self._deaths: Counter[str] = Counter()
        self._deadly: dict[str, str] = {}  # sentence by digest of the message
        self.members = [self._start_worker() for _ in range(size)]

    @property
    def waits(self) -> dict[str, str]:
        """What stages wait for, a sentence by stage."""
        return {member.waits.stage: member.waits.sentence for member in self.members if member.waits}

    def watch_workers(self) -> None:
        """Read what the processes say, and replace those that died.

        Raises Misconfigured if one refuses to work or too many died, StorageRefused if a disk or folder refuses.
        """
        for index, member in enumerate(self.members):
            alive = member.process.is_alive()  # asked first: then everything it ever said is read
            self._read_notes(member)
            if alive:
                _end_overdue(member, self.settings)
            if not alive:
                self._count_death(member)
                member.lifeline.close()
                self.members[index] = self._start_worker()

    def close(self, grace_seconds: float = 3.0) -> None:
        """Stop all processes. Work that is not done after `grace_seconds` is dropped and repeated at the next start."""
        for member in self.members:
            if member.process.is_alive():
                _send_order(member, {})
        deadline = time.monotonic() + grace_seconds
        for member in self.members:
            member.process.join(max(0.0, deadline - time.monotonic()))
            member.process.kill()
            member.process.join()
            member.lifeline.close()

    def _read_notes(self, member: CrewMember) -> None:
        try:
            while member.lifeline.poll():
                self._take_note(member, member.lifeline.recv())
        except (EOFError, OSError):
            return  # the process has ended

    def _take_note(self, member: CrewMember, note: WorkerNote) -> None:
        if note.event == "storage":
            raise StorageRefused(note.sentence)
        if note.event == "refused":
            raise Misconfigured(note.sentence)
        member.since = time.monotonic()
        if note.event == "waiting":
            member.waits = note
            return
        if note.event == "began":
            member.work = note
            if member.last_digest not in ("", note.digest):  # it finished a message
                self._restarts_left = self.restarts
            member.last_digest = note.digest
        else:
            member.work = member.waits = None

    def _count_death(self, member: CrewMember) -> None:
        """Refuse the message that the process worked on if it is not the first process. Raises Misconfigured."""
        how = describe_exit_code(member.process.exitcode)
        how, work = f"ended since it did not get on for {member.overdue:g} s" if member.overdue else how, member.work
        if work and not self._deadly.get(work.digest):
            self._deaths[work.digest] += 1
            if self._deaths[work.digest] >= MOST_DEATHS:
                self._refuse_message(work, how)
        else:
            self._restarts_left -= 1
        if self._restarts_left < 0:
            raise Misconfigured(
                f"Worker processes keep dying, the last one {how}. Check that there is enough memory. The last lines "
                f"in {self.home / 'logs'} say what it worked on."
            )

    def _refuse_message(self, work: WorkerNote, how: str) -> None:
        self._deadly[work.digest] = (
            f"Stage {work.stage!r} lost {MOST_DEATHS} processes over this record, the last one {how}. Give the machine "
            "more memory, use fewer --jobs, or make the frames smaller or the clip shorter. Then run it again."
        )
        for other in self.members:
            if other.process.is_alive():
                _send_order(other, self._deadly)

    def _start_worker(self) -> CrewMember:
        ours, theirs = self._context.Pipe()
        name = f"worker-{time.time_ns():x}"
        process = self._context.Process(
            target=run_worker_process,
            args=(self.home, self.retain, theirs, name, dict(self._deadly)),
            name=name,
            daemon=True,
        )
        with single_thread_environment(), hide_caller_script(), start_deaf_processes():
            process.start()
        theirs.close()
        return CrewMember(process, ours)


def _end_overdue(member: CrewMember, settings: Settings) -> None:
    """End a process whose work on a message exceeds the time of its stage. It counts as any death."""
    if member.work is None:
        return
    limit = choose_limits(member.work.stage, settings).seconds
    if time.monotonic() - member.since > limit:
        member.overdue = limit
        member.process.kill()
        member.process.join()


def _send_order(member: CrewMember, deadly: dict[str, str]) -> None:
    """Send messages to refuse, or without any the order to stop."""
    try:
        member.lifeline.send(deadly)
    except OSError:
        return  # it died just now

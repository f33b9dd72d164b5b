"""A child process for work that can end a process: it has limits on memory and time, and is replaced when it dies.

It is forked from a server process that has imported what the work needs and runs no thread (multiprocessing's
forkserver). So a replacement costs milliseconds, no lock of a thread is copied, and torch may still open its GPU.
"""

import ctypes
import faulthandler
import logging
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from shared.errors import BadData, MerError, Misconfigured, MissingWeights, Unavailable
from shared.interrupts import start_deaf_processes
from shared.memory_faults import is_memory_fault
from shared.telemetry import log_to_stderr
from shared.worker.retry import is_transient

PAUSE_SECONDS = 1.0  # between two looks at the parent's own business, and between two reports of a child
ABORT_SECONDS = 5.0  # for the stacks of a child that is ended
_PR_SET_PDEATHSIG = 1  # prctl(2)

log = logging.getLogger(__name__)


class WorkAbandoned(MerError):
    """The process stops while a record is in work or waits for its next attempt. Nothing is committed."""


class ChildLost(MerError):
    """A child ended within its work, or did not get on with it and was ended. The sentence says how."""


class UnexpectedFault(MerError):
    """Work raised an error that nobody planned. The sentence begins with its type."""


_KEPT_TYPES = (BadData, MissingWeights, Misconfigured, WorkAbandoned, Unavailable)


@dataclass(frozen=True)
class ChildLimits:
    """seconds: between two signs of progress, or until the answer. memory: bytes of private data, 0 for no limit."""

    seconds: float
    memory: int = 0


class ChildSide:
    """The child's view of its parent: `report` is a sign of progress, `should_stop` a sign and a question."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._reported = connection, 0.0
        self._stopping, self._busy = threading.Event(), False
        self.news: Callable[[], Any] = lambda: None  # what reports and answers carry beside their value

    def report(self, at_once: bool = False) -> None:
        """Say that the work gets on. May be called often: most calls do nothing, unless the news is to go `at_once`."""
        if (now := time.monotonic()) - self._reported >= PAUSE_SECONDS or at_once:
            self._reported = now
            self._connection.send(("progress", self.news(), None))

    def should_stop(self) -> bool:
        self.report()
        return self._stopping.is_set()

    def obey_signal(self, _signal: int, _frame: object) -> None:
        if not self._busy:
            os._exit(0)
        self._stopping.set()

    @contextmanager
    def within_work(self) -> Iterator[None]:
        self._busy = True
        yield
        self._busy = False


Serve = Callable[[Any], Any]  # from a request to its answer
ServerFactory = Callable[[ChildSide], tuple[Any, Serve]]  # a greeting, and what serves requests. It can be pickled


class Child:
    """A process that answers one request at a time. It starts with the first request, and again after each death.

    `modules` are imported by the server that children are forked from.
    """

    def __init__(self, build: ServerFactory, limits: ChildLimits, modules: Sequence[str] = ()) -> None:
        self.build, self.limits = build, limits
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, *modules])
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def start(self) -> Any:
        """Start a process in place of the present one. Returns its greeting. Raises what its start raises."""
        self.close()
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self.build, self.limits.memory, logging.getLevelName(logging.getLogger().level))
        process = self._context.Process(target=_serve_requests, args=arguments, name="work", daemon=True)
        with start_deaf_processes():
            process.start()
        theirs.close()
        self._process, self._connection = process, ours
        greeting, failure = self._await_answer(lambda: None, lambda news: None, limited=False)
        if failure:
            raise failure
        return greeting

    def ask(
        self,
        request: object,
        on_pause: Callable[[], None] = lambda: None,
        on_news: Callable[[Any], None] = lambda news: None,
    ) -> Any:
        """The answer to a request. `on_pause` is called every second, `on_news` with what a report carries.

        Raises ChildLost for a child that dies or exceeds its time, else what the work raised, as an error of
        `shared.errors`, MemoryError or UnexpectedFault.
        """
        if self._process is None or not self._process.is_alive():
            self.start()
        try:
            cast(Connection, self._connection).send(request)
            answer, failure = self._await_answer(on_pause, on_news)
        except BaseException:  # its answer would be taken for that of the next request
            self.close()
            raise
        if isinstance(failure, MemoryError):
            self.close()  # the next attempt gets all memory
        if failure:
            raise failure
        return answer

    def stop_work(self) -> None:
        """Ask the child to stop: its `should_stop` is true from now on."""
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is not None and self._connection is not None:
            process.kill()
            process.join()
            self._connection.close()

    def _await_answer(self, on_pause: Callable[[], None], on_news: Callable[[Any], None], limited: bool = True) -> Any:
        connection, process = cast(Connection, self._connection), cast(BaseProcess, self._process)
        moved = time.monotonic()
        while True:
            if connection.poll(PAUSE_SECONDS):
                try:
                    kind, news, value = connection.recv()
                except (EOFError, OSError):
                    process.join(ABORT_SECONDS)
                    raise ChildLost(f"its process ended, {describe_exit_code(process.exitcode)}") from None
                if news is not None:
                    on_news(news)
                moved = time.monotonic()
                if kind != "progress":
                    return (value, None) if kind == "answer" else (None, value)
            elif limited and time.monotonic() - moved > self.limits.seconds:
                self._abort_work(process)
                raise ChildLost(f"it did not get on for {self.limits.seconds:g} s, and its process was ended")
            on_pause()

    def _abort_work(self, process: BaseProcess) -> None:
        """End the process with its stacks in the log, so that somebody can see where it hangs."""
        with suppress(ProcessLookupError):
            os.kill(cast(int, process.pid), signal.SIGABRT)
        wait([process.sentinel], ABORT_SECONDS)


def describe_exit_code(exit_code: int | None) -> str:
    """How a process ended, from its exit code: "killed by the system (SIGKILL), ..."."""
    if exit_code == -signal.SIGKILL:
        return "killed by the system (SIGKILL), as it does when memory runs out"
    if exit_code is not None and exit_code < 0:
        return f"by the signal {signal.Signals(-exit_code).name}"
    return f"with exit code {exit_code}"


def _serve_requests(connection: Connection, build: ServerFactory, memory: int, log_level: str) -> None:
    """The body of the process."""
    faulthandler.enable()
    _end_with_server()
    side = ChildSide(connection)
    signal.signal(signal.SIGTERM, side.obey_signal)
    log_to_stderr(log_level)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a picture of the memory holds faces, and takes long to write
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        greeting, serve = build(side)
    except Exception as error:
        connection.send(("failure", None, _simplify_error(error, memory)))
        return
    connection.send(("answer", None, greeting))
    with suppress(EOFError, OSError):  # the parent is gone or wants no more
        while True:
            request = connection.recv()
            with side.within_work():
                connection.send(_answer_request(serve, request, side, memory))


def _answer_request(serve: Serve, request: object, side: ChildSide, memory: int) -> tuple[str, Any, Any]:
    try:
        answer = serve(request)
    except Exception as error:
        failure = _simplify_error(error, memory)
        if isinstance(failure, UnexpectedFault):
            log.exception("unexpected")
        return "failure", side.news(), failure
    return "answer", side.news(), answer


def _simplify_error(error: Exception, memory: int) -> Exception:
    """The error as one that every process can unpickle, and that the worker decides alike."""
    if is_memory_fault(error):
        first = str(error).strip().partition("\n")[0].rstrip(".") or "no size is known"
        return MemoryError(f"{first}; the limit is {memory >> 20} MiB" if memory else first)
    for kind in _KEPT_TYPES:
        if isinstance(error, kind):
            return kind(str(error))
    sentence = f"{type(error).__name__}: {error}"
    return Unavailable(sentence) if is_transient(error) else UnexpectedFault(sentence)


def _end_with_server() -> None:
    """Let the kernel kill this process when the server is gone, which is gone as soon as the parent is."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

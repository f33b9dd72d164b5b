"""The process that recognises, seen from the one that watches."""

import multiprocessing
import os
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from merstream.caller_script import hide_caller_script
from merstream.live.event_recognition import LoadedModel, RecognisedClip
from merstream.live.face_ring import KeptClip
from merstream.single_thread import single_thread_environment
from shared.errors import MerError
from shared.interrupts import start_deaf_processes

NICE = 5  # watching goes first: a frame that is not watched in time is lost
MOST_RESTARTS = 3  # of the process, after which nothing is recognised any more


class RecognitionProcess:
    """Recognises in a process of its own, which is started again if it dies. Use it in a `with` block."""

    def __init__(self, model: str | Path) -> None:
        self.loaded: LoadedModel | None = None
        self._model = model
        self._deaths = 0
        self._ready = False
        self._number: int | None = None  # of the clip in its hands

    def __enter__(self) -> "RecognitionProcess":
        self._start_process()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    @property
    def is_idle(self) -> bool:
        return self._ready and self._number is None

    def start_clip(self, number: int, clip: KeptClip) -> None:
        self._number = number
        with suppress(OSError):  # it died: `take_answer` says so
            self._pipe.send((number, clip))

    def take_answer(self, wait: float = 0.0) -> RecognisedClip | None:
        """The answer, if it is there within `wait` s. Raises MerError if there is no model."""
        try:
            if not self._pipe.poll(wait):
                return None
            found = self._pipe.recv()
        except (EOFError, OSError):
            return self._replace_process()
        if isinstance(found, MerError):
            raise found
        if isinstance(found, LoadedModel):
            self.loaded, self._ready = found, True
            return None
        self._number = None
        assert isinstance(found, RecognisedClip)
        return found

    def _replace_process(self) -> RecognisedClip | None:
        """Start the process again, and answer for the clip that it worked on."""
        self._deaths += 1
        if self._deaths > MOST_RESTARTS:
            raise MerError("The process that recognises keeps dying. Check that there is enough memory.")
        number, self._number, self._ready = self._number, None, False
        self._pipe.close()
        self._process.join()
        self._start_process()
        if number is None:
            return None
        return RecognisedClip(number, None, "The process that recognises died over this event.")

    def _start_process(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_start_recognition, args=(theirs, self._model), name="recognition", daemon=True
        )
        with single_thread_environment(), hide_caller_script(), start_deaf_processes():
            self._process.start()
        theirs.close()


def _start_recognition(pipe: Connection, model: str | Path) -> None:
    # Imported here: the process that watches needs no torch.
    from merstream.live.clip_recognition import run_recognition

    if hasattr(os, "nice"):
        os.nice(NICE)
    run_recognition(pipe, model)

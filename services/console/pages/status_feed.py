"""What pages show, read once for all browsers, and the stream of events that says when it has changed."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fastapi import HTTPException

from services.console.pages.letter_summaries import LetterFollower, LetterSummary
from services.console.state_reader import StateReader
from shared.pipeline_state import PipelineSnapshot
from shared.pipeline_status import Status, StatusObserver
from shared.records import json_digest
from shared.training.fold_course import COURSES
from shared.video_progress import VideoProgress

MOST_LISTENERS = 100  # streams at once: half of the connections of the server


@dataclass(frozen=True)
class Moment:
    """The state of the pipeline at one moment. `digest` differs if a page may differ."""

    status: Status
    snapshot: PipelineSnapshot
    letters: Sequence[LetterSummary]
    videos: Sequence[VideoProgress]  # in the order of the status
    digest: str


class StatusFeed:
    """Reads the state at most once in `refresh_seconds`, however many browsers ask."""

    def __init__(self, reader: StateReader, refresh_seconds: float, stopping: threading.Event) -> None:
        self.reader, self.refresh_seconds, self.stopping = reader, refresh_seconds, stopping
        self._observer = StatusObserver(reader.state)
        self._letters = LetterFollower(reader.state.bus, reader.state.store)
        self._thread_lock, self._loop_lock = threading.Lock(), asyncio.Lock()
        self._newest: Moment | None = None
        self._read_at = 0.0
        self._listeners = 0

    async def read_moment(self) -> Moment:
        """The newest moment, not older than `refresh_seconds`. Raises HTTPException 503 while the broker is away."""
        async with self._loop_lock:
            if self._newest is None or time.monotonic() - self._read_at >= self.refresh_seconds:
                self._newest = await self.reader.run_work(self._read_once)
                self._read_at = time.monotonic()
            return self._newest

    def expire_moment(self) -> None:
        """The next read is a new one: somebody has just changed something."""
        self._read_at = 0.0

    def open_stream(self) -> AsyncIterator[str]:
        """A stream of server-sent events. Raises HTTPException 503 if too many are open."""
        if self._listeners >= MOST_LISTENERS:
            raise HTTPException(503, f"{MOST_LISTENERS} pages are open already. Close some of them.")
        return self._stream_events()

    def close(self) -> None:
        """Close the views that are not those of the reader's state. A later read opens them again."""
        with self._thread_lock:
            self._observer.close()
            self._letters.close()

    async def _stream_events(self) -> AsyncIterator[str]:
        """`changed` with the digest, or `trouble` with a sentence, or a comment that shows that a browser has gone."""
        self._listeners += 1
        try:
            sent = ""
            while not self.stopping.is_set():
                event = await self._describe_moment()
                yield event if event != sent else ":\n\n"
                sent = event
                await asyncio.sleep(self.refresh_seconds)
        finally:
            self._listeners -= 1

    async def _describe_moment(self) -> str:
        try:
            moment = await self.read_moment()
        except HTTPException as trouble:
            sentence = " ".join(str(trouble.detail).split())
            return f"event: trouble\ndata: {sentence}\n\n"
        return f"event: changed\ndata: {moment.digest}\n\n"

    def _read_once(self) -> Moment:
        """A thread that was given up may still read, so the next one waits for it."""
        with self._thread_lock:
            status = self._observer.read_status(self.reader.timeout_seconds)
            snapshot, letters = self.reader.read_snapshot(), self._letters.read_letters()
        counts = [len(snapshot.runs), len(snapshot.results), len(snapshot.folds), [letter.id for letter in letters]]
        shown = [vars(each) for each in (*status.groups, *status.datasets, *status.videos)]
        courses = self._mark_courses() if snapshot.runs.keys() - snapshot.results.keys() else []
        return Moment(status, snapshot, letters, self._observer.videos, json_digest([shown, counts, courses])[:16])

    def _mark_courses(self) -> list[str]:
        """What changes when a fold in training has another epoch."""
        return [f"{found.key} {found.etag}" for found in self.reader.state.store.list_objects(COURSES)]

"""Every service in one process, each as its own entry builds it, on a bus and a store in a folder."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from services.console.app import ConsoleOptions, create_application
from services.console.pages.status_feed import StatusFeed
from services.console.state_reader import StateReader
from services.ingest.inbox.inbox import Inbox
from services.ingest.inbox.video_inbox import VideoInbox
from services.spotter.video_handler import VideoHandler, build_video_handler
from services.trainer.service.processes import all_loops
from shared.bus.dead_letters import read_outstanding_letters
from shared.bus.topics import FEATURES
from shared.connect import open_bus, open_inbox, open_store, open_videos
from shared.dataset_notices import announce_dataset, read_datasets
from shared.memory_faults import is_memory_fault
from shared.pipeline_state import PipelineState
from shared.records import Dataset
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.video_records import SPOTTER_STAGE
from shared.worker import Worker
from shared.worker.backlog import BacklogMonitor
from shared.worker.child_handler import build_service_handler, build_stage_handler
from tests.hostile.messages import PIPELINE, RECORD, SAMPLE

WORK_BYTES = 1 << 30  # of the work on a record, in its child
ARCHIVE_FILES, ARCHIVE_BYTES = 1000, 16 << 20
API_SECONDS = 300.0


class HostileLab:
    """All services on one folder. `open_bucket` opens the bucket of datasets, here and in the inbox' child."""

    def __init__(
        self, home: Path, open_bucket: Callable[[Settings], Any] = open_inbox, videos: Store | None = None
    ) -> None:
        self.settings = Settings(
            home=home,
            scratch=home / "scratch",
            inbox_settle_seconds=0,
            inbox_patience_seconds=0,
            inbox_archive_files=ARCHIVE_FILES,
            inbox_archive_bytes=ARCHIVE_BYTES,
            retry_base_seconds=0.001,
            retry_cap_seconds=0.001,
            surprise_attempts=1,
            work_memory_bytes=WORK_BYTES,
            dead_letters_datasets=0,
        )
        self.bus, self.store, self.metrics = open_bus(self.settings), open_store(self.settings), Metrics()
        self.inbox, self.videos = open_bucket(self.settings), videos or open_videos(self.settings)
        self.stopping = threading.Event()
        shared = (self.store, self.bus, self.settings, self.metrics, self.stopping)
        self.dataset_inbox = Inbox(self.inbox, *shared, open_bucket=open_bucket)
        self.video_inbox = VideoInbox(self.videos, *shared)
        self.workers: dict[str, Worker] = {}
        inside = self.settings.model_copy(update={"work_in_child": False})  # no C code reads strangers' bytes there
        loops = all_loops(inside, self.bus, self.store, self.metrics, self.stopping)
        self.starter, planner, self.predictions, folds, recogniser = loops
        for worker in (planner, folds, recogniser):
            self.workers[worker.handler.name] = worker
        self.backlog = BacklogMonitor(self.bus, self.metrics, self.stopping)
        self.state = PipelineState(self.bus, self.store)
        feed = StatusFeed(StateReader(self.state, API_SECONDS), 0, self.stopping)
        self.api = create_application(feed, ConsoleOptions(scratch=self.settings.scratch))

    def worker(self, group: str) -> Worker:
        """The worker of a group, started when it is first asked for."""
        if group not in self.workers:
            self.workers[group] = self._start_worker(group)
        worker = self.workers[group]
        worker.ends_work = lambda error: not is_memory_fault(error)  # a fault that would be retried for ever
        return worker

    def _start_worker(self, group: str) -> Worker:
        module = f"services.{group.replace('-', '_')}.stage"
        build: Any = partial(build_stage_handler, module)
        if group == SPOTTER_STAGE:
            build, module = build_video_handler, VideoHandler.__module__
        in_child = group in (SPOTTER_STAGE, "ingest")
        settings = self.settings.model_copy(update={"work_in_child": in_child})
        handler = build_service_handler(group, build, settings, self.store, self.metrics, self.stopping, [module])
        return Worker(handler, self.bus, self.store, settings, self.metrics, self.stopping)

    def work_off(self, group: str) -> list[str]:
        """Let a group finish all its messages. Returns the sentences of new dead letters."""
        worker, before = self.worker(group), set(self._letters(group))
        while worker.step():
            pass
        return [sentence for origin, sentence in self._letters(group).items() if origin not in before]

    def _letters(self, group: str) -> dict[str, str]:
        return {each.origin: each.reason for each in read_outstanding_letters(self.bus, self.store, group)}

    def scan_inboxes(self) -> dict[str, Dataset]:
        """Scan both. Returns the announced datasets by name."""
        self.dataset_inbox.scan_now()
        self.video_inbox.scan_now()
        return {dataset.name: dataset for dataset in read_datasets(self.bus, self.store).values()}

    def announce_sound_dataset(self) -> None:
        """The dataset `d`, whose only clip has features, so that a run can be asked for."""
        dataset = Dataset(name="d", pipeline=PIPELINE, clips={SAMPLE.identity: RECORD.version}, complete=True)
        announce_dataset(self.bus, self.store, dataset)
        self.bus.publish(FEATURES.name, RECORD.key, RECORD.encode())

    def poll_loops(self) -> None:
        """One turn of everything that reads topics without a group."""
        for _ in range(2):
            self.starter.poll_topics()
        self.predictions.poll_topics()
        self.backlog.measure_groups()
        for inbox in (self.dataset_inbox, self.video_inbox):
            inbox._due = float("inf")  # only listen
            inbox.step()

    def ask_api(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> tuple[int, str]:
        """Status and body of the answer of the real application, without a socket."""
        return asyncio.run(self._ask_application(method, path, body, headers))

    async def _ask_application(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        route, _, query = path.partition("?")
        given = {"host": "localhost", "content-type": "application/json", **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": route,
            "raw_path": route.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.api(scope, receive, send)  # type: ignore[arg-type]
        content = b"".join(message.get("body", b"") for message in sent)
        return int(sent[0]["status"]), content.decode()

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()
            if hasattr(worker.handler, "close"):
                worker.handler.close()
        for part in (self.dataset_inbox, self.video_inbox, self.state, self.bus):
            part.close()

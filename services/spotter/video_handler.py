"""The group `spotter`: a video in, a source record of each of its events and the list of them out.

Order: sources of the events, motion, draft, manifest, messages, commit. If a worker is killed at any time, the video is
delivered again. With a stored manifest only its messages are published again. Without one the pass goes on, on any
machine, from the last minute whose chunk is in the store. Equal bytes of a video give equal artifacts.
"""

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from services.spotter.metrics import SpotterMetrics
from services.spotter.spotting_pass import (
    SPOTTER_VERSION,
    SpottedRecording,
    SpottingPass,
    spot_recording,
    spotting_recipe,
)
from services.spotter.watch_store import StorePart, WatchPlace
from shared.bus.topics import SOURCES, SPOTTED
from shared.connect import open_videos
from shared.errors import BadData
from shared.packed_clips import store_packed_clip
from shared.records import Record, manifest_key, quote_segment, source_key
from shared.scratch import ScratchFolder, require_free_bytes
from shared.store import NotStored, Store
from shared.telemetry import Metrics
from shared.video_records import SPOTTER_STAGE, RefusedVideo, SpottedVideo, Video
from shared.worker import OutgoingMessage, WorkAbandoned
from shared.worker.child_handler import HandlerTools
from shared.worker.stage_handler import write_large_artifact

log = logging.getLogger(__name__)

LONGEST_FILE_NAME = 200  # bytes


class VideoRemoved(Exception):
    """The bucket does not have the bytes any more that the message is about. Its message says whether others came."""


@dataclass
class VideoHandler:
    """A `shared.worker.MessageHandler`. Chunks of a pass lie in `store` until its manifest does."""

    videos: Store
    store: Store
    scratch: ScratchFolder
    spotter_metrics: SpotterMetrics
    spot: SpottingPass
    should_stop: Callable[[], bool] = lambda: False
    name: str = field(default=SPOTTER_STAGE, init=False)
    version: int = field(default=SPOTTER_VERSION, init=False)

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, list[OutgoingMessage]]:
        """Spot a video's events, or find them. A video that was removed or replaced meanwhile is left alone.

        Raises BadData for a file that is no video that can be read, WorkAbandoned if the process is to stop.
        """
        if not value:
            return "withdrawn", []
        video = Video.decode(value)
        if video.fault:  # no dead letter: nothing is to be repaired in the stack, and others have their turn
            self._note_refusal(video, video.fault)
            return "refused", []
        try:
            with self._fetch_video(video) as file:
                answer = self._spot_file(video, file, metrics)
        except VideoRemoved as outcome:
            self._delete_chunks(video)
            return str(outcome), []
        except NotStored:
            raise
        except BadData as fault:
            reason = f"{video.name}: {str(fault).removeprefix(f'{PurePosixPath(video.name).name}: ')}"
            self._note_refusal(video, reason)
            raise BadData(reason) from None
        self._delete_chunks(video)
        self.store.delete(video.refusal_key)
        return answer

    def _note_refusal(self, video: Video, reason: str) -> None:
        self._delete_chunks(video)
        self.store.put(video.refusal_key, RefusedVideo(video=video, reason=reason).encode())

    def _delete_chunks(self, video: Video) -> None:
        for key in list(self.store.list_keys(_chunk_prefix(video))):
            self.store.delete(key)

    @contextmanager
    def _fetch_video(self, video: Video) -> Iterator[Path]:
        """The video as a file, under its own name, as sentences name it. Raises VideoRemoved."""
        path = PurePosixPath(video.name)
        name = path.name if len(path.name.encode()) <= LONGEST_FILE_NAME else f"video{path.suffix}"
        with tempfile.TemporaryDirectory(dir=self.scratch.work) as folder:
            file = Path(folder) / name
            require_free_bytes(file.parent, video.size, video.name)
            try:
                self.videos.fetch_file(video.name, file)
            except NotStored:
                raise VideoRemoved("removed") from None
            # Looked at afterwards: a file that was replaced while it was fetched is another one's task.
            marks = [entry.etag for entry in self.videos.list_objects(video.name) if entry.key == video.name]
            if marks != [video.mark]:
                raise VideoRemoved("replaced" if marks else "removed")
            yield file

    def _spot_file(self, video: Video, file: Path, metrics: Metrics) -> tuple[str, list[OutgoingMessage]]:
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        recipe = spotting_recipe(sha256, video.plan)
        key = f"{SPOTTER_STAGE}/{quote_segment(video.name)}/{recipe}.npz"
        if earlier := self._find_spotted(key, video):
            return "reused", earlier
        place = WatchPlace(file.parent / "pass", StorePart(self.store, f"{_chunk_prefix(video)}{recipe}/"))
        started = time.monotonic()
        found = self.spot(file, video, place, self._show_progress)
        outputs = self._store_spotted(SpottedFile(video, sha256, recipe, key), found, metrics)
        metrics.compute.labels(self.name).observe(time.monotonic() - started)
        self.spotter_metrics.count_video(found.draft)
        return "computed", outputs

    def _find_spotted(self, key: str, video: Video) -> list[OutgoingMessage] | None:
        """The messages of an earlier pass over the same bytes. None if there is none, or if a source of it is gone."""
        try:
            spotted = SpottedVideo.decode(self.store.get(manifest_key(key)))
            sources = [
                Record.decode(self.store.get(manifest_key(source_key(identity, recipe))))
                for identity, recipe in spotted.clips.items()
            ]
        except NotStored:
            return None
        return _list_messages(spotted.model_copy(update={"video": video}), sources)

    def _show_progress(self, share: float) -> None:
        self.spotter_metrics.share.set(share)
        if self.should_stop():
            raise WorkAbandoned("stopped within a video")

    def _store_spotted(self, of: "SpottedFile", found: SpottedRecording, metrics: Metrics) -> list[OutgoingMessage]:
        """Store what was found, the manifest last. Returns the messages."""
        video, sources, events = of.video, [], {}
        for event, clip in found.clips:
            record = store_packed_clip(clip, video.pipeline, video.trace, self.store)
            sources.append(record)
            events[event] = record.sample.identity
        artifact = write_large_artifact(self.store, of.key, found.motion, self.scratch.work)
        metrics.artifact.labels(self.name).inc(artifact.size)
        spotted = SpottedVideo(
            video=video,
            sha256=of.sha256,
            artifact=artifact,
            recipe=of.recipe,
            clips={record.sample.identity: record.recipe for record in sources},
            events=events,
            faults=found.faults,
        )
        self.store.put(spotted.draft_key, found.draft.encode())
        self.store.put(manifest_key(of.key), spotted.encode())
        return _list_messages(spotted, sources)


def build_video_handler(tools: HandlerTools) -> VideoHandler:
    """The handler of a service, in the process that works."""
    return VideoHandler(
        open_videos(tools.settings),
        tools.store,
        ScratchFolder(tools.settings, SPOTTER_STAGE, tools.settings.videos_bucket),
        SpotterMetrics(tools.metrics.registry),
        spot_recording,
        tools.should_stop,
    )


@dataclass(frozen=True)
class SpottedFile:
    """A video whose bytes are here, and where what is spotted in them belongs."""

    video: Video
    sha256: str
    recipe: str
    key: str


def _chunk_prefix(video: Video) -> str:
    return f"{SPOTTER_STAGE}/{quote_segment(video.name)}/passes/"


def _list_messages(spotted: SpottedVideo, sources: list[Record]) -> list[OutgoingMessage]:
    """The events' source records first: the list of them says that all are published."""
    video = spotted.video
    issued = [record.reissue(record.sample, video.pipeline, video.trace) for record in sources]
    return [
        *(OutgoingMessage(SOURCES.name, record.key, record.encode(), record.artifact.key) for record in issued),
        OutgoingMessage(SPOTTED.name, spotted.key, spotted.encode(), spotted.artifact.key),
    ]

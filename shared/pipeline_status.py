"""The state of the pipeline as a person reads it: groups, uploaded datasets and videos.

`mer status` and the console show it.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.bus import Bus
from shared.bus.topics import TOPIC_BY_GROUP
from shared.dataset_progress import DatasetProgress, are_stages_idle
from shared.pipeline_state import PipelineState
from shared.records import Dataset, FoldResult, RunResult
from shared.video_progress import VideoFollower, VideoProgress

UNREPORTED_RESULT_FIELDS = {"schema_name", "dataset", "pipeline", "files"}  # fields of a `RunResult`


@dataclass(frozen=True)
class GroupState:
    """A group's messages: committed, not yet committed, and outstanding dead letters."""

    group: str
    done: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class DatasetState:
    """A dataset's clips, counted by `shared.dataset_progress`. `found` counts `features`, `left_out` and pending."""

    dataset: str
    pipeline: str
    found: int
    features: int
    left_out: int
    faults: tuple[str, ...]
    lost: tuple[str, ...]  # clips that nobody works on, as sentences
    complete: bool
    created: str
    result: dict[str, Any] | None  # the newest training: status, reason, figures by learner, ...


@dataclass(frozen=True)
class VideoState:
    """An uploaded video. `state` is one of `shared.video_progress.VIDEO_STATES`. Counts are None before they exist."""

    video: str
    pipeline: str
    state: str
    reason: str  # why it failed or is lost
    events: int | None
    pending: int | None  # events without features so far
    recognised: int | None
    created: str
    files: dict[str, str]  # of the prediction: keys in the store by name


@dataclass(frozen=True)
class Status:
    groups: list[GroupState]
    datasets: list[DatasetState]
    videos: list[VideoState]


class StatusObserver:
    """Reads the status again and again, for several threads. The caller closes `state`, whose views it shares."""

    def __init__(self, state: PipelineState) -> None:
        self.state = state
        self._videos = VideoFollower(state.bus, state.store)
        self._read_lock = threading.Lock()
        self.videos: Sequence[VideoProgress] = ()  # of the newest status, in its order

    def read_status(self, patience_seconds: float = -1) -> Status:
        """The present status. Raises Unavailable as `PipelineState.read_snapshot` does.

        The groups are asked between two reads: a clip that was announced before and is pending after that is lost.
        """
        announced = self.state.read_snapshot(patience_seconds).datasets
        idle = are_stages_idle(self.state.bus)
        with self._read_lock:
            idle_tasks = self._videos.find_idle_tasks()
        snapshot = self.state.read_snapshot(patience_seconds)
        results = newest_results(snapshot.results.values())
        datasets = [
            _dataset_state(dataset, snapshot.progress_of(dataset), results, idle and announced.get(key) is dataset)
            for key, dataset in snapshot.datasets.items()
        ]
        with self._read_lock:
            videos = self._videos.read_progress(snapshot.features, snapshot.failure_sentences, idle_tasks)
        self.videos = videos
        groups = [_group_state(self.state.bus, group, snapshot.letter_counts[group]) for group in TOPIC_BY_GROUP]
        return Status(groups, datasets, [_video_state(video) for video in videos])

    def close(self) -> None:
        """Close the views of videos. A later read opens them again."""
        with self._read_lock:
            self._videos.close()


def newest_results(found: Iterable[FoldResult | RunResult]) -> dict[tuple[str, str], RunResult]:
    """The newest run result of each dataset and pipeline, the oldest of these first."""
    by_age = sorted((each for each in found if isinstance(each, RunResult)), key=lambda result: result.created)
    kept = {(result.dataset, result.pipeline): result for result in by_age}
    return dict(sorted(kept.items(), key=lambda item: item[1].created))


def _group_state(bus: Bus, group: str, failed: int) -> GroupState:
    progress = bus.group_progress(TOPIC_BY_GROUP[group], group)
    return GroupState(group, progress.committed, progress.lag, failed)


def _dataset_state(
    dataset: Dataset, progress: DatasetProgress, results: Mapping[tuple[str, str], RunResult], idle: bool
) -> DatasetState:
    result = results.get((dataset.name, dataset.pipeline.digest))
    return DatasetState(
        dataset=dataset.name,
        pipeline=dataset.pipeline.digest,
        found=progress.clip_count,
        features=len(progress.features),
        left_out=len(progress.left_out),
        faults=dataset.faults,
        lost=progress.lost_sentences() if idle else (),
        complete=dataset.complete,
        created=dataset.created.isoformat(timespec="seconds"),
        result=result.model_dump(mode="json", exclude=UNREPORTED_RESULT_FIELDS) if result else None,
    )


def _video_state(progress: VideoProgress) -> VideoState:
    video, spotted, events, result = progress.video, progress.spotted, progress.events, progress.result
    return VideoState(
        video=video.name,
        pipeline=video.pipeline.digest,
        state=progress.state,
        reason=progress.reason,
        events=len(spotted.events) + len(spotted.faults) if spotted else None,
        pending=len(events.pending) if events else None,
        recognised=result.recognised if result else None,
        created=video.created.isoformat(timespec="seconds"),
        files=result.files if result else {},
    )

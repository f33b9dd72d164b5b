"""`mer status`: the progress of every group, dead letters, and the state of each uploaded dataset and video."""

import json
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from merstream.cli.console import stdout_console
from merstream.cli.options import RunOrStack
from merstream.commands.report import newest_results
from merstream.stack.connection import connect_bus_and_store
from shared.bus import Bus
from shared.bus.topics import RESULTS, TOPIC_BY_GROUP
from shared.dataset_notices import dataset_view
from shared.dataset_progress import DatasetProgress, are_stages_idle, measure_progress
from shared.errors import Unavailable
from shared.feature_index import FeaturesView
from shared.progress_cache import ProgressCache
from shared.records import Dataset, RunResult, result_type
from shared.store import Store
from shared.topic_views import FailureSentences, dead_letter_view, record_view
from shared.video_progress import VideoFollower, VideoProgress

REFRESH_SECONDS = 2.0
MOST_FAULTS = 3  # sentences per dataset; --json has all
UNREPORTED_RESULT_FIELDS = {"schema_name", "dataset", "pipeline", "files"}  # fields of a `RunResult`


def status_command(
    out: RunOrStack = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
) -> None:
    """Show the progress of every group, dead letters, and the state of each uploaded dataset and video.

    Example: `mer --env secrets/mer.env status --watch`.
    """
    show_status(out, as_json=as_json, watching=watch)


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
    reason: str  # why it failed
    events: int | None
    pending: int | None  # events without features so far
    recognised: int | None
    created: str


@dataclass(frozen=True)
class Status:
    groups: list[GroupState]
    datasets: list[DatasetState]
    videos: list[VideoState]


def show_status(out: Path | None, *, as_json: bool, watching: bool) -> None:
    """Print the status of the run in `out` or of the stack, as tables or JSON. `watching` refreshes it until Ctrl-C."""
    with connect_bus_and_store(out) as (bus, store), closing(StatusObserver(bus, store)) as observer:
        if watching:
            watch_status(observer, threading.Event())
        elif as_json:
            print(json.dumps(asdict(observer.read_status()), ensure_ascii=False, indent=2))
        else:
            stdout_console.print(render_status(observer.read_status()))


class StatusObserver:
    """Reads the status again and again. A topic is read whole once, then only its new messages are read."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.bus = bus
        self._datasets = dataset_view(bus, store)
        self._features = FeaturesView(bus)
        self._results = record_view(bus, RESULTS.name, result_type)
        self._videos = VideoFollower(bus, store)
        self._letters = {group: dead_letter_view(bus, store, group) for group in TOPIC_BY_GROUP}
        self._failures = FailureSentences(self._letters.values())
        self._measured = ProgressCache(measure_progress)

    def read_status(self) -> Status:
        """Raises Unavailable while the broker is away."""
        announced = self._datasets.read_newest().values()
        self._measured.keep_only(announced)
        idle = are_stages_idle(self.bus)  # between what was announced before and the features that came after
        failures = self._failures.read_newest()
        groups = [self._group_state(group) for group in TOPIC_BY_GROUP]
        features = self._features.read_newest()
        results = newest_results(self._results.read_newest().values())
        datasets = [
            _dataset_state(dataset, self._measured.find_progress(dataset, features, failures), results, idle)
            for dataset in announced
        ]
        videos = [_video_state(video) for video in self._videos.read_progress(features, failures)]
        return Status(groups, datasets, videos)

    def close(self) -> None:
        views: list[Any] = [self._videos, self._datasets, self._features, self._results, self._failures]
        for view in views:
            view.close()

    def _group_state(self, group: str) -> GroupState:
        progress = self.bus.group_progress(TOPIC_BY_GROUP[group], group)
        return GroupState(group, progress.committed, progress.lag, self._letters[group].message_count)


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
    )


def watch_status(observer: StatusObserver, stopping: threading.Event, refresh_seconds: float = REFRESH_SECONDS) -> None:
    """Show the status in place until `stopping` is set. While the broker is away, show its error instead."""
    with Live(console=stdout_console, auto_refresh=False) as live:
        while not stopping.is_set():
            try:
                live.update(render_status(observer.read_status()), refresh=True)
            except Unavailable as trouble:
                live.update(Text(str(trouble), style="yellow"), refresh=True)
            stopping.wait(refresh_seconds)


def render_status(status: Status) -> RenderableType:
    """The status as tables of groups, datasets and videos, then the first faults of each dataset."""
    parts: list[RenderableType] = [_groups_table(status.groups)]
    if status.datasets:
        parts.append(_datasets_table(status.datasets))
    if status.videos:
        parts.append(_videos_table(status.videos))
    for dataset in status.datasets:
        faults = (*dataset.faults, *dataset.lost)
        parts += [Text(f"{dataset.dataset}: {fault}") for fault in faults[:MOST_FAULTS]]
        if (more := len(faults) - MOST_FAULTS) > 0:
            parts.append(Text(f"{dataset.dataset}: {more} more faults, see --json"))
    return Group(*parts)


def _groups_table(groups: Iterable[GroupState]) -> Table:
    table = Table("group", *(Column(name, justify="right") for name in ("done", "waiting", "failed")))
    for each in groups:
        failed = f"[red]{each.failed}[/]" if each.failed else "0"
        table.add_row(each.group, str(each.done), str(each.waiting), failed)
    return table


def _datasets_table(datasets: Iterable[DatasetState]) -> Table:
    numbers = ("clips", "features", "left out")
    table = Table(
        "dataset", "pipeline", *(Column(name, justify="right") for name in numbers), "complete", "newest result"
    )
    for each in datasets:
        counts = map(str, (each.found, each.features, each.left_out))
        table.add_row(
            escape(each.dataset),
            each.pipeline,
            *counts,
            "yes" if each.complete else "not yet",
            _describe_result(each.result),
        )
    return table


def _videos_table(videos: Iterable[VideoState]) -> Table:
    table = Table("video", "state", *(Column(name, justify="right") for name in ("events", "in work", "recognised")))
    for each in videos:
        counts = ["" if count is None else str(count) for count in (each.events, each.pending, each.recognised)]
        state = f"[red]failed:[/] {escape(each.reason)}" if each.reason else each.state
        table.add_row(escape(each.video), state, *counts)
    return table


def _describe_result(result: dict[str, Any] | None) -> str:
    if result is None:
        return ""
    if result["status"] == "failed":
        return f"[red]failed:[/] {escape(result['reason'])}"
    figures = result["figures"].get(result["model"])
    return escape(result["model"]) + (f" UF1 {figures['uf1']:.3f}, UAR {figures['uar']:.3f}" if figures else "")

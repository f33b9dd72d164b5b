"""`mer status`: how far every group is, what could not be processed, and what became of each dropped dataset."""

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
from merstream.decoded import decode_messages
from merstream.stack.connection import connect_bus
from shared.bus import Bus, Follower, Message
from shared.bus.topics import TOPIC_BY_GROUP, dead_letter_topic
from shared.errors import Unavailable
from shared.records import Dataset, Record, RunResult

REFRESH_SECONDS = 2.0
MOST_FAULTS = 3  # sentences per dataset; --json has all
UNREPORTED_RESULT_FIELDS = {"schema_name", "dataset", "pipeline", "files"}  # of a result


def status_command(
    out: RunOrStack = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
) -> None:
    """Show the progress of every group, dead letters, and the state of each uploaded dataset.

    Example: `mer --env docker/localhost.env status --watch`.
    """
    show_status(out, as_json=as_json, watching=watch)


@dataclass(frozen=True)
class GroupState:
    """In messages: committed, not yet committed, and dead letters that nobody replayed."""

    group: str
    done: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class DatasetState:
    """In clips. `found` = with `features` + `left_out` + what is still underway."""

    dataset: str
    pipeline: str
    found: int
    features: int
    left_out: int
    faults: tuple[str, ...]
    complete: bool
    created: str
    result: dict[str, Any] | None  # of the newest training: status, reason, figures by learner, ...


@dataclass(frozen=True)
class Status:
    groups: list[GroupState]
    datasets: list[DatasetState]


def show_status(out: Path | None, *, as_json: bool, watching: bool) -> None:
    """Of the run in `out`, or of the stack: once as tables or JSON, or refreshed until Ctrl-C."""
    with connect_bus(out) as bus, closing(StatusObserver(bus)) as observer:
        if watching:
            watch_status(observer, threading.Event())
        elif as_json:
            print(json.dumps(asdict(observer.read_status()), ensure_ascii=False, indent=2))
        else:
            stdout_console.print(render_status(observer.read_status()))


class StatusObserver:
    """Reads the status again and again; what the topics hold is read once and then followed."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._followers: dict[str, Follower] = {}

    def read_status(self) -> Status:
        """Raises Unavailable while the broker is away."""
        letters = {group: self._topic_state(dead_letter_topic(group).name) for group in TOPIC_BY_GROUP}
        groups = [self._group_state(group, len(letters[group])) for group in TOPIC_BY_GROUP]
        features = _record_origins(self._topic_state("mer.features"))
        buried = {origin for state in letters.values() for origin in _record_origins(state)}
        datasets = decode_messages(Dataset, self._topic_state("mer.datasets"))
        trained = newest_results(decode_messages(RunResult, self._topic_state("mer.results")))
        return Status(groups, [_dataset_state(each, features, buried, trained) for each in datasets])

    def close(self) -> None:
        for follower in self._followers.values():
            follower.close()

    def _group_state(self, group: str, failed: int) -> GroupState:
        depth = self.bus.group_progress(TOPIC_BY_GROUP[group], group)
        return GroupState(group, depth.committed, depth.lag, failed)

    def _topic_state(self, topic: str) -> Mapping[str, Message]:
        if topic not in self._followers:
            self._followers[topic] = self.bus.follow(topic)
        return self._followers[topic].read_newest()


def _record_origins(state: Mapping[str, Message]) -> set[tuple[str, str]]:
    """Of each record its key, and where the source artifact lies that it goes back to."""
    records = decode_messages(Record, state)
    chains = ((record.key, {**record.inputs, record.stage: record.artifact}) for record in records)
    return {(key, chain["source"].key) for key, chain in chains if "source" in chain}


def _dataset_state(
    dataset: Dataset,
    features: set[tuple[str, str]],
    buried: set[tuple[str, str]],
    trained: Mapping[tuple[str, str], RunResult],
) -> DatasetState:
    """A clip counts with the files that it has now: what became of earlier ones does not matter."""
    clips = {
        (f"{identity}@{dataset.pipeline.digest}", f"source/{identity}/{recipe}.npz")
        for identity, recipe in dataset.clips.items()
    }
    result = trained.get((dataset.name, dataset.pipeline.digest))
    return DatasetState(
        dataset=dataset.name,
        pipeline=dataset.pipeline.digest,
        found=len(clips) + len(dataset.faults),
        features=len(clips & features),
        left_out=len((clips & buried) - features) + len(dataset.faults),
        faults=dataset.faults,
        complete=dataset.complete,
        created=dataset.created.isoformat(timespec="seconds"),
        result=result.model_dump(mode="json", exclude=UNREPORTED_RESULT_FIELDS) if result else None,
    )


def watch_status(observer: StatusObserver, stopping: threading.Event) -> None:
    """The status in place, refreshed until `stopping`; trouble is shown and waited out."""
    with Live(console=stdout_console, auto_refresh=False) as live:
        while not stopping.is_set():
            try:
                live.update(render_status(observer.read_status()), refresh=True)
            except Unavailable as trouble:
                live.update(Text(str(trouble), style="yellow"), refresh=True)
            stopping.wait(REFRESH_SECONDS)


def render_status(status: Status) -> RenderableType:
    """Tables of groups and datasets, then the first faults of each dataset."""
    parts: list[RenderableType] = [_groups_table(status.groups)]
    if status.datasets:
        parts.append(_datasets_table(status.datasets))
    for dataset in status.datasets:
        parts += [Text(f"{dataset.dataset}: {fault}") for fault in dataset.faults[:MOST_FAULTS]]
        if (more := len(dataset.faults) - MOST_FAULTS) > 0:
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


def _describe_result(result: dict[str, Any] | None) -> str:
    if result is None:
        return ""
    if result["status"] == "failed":
        return f"[red]failed:[/] {escape(result['reason'])}"
    figures = result["figures"].get(result["model"])
    return escape(result["model"]) + (f" UF1 {figures['uf1']:.3f}, UAR {figures['uar']:.3f}" if figures else "")

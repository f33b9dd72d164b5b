"""`mer status`: the progress of every group, dead letters, and the state of each uploaded dataset and video."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
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
from merstream.stack.connection import connect_bus_and_store
from shared.bus import Bus
from shared.errors import Unavailable
from shared.pipeline_state import PipelineState
from shared.pipeline_status import DatasetState, GroupState, Status, StatusObserver, VideoState
from shared.store import Store

REFRESH_SECONDS = 2.0
MOST_FAULTS = 3  # sentences per dataset; --json has all


def status_command(
    out: RunOrStack = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
) -> None:
    """Show the progress of every group, dead letters, and the state of each uploaded dataset and video.

    Example: `mer --env secrets/mer.env status --watch`.
    """
    show_status(out, as_json=as_json, watching=watch)


def show_status(out: Path | None, *, as_json: bool, watching: bool) -> None:
    """Print the status of the run in `out` or of the stack, as tables or JSON. `watching` refreshes it until Ctrl-C."""
    with connect_bus_and_store(out) as (bus, store), observe_status(bus, store) as observer:
        if watching:
            watch_status(observer, threading.Event())
        elif as_json:
            print(json.dumps(asdict(observer.read_status()), ensure_ascii=False, indent=2))
        else:
            stdout_console.print(render_status(observer.read_status()))


@contextmanager
def observe_status(bus: Bus, store: Store) -> Iterator[StatusObserver]:
    """An observer whose views are closed on leaving."""
    with closing(PipelineState(bus, store)) as state, closing(StatusObserver(state)) as observer:
        yield observer


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
        state = f"[red]{each.state}:[/] {escape(each.reason)}" if each.reason else each.state
        table.add_row(escape(each.video), state, *counts)
    return table


def _describe_result(result: dict[str, Any] | None) -> str:
    if result is None:
        return ""
    if result["status"] != "done":
        return f"[red]{result['status']}:[/] {escape(result['reason'])}"
    figures = result["figures"].get(result["model"])
    return escape(result["model"]) + (f" UF1 {figures['uf1']:.3f}, UAR {figures['uar']:.3f}" if figures else "")

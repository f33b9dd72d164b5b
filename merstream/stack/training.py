"""`mer train --stack URL`: ask a stack for a training run, follow it, fetch its report."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.markup import escape

from merstream.cli.console import stderr_console
from merstream.cli.progress import progress_bars
from merstream.cli.report_view import order_report_files, print_report
from merstream.embedded.run_folder import OUTPUT_FOLDER
from merstream.stack.api_client import TrainerApi
from shared.errors import BadData, Misconfigured, Unavailable
from shared.settings import load_settings

WATCH_SECONDS = 2.0
FINISHED_STATES = {"done", "failed"}
RunProgressCallback = Callable[[dict[str, Any], str], None]


def train_on_stack(
    url: str,
    dataset_names: Sequence[str],
    /,
    *,
    pipeline: str | None = None,
    partial: bool = False,
    watch: bool = False,
    **changes: Any,
) -> None:
    """Start a run on dropped datasets, or find it if it was asked for before; with `watch` stay until it is done and
    print its report.

    `changes` are those of `merstream.embedded.training.train_and_report`; None asks for nothing.
    """
    if not dataset_names:
        raise Misconfigured("--stack: expected the name of a dropped dataset too: --dataset NAME.")
    api = TrainerApi(url, load_settings().api_token.get_secret_value())
    settings = {name: value for name, value in changes.items() if value is not None}
    body = {"datasets": list(dataset_names), "pipeline": pipeline, "settings": settings, "partial": partial}
    run = api.post("/runs", body)
    stderr_console.print(
        f"Run {run['id']} of {escape(run['dataset'])} is {run['state']}: {api.url}{run['url']}", soft_wrap=True
    )
    if watch:
        fetch_and_print_report(api, follow_run(api, run))
    elif run["state"] not in FINISHED_STATES:
        stderr_console.print("The same command with --watch follows it and fetches its report.", soft_wrap=True)


def follow_run(api: TrainerApi, run: dict[str, Any]) -> dict[str, Any]:
    """The run once it is over. Ctrl-C leaves it going and ends this process."""
    with progress_bars() as progress:
        task = progress.add_task(run["model"], total=None, remark="")

        def show_progress(now: dict[str, Any], remark: str) -> None:
            folds = now["folds"] or {}
            progress.update(task, total=folds.get("total"), completed=folds.get("done", 0), remark=remark)

        try:
            return _wait_until_finished(api, run, show_progress)
        except KeyboardInterrupt:
            progress.stop()
            stderr_console.print("The run goes on without you. The same command follows it again.")
            sys.exit(130)


def _wait_until_finished(api: TrainerApi, run: dict[str, Any], show_progress: RunProgressCallback) -> dict[str, Any]:
    """Trouble is shown and waited out."""
    while run["state"] not in FINISHED_STATES:
        show_progress(run, run["state"])
        time.sleep(WATCH_SECONDS)
        try:
            run = api.get(run["url"])
        except Unavailable as trouble:
            show_progress(run, str(trouble))
    return run


def fetch_and_print_report(api: TrainerApi, run: dict[str, Any]) -> None:
    """Fetch the report and print it. Raises BadData for a run that has failed."""
    if run["state"] == "failed":
        raise BadData(f"Run {run['id']} has failed: {run['reason']}")
    folder = OUTPUT_FOLDER / "reports" / quote(run["dataset"], safe="") / run["id"]
    folder.mkdir(parents=True, exist_ok=True)
    for name in order_report_files(run["files"]):
        api.download_file(run["files"][name], folder / Path(name).name)
    print_report(folder)

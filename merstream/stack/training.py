"""The work of `mer stack train`: ask a stack for a training run, follow it, fetch its report."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from merstream.cli.console import INTERRUPTED, print_message, progress_bars
from merstream.cli.report_view import order_report_files, print_report
from merstream.embedded.run_folder import OUTPUT_FOLDER
from merstream.stack.api_client import StackApi
from shared.errors import BadData, Unavailable
from shared.settings import load_settings
from shared.storage_faults import require_writable_folder

WATCH_SECONDS = 2.0
FINISHED_STATES = {"done", "failed", "cancelled"}
RunProgressCallback = Callable[[dict[str, Any], str], None]


def train_on_stack(
    url: str,
    dataset_names: Sequence[str],
    /,
    *,
    pipeline: str | None = None,
    partial: bool = False,
    watch: bool = False,
    **requested: Any,
) -> None:
    """Start a run on uploaded datasets, or find it if it was started before. `watch` follows it and prints its report.

    `shared.training.options.resolve_options` reads `requested` on the stack. None stands for the default.
    """
    api = StackApi(url, load_settings().api_token.get_secret_value())
    settings = {name: value for name, value in requested.items() if value is not None}
    body = {"datasets": list(dataset_names), "pipeline": pipeline, "settings": settings, "partial": partial}
    run = api.post("/runs", body)
    print_message(f"Run {run['id']} of {run['dataset']} is {run['state']}: {api.url}{run['url']}")
    if watch:
        require_writable_folder(_report_folder_of(run))
        fetch_and_print_report(api, follow_run(api, run))
    elif run["state"] not in FINISHED_STATES:
        print_message("The same command with --watch follows it and fetches its report.")


def follow_run(api: StackApi, run: dict[str, Any]) -> dict[str, Any]:
    """Wait until the run is over, with a bar, and return it. Ctrl-C ends this process and leaves the run active."""
    with progress_bars() as progress:
        task = progress.add_task(run["model"], total=None, remark="")

        def show_progress(now: dict[str, Any], remark: str) -> None:
            folds = now["folds"] or {}
            progress.update(task, total=folds.get("total"), completed=folds.get("done", 0), remark=remark)

        try:
            return wait_until_finished(api, run, show_progress)
        except KeyboardInterrupt:
            progress.stop()
            print_message("The run stays active on the stack. The same command follows it again.")
            sys.exit(INTERRUPTED)


def wait_until_finished(
    api: StackApi,
    run: dict[str, Any],
    show_progress: RunProgressCallback,
    pause: Callable[[], None] = lambda: time.sleep(WATCH_SECONDS),
) -> dict[str, Any]:
    """Ask for the run's state until it is over. While the API is away, its error is the remark, and it is asked again.

    `pause` waits between two requests.
    """
    while run["state"] not in FINISHED_STATES:
        show_progress(run, run["state"])
        pause()
        try:
            run = api.get(run["url"])
        except Unavailable as trouble:
            show_progress(run, str(trouble))
    return run


def fetch_and_print_report(api: StackApi, run: dict[str, Any]) -> None:
    """Fetch the report of a finished run and print it. Raises BadData for a run that failed or was cancelled."""
    if run["state"] != "done":
        raise BadData(f"Run {run['id']} {'was ' * (run['state'] == 'cancelled')}{run['state']}: {run['reason']}")
    folder = _report_folder_of(run)
    require_writable_folder(folder)
    for name in order_report_files(run["files"]):
        api.download_file(run["files"][name], folder / Path(name).name)
    print_report(folder)


def _report_folder_of(run: dict[str, Any]) -> Path:
    return OUTPUT_FOLDER / "reports" / quote(run["dataset"], safe="") / str(run["id"])

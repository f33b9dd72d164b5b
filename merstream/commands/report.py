"""`mer report`: print the figures of a report. From a stack, fetch the newest report first."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.report_view import order_report_files, print_report
from merstream.embedded.run_folder import OUTPUT_FOLDER, Workspace
from merstream.stack.connection import connect_bus_and_store
from shared.bus.topics import RESULTS
from shared.errors import BadData
from shared.pipeline_status import newest_results
from shared.records import RunResult, result_type
from shared.settings import load_settings
from shared.storage_faults import require_writable_folder
from shared.store import LocalStore, Store
from shared.topic_views import read_records


def report_command(
    out: Annotated[Path | None, typer.Option("--out", "-o", show_default="out/run", help="Folder of a run.")] = None,
    dataset: Annotated[str | None, typer.Option(help="On a stack: the report of this dataset.")] = None,
    to: Annotated[
        Path | None, typer.Option(show_default="out/reports/...", help="Folder for a report from a stack.")
    ] = None,
) -> None:
    """Print the figures of a report and the path of its page.

    If MER_* settings name a stack and --out is not given, the newest report is fetched first.
    """
    show_report(out, dataset, to)


def show_report(out: Path | None, dataset: str | None, destination: Path | None) -> None:
    """Print the report of the run in `out`. Without `out`, fetch the newest one if the settings name a stack."""
    if out is None and load_settings().kafka_servers:
        print_report(fetch_report(dataset, destination))
    else:
        print_report(Workspace(out or OUTPUT_FOLDER / "run").report_folder)


def fetch_report(dataset: str | None, destination: Path | None) -> Path:
    """Fetch the newest report, of `dataset` or of any dataset, and return its folder.

    Raises BadData if there is none, or if the newest training of a named dataset failed.
    """
    with connect_bus_and_store(None) as (bus, store):
        result = select_result(newest_results(read_records(bus, RESULTS.name, result_type)).values(), dataset)
        folder = destination or (OUTPUT_FOLDER / result.files["report.json"]).parent
        _download_report(store, result, folder)
    return folder


def select_result(found: Iterable[RunResult], dataset: str | None) -> RunResult:
    """The newest result that has a report, or the newest result of `dataset`. Results are ordered by age.

    Raises BadData if there is none, or if it is a failure.
    """
    results = list(found)
    matching = [each for each in results if dataset == each.dataset or (dataset is None and each.status == "done")]
    if not matching:
        known = ", ".join(dict.fromkeys(each.dataset for each in results)) or "none"
        raise BadData(f"Expected a report of {dataset or 'any dataset'}, got none; there are results of {known}.")
    newest = matching[-1]
    if newest.status != "done":
        ended = "was cancelled" if newest.status == "cancelled" else newest.status
        raise BadData(f"The newest training on {newest.dataset} {ended}: {newest.reason}")
    return newest


def _download_report(store: Store, result: RunResult, folder: Path) -> None:
    require_writable_folder(folder)
    for name in order_report_files(result.files):
        LocalStore(folder).put(Path(name).name, store.get(result.files[name]))

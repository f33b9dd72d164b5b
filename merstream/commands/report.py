"""`mer report`: the figures of a report in the terminal; from a stack, the report itself is fetched first."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from merstream.cli.console import stdout_console
from merstream.embedded.run_folder import Workspace
from merstream.stack.connection import connect_bus_and_store
from shared.bus.topics import RESULTS
from shared.errors import BadData
from shared.records import FoldResult, RunResult, result_type
from shared.settings import load_settings
from shared.store import Store
from shared.topic_views import read_records

OUTPUT_FOLDER = Path("out")  # where an embedded run is looked for, and what is fetched goes to, unless told otherwise


def show_report(out: Path | None, dataset: str | None, destination: Path | None) -> None:
    """Of the run in `out`; without it of the newest training on the stack, if the settings name one."""
    if out is None and load_settings().kafka_servers:
        print_report(fetch_report(dataset, destination))
    else:
        print_report(Workspace(out or OUTPUT_FOLDER / "run").report_folder)


def fetch_report(dataset: str | None, destination: Path | None) -> Path:
    """Fetch the newest report, of `dataset` or of any, into the folder `to`; that folder.

    Raises BadData if there is none, or if the newest training of a named dataset has failed.
    """
    with connect_bus_and_store(None) as (bus, store):
        result = select_result(newest_results(read_records(bus, RESULTS.name, result_type)).values(), dataset)
        folder = destination or (OUTPUT_FOLDER / result.files["report.json"]).parent
        _download_report(store, result, folder)
    return folder


def newest_results(found: Iterable[FoldResult | RunResult]) -> dict[tuple[str, str], RunResult]:
    """The newest run result of each dataset and pipeline, the oldest of these first."""
    by_age = sorted((each for each in found if isinstance(each, RunResult)), key=lambda result: result.created)
    kept = {(result.dataset, result.pipeline): result for result in by_age}
    return dict(sorted(kept.items(), key=lambda item: item[1].created))


def select_result(found: Iterable[RunResult], dataset: str | None) -> RunResult:
    """The newest that has a report; of `dataset` the newest at all. Raises BadData."""
    found = list(found)
    fitting = [one for one in found if dataset == one.dataset or (dataset is None and one.status == "done")]
    if not fitting:
        known = ", ".join(dict.fromkeys(one.dataset for one in found)) or "none"
        raise BadData(f"Expected a report of {dataset or 'any dataset'}, got none; there are results of {known}.")
    if fitting[-1].status == "failed":
        raise BadData(f"The newest training on {fitting[-1].dataset} has failed: {fitting[-1].reason}")
    return fitting[-1]


def _download_report(store: Store, result: RunResult, folder: Path) -> None:
    """`report.json` last: without it there is no report."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(result.files, key="report.json".__eq__):
        (folder / Path(name).name).write_bytes(store.get(result.files[name]))


def print_report(folder: Path) -> None:
    """The figures of the report in a folder. Raises BadData if there is none."""
    file = folder / "report.json"
    if not file.exists():
        run = f"`mer run` or `mer train --out {folder.parent}`"
        raise BadData(f"{file}: expected a report, got none; {run} makes one, or name a stack with MER_* settings.")
    report = json.loads(file.read_text(encoding="utf-8"))
    data, result = report["data"], report["result"]
    stdout_console.print(
        f"\n{report['protocol']['title']}; {data['samples']} clips of {data['subjects']} subjects, "
        f"{_describe_seeds(report)}",
        soft_wrap=True,
    )
    for sentence in report["protocol"]["faults"]:
        stdout_console.print(f"[yellow]mind[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    stdout_console.print(_figures_table(report))
    stdout_console.print(_confusion_table(result))
    stdout_console.print(f"The whole report: {escape(str(file.with_suffix('.html')))}", soft_wrap=True)


def _describe_seeds(report: dict[str, Any]) -> str:
    seeds = [str(row["seed"]) for row in report["seeds"][report["model"]]]
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    own = f"{report['result']['uf1']:.3f} {_format_interval(report['result'])}"
    return (
        f"mean ± standard deviation over seeds {', '.join(seeds)}; of seed {seeds[0]} UF1 {own} and the confusion below"
    )


def _format_interval(result: dict[str, Any]) -> str:
    low, high = result["interval"]["uf1"]
    return escape(f"[{low:.3f}, {high:.3f}]")


def _figures_table(report: dict[str, Any]) -> Table:
    """With an interval where there is one seed: with deviations too, it would not fit into 80 columns."""
    table = Table("model", "UF1", "UAR", "accuracy", "AU macro F1")
    for name, result in {report["model"]: report["result"], **report["baselines"]}.items():
        spread = report["spread"][name]
        uf1, *others = [_format_figure(spread[figure]) for figure in ("uf1", "uar", "accuracy", "au_f1")]
        table.add_row(name, uf1 if spread["uf1"]["sd"] is not None else f"{uf1} {_format_interval(result)}", *others)
    return table


def _format_figure(spread: dict[str, Any]) -> str:
    """None where no action unit occurs, or none is predicted."""
    if spread["mean"] is None:
        return "–"
    return f"{spread['mean']:.3f}" + ("" if spread["sd"] is None else f" ± {spread['sd']:.3f}")


def _confusion_table(result: dict[str, Any]) -> Table:
    table = Table("truth \\ predicted", *map(str, result["classes"]))
    for name, row in zip(result["classes"], result["confusion"], strict=True):
        table.add_row(str(name), *map(str, row))
    return table

"""From features to a report: the trainer's settings chosen, progress shown, figures printed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from services.local.jobs import interruptible
from services.local.progress import bars
from services.local.terminal import results
from services.local.workspace import Workspace
from services.trainer import experiment
from services.trainer.choice import chosen
from services.trainer.device import device
from services.trainer.gather import gather
from services.trainer.loso import Progress, Tell
from shared.errors import BadData
from shared.records import Record


def train_and_report(
    records: Sequence[Record],
    out: Path,
    *,
    profile: str = "corrected",
    jobs: int = 1,
    classes: Sequence[str] | None = None,
    **changes: Any,
) -> None:
    """Train with LOSO on the records' features beside the baselines, write the report under `out`, print it."""
    where = device()
    choice = chosen(profile, {**changes, "classes": classes}, where)
    place = Workspace(out)
    features = gather(records, place.store(), choice)
    with interruptible(), fold_bar(len(set(features.subjects.tolist()))) as tell:
        experiment.run(features, choice.settings, place.report, 1 if where != "cpu" else jobs, where, tell=tell)
    print_report(out)


@contextmanager
def fold_bar(folds: int) -> Iterator[Tell]:
    """One bar per learner; its remark is the newest epoch."""
    with bars() as progress:
        tasks: dict[str, Any] = {}

        def tell(news: Progress) -> None:
            if news.model not in tasks:
                tasks[news.model] = progress.add_task(news.model, total=folds * news.epochs, remark="")
            task = tasks[news.model]
            if news.epoch:
                remark = f"{news.subject} epoch {news.epoch.number + 1} loss {news.epoch.loss:.3f}"
                progress.update(task, advance=1, remark=remark)
            elif news.reused or news.model not in ("fmer", "fmer-lite"):
                progress.update(task, advance=news.epochs, remark="reused" if news.reused else "")

        yield tell


def print_report(out: Path) -> None:
    """The figures of the report under `out`. Raises BadData if there is none."""
    file = Workspace(out).report / "report.json"
    if not file.exists():
        raise BadData(f"{file}: expected a report, got none; run `mer run` or `mer train --out {out}` first.")
    report = json.loads(file.read_text())
    data, result = report["data"], report["result"]
    results.print(
        f"\n{report['protocol']}; {data['samples']} clips of {data['subjects']} subjects, seed {report['seed']}",
        soft_wrap=True,
    )
    results.print(_figures(report))
    results.print(_confusion(result))
    results.print(f"The whole report: {escape(str(file.with_suffix('.html')))}", soft_wrap=True)


def _figures(report: dict[str, Any]) -> Table:
    table = Table("model", "UF1", "UAR", "accuracy", "AU macro F1")
    for name, result in {report["model"]: report["result"], **report["baselines"]}.items():
        low, high = result["interval"]["uf1"]
        cells = [f"{result[figure]:.3f}" for figure in ("uf1", "uar", "accuracy")]
        table.add_row(name, f"{cells[0]} [{low:.3f}, {high:.3f}]", *cells[1:], f"{result['aus']['macro']:.3f}")
    return table


def _confusion(result: dict[str, Any]) -> Table:
    table = Table("truth \\ predicted", *map(str, result["classes"]))
    for name, row in zip(result["classes"], result["confusion"], strict=True):
        table.add_row(str(name), *map(str, row))
    return table

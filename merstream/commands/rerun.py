"""`mer train --from run.json`: the same run again, and whether it gives the same figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from merstream.cli.console import news, results
from merstream.embedded.features import extracted
from merstream.embedded.run_folder import Workspace
from merstream.embedded.training import RUN, gathered, of_features, of_table, report_on
from services.trainer.report.comparison import compared
from services.trainer.runs.definition import choice_of
from services.trainer.runs.manifest import differences, elsewhere
from services.trainer.sources.samples_csv import gather as gather_table
from shared.action_units import parse
from shared.errors import BadData, Misconfigured
from shared.records import RunContents

MOST = 20  # differing figures that are printed


def repeat(
    file: Path, outs: Sequence[Path] = (), table: Path | None = None, *, jobs: int = 1, faces: bool = False
) -> bool:
    """Train what `file` states on the features of the run folders `outs` (default: the one that the file lies in), or
    of a table; compare the figures with those of the report beside the file. Whether they are equal, or there are none.

    The report goes where `mer train` puts it; for the file's own folder into `repeated` beside the file, since there
    every fold is kept already. Raises BadData where the features are not those of the run, with what differs.
    """
    then, recorded = _read(file), _report(file.parent)
    outs = outs or [_home(file)]
    now = _here(file, then, outs, table)
    for sentence in elsewhere(then.environment, now.environment):
        news.print(f"[yellow]mind[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    run = then.model_copy(update={"features": now.features, "environment": now.environment})
    folder = _folder(file, outs[0])
    if table:
        choice = choice_of(run, str(file))
        report_on(run, folder, lambda: gather_table(table, choice, parse), jobs=jobs, faces=faces)
    else:
        report_on(run, folder, lambda: gathered(run, outs), jobs=jobs, faces=faces)
    return recorded is None or _same(recorded, _report(folder) or {}, file.parent)


def _read(file: Path) -> RunContents:
    try:
        return RunContents.decode(file.read_bytes())
    except OSError as error:
        raise BadData(f"{file}: expected a {RUN}, got {error.strerror}; give the path of one.") from None


def _report(folder: Path) -> dict[str, Any] | None:
    file = folder / "report.json"
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return found


def _home(file: Path) -> Path:
    """The run folder that the file lies in: FOLDER/report/run.json."""
    folder = file.resolve().parent
    if folder != Workspace(folder.parent).report:
        raise Misconfigured(f"{file} does not lie in the report of a run's folder: say with --out where features are.")
    return folder.parent


def _here(file: Path, then: RunContents, outs: Sequence[Path], table: Path | None) -> RunContents:
    """The run as it would be stated here. Raises BadData unless its features are those of the file."""
    choice = choice_of(then, str(file))
    if bool(then.table) != bool(table):
        told = "was trained on a table: name it with --features" if then.table else "was not trained on a table"
        raise Misconfigured(f"{file} {told}.")
    now = of_table(table, choice) if table else of_features(extracted(outs, then.pipeline), choice)
    if differs := differences(then, now):
        where = table or ", ".join(map(str, outs))
        raise BadData(
            f"{where}: expected the features that {file} was trained on, got others; {'; '.join(differs)}. Run the "
            "stages on the same data with the same settings, or train anew without --from."
        )
    return now


def _folder(file: Path, out: Path) -> Path:
    folder = Workspace(out).report
    return folder / "repeated" if folder.resolve() == file.resolve().parent else folder


def _same(then: dict[str, Any], now: dict[str, Any], folder: Path) -> bool:
    """Tells what differs."""
    differs = compared(then, now)
    if not differs:
        results.print(
            f"The figures are those of the report in {escape(str(folder))}, to the last digit.", soft_wrap=True
        )
        return True
    results.print(f"[yellow]Other figures[/] than in {escape(str(folder))}:", soft_wrap=True)
    for sentence in differs[:MOST]:
        results.print(f"  {escape(sentence)}", soft_wrap=True, highlight=False)
    if len(differs) > MOST:
        results.print(f"  and {len(differs) - MOST} more")
    return False

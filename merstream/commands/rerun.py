"""`mer train --from run.json`: the same run again, and whether it gives the same figures."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from merstream.cli.console import stderr_console, stdout_console
from merstream.cli.report_view import read_report
from merstream.embedded.features import load_extracted_features
from merstream.embedded.run_folder import Workspace
from merstream.embedded.training import (
    RUN_FILE,
    load_evaluation_plan,
    run_from_features,
    run_from_table,
    train_and_write_report,
)
from services.trainer.report.comparison import figure_differences
from services.trainer.report.model import Report
from services.trainer.runs.definition import options_of_run
from services.trainer.runs.manifest import data_differences, environment_differences
from services.trainer.sources.samples_csv import load_plan_from_table
from shared.errors import BadData, Misconfigured
from shared.records import RunContents

MAX_PRINTED_DIFFERENCES = 20  # differing figures that are printed


def repeat_run(
    file: Path, run_folders: Sequence[Path] = (), table: Path | None = None, *, jobs: int = 1, faces: bool = False
) -> bool:
    """Train what `file` states on the features of the run folders `outs` (default: the one that the file lies in), or
    of a table; compare the figures with those of the report beside the file. Whether they are equal, or there are none.

    The report goes where `mer train` puts it; for the file's own folder into `repeated` beside the file, since there
    every fold is kept already. Raises BadData where the features are not those of the run, with what differs.
    """
    then = _read_run_file(file)
    recorded = read_report(file.parent) if (file.parent / "report.json").exists() else None
    run_folders = run_folders or [_containing_run_folder(file)]
    now = _describe_current_run(file, then, run_folders, table)
    for sentence in environment_differences(then.environment, now.environment):
        stderr_console.print(f"[yellow]mind[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    run = then.model_copy(update={"features": now.features, "environment": now.environment})
    folder = _report_folder(file, run_folders[0])
    if table:
        choice = options_of_run(run, str(file))
        train_and_write_report(run, folder, lambda: load_plan_from_table(table, choice), jobs=jobs, faces=faces)
    else:
        train_and_write_report(run, folder, lambda: load_evaluation_plan(run, run_folders), jobs=jobs, faces=faces)
    return recorded is None or _print_comparison(recorded, read_report(folder), file.parent)


def _read_run_file(file: Path) -> RunContents:
    try:
        return RunContents.decode(file.read_bytes())
    except OSError as error:
        raise BadData(f"{file}: expected a {RUN_FILE}, got {error.strerror}; give the path of one.") from None


def _containing_run_folder(file: Path) -> Path:
    """The run folder that the file lies in: FOLDER/report/run.json."""
    folder = file.resolve().parent
    if folder != Workspace(folder.parent).report_folder:
        raise Misconfigured(f"{file} does not lie in the report of a run's folder: say with --out where features are.")
    return folder.parent


def _describe_current_run(
    file: Path, recorded_run: RunContents, run_folders: Sequence[Path], table: Path | None
) -> RunContents:
    """The run as it would be stated here. Raises BadData unless its features are those of the file."""
    choice = options_of_run(recorded_run, str(file))
    if bool(recorded_run.table) != bool(table):
        told = "was trained on a table: name it with --features" if recorded_run.table else "was not trained on a table"
        raise Misconfigured(f"{file} {told}.")
    now = (
        run_from_table(table, choice)
        if table
        else run_from_features(load_extracted_features(run_folders, recorded_run.pipeline), choice)
    )
    if differs := data_differences(recorded_run, now):
        where = table or ", ".join(map(str, run_folders))
        raise BadData(
            f"{where}: expected the features that {file} was trained on, got others; {'; '.join(differs)}. Run the "
            "stages on the same data with the same settings, or train anew without --from."
        )
    return now


def _report_folder(file: Path, out: Path) -> Path:
    folder = Workspace(out).report_folder
    return folder / "repeated" if folder.resolve() == file.resolve().parent else folder


def _print_comparison(recorded: Report, repeated: Report, folder: Path) -> bool:
    """Tells what differs."""
    differs = figure_differences(recorded, repeated)
    if not differs:
        stdout_console.print(
            f"The figures are those of the report in {escape(str(folder))}, to the last digit.", soft_wrap=True
        )
        return True
    stdout_console.print(f"[yellow]Other figures[/] than in {escape(str(folder))}:", soft_wrap=True)
    for sentence in differs[:MAX_PRINTED_DIFFERENCES]:
        stdout_console.print(f"  {escape(sentence)}", soft_wrap=True, highlight=False)
    if len(differs) > MAX_PRINTED_DIFFERENCES:
        stdout_console.print(f"  and {len(differs) - MAX_PRINTED_DIFFERENCES} more")
    return False

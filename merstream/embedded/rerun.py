"""The work of `mer rerun`: train what a run.json states, and compare the figures."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from merstream.cli.console import print_message, stdout_console
from merstream.cli.report_view import read_report
from merstream.embedded.features import load_extracted_features
from merstream.embedded.run_folder import Workspace
from merstream.embedded.training import (
    RUN_FILE,
    TrainingJob,
    load_evaluation_plan,
    load_table_plan,
    run_from_features,
    run_from_table,
    train_and_print,
)
from services.trainer.report.comparison import figure_differences
from services.trainer.report.model import Report
from shared.errors import BadData, Misconfigured
from shared.run_contents import RunContents
from shared.settings_text import decode_settings
from shared.training.definition import options_of_run
from shared.training.manifest import data_differences, environment_differences

MAX_PRINTED_DIFFERENCES = 20  # differing figures that are printed


def repeat_run(
    file: Path, run_folders: Sequence[Path] = (), table: Path | None = None, *, jobs: int = 1, faces: bool = False
) -> bool:
    """Train again what the run.json `file` states, and compare the figures with the report beside it.

    Features come from `table`, or from the run folders. The default is the run folder in which the file lies. There
    the report goes to `repeated` beside the file, since every fold is stored already. Elsewhere it goes where
    `mer train` writes it. Returns True if the figures are equal, and if there are none to compare with.

    Raises BadData that lists the differences if the features are not those of the run.
    """
    stated = _read_run_file(file)
    recorded = read_report(file.parent) if (file.parent / "report.json").exists() else None
    run_folders = run_folders or [_containing_run_folder(file)]
    now = _describe_current_run(file, stated, run_folders, table)
    for sentence in environment_differences(stated.environment, now.environment):
        print_message(sentence, "mind")
    run = stated.model_copy(update={"features": now.features, "environment": now.environment})
    job = TrainingJob(
        run,
        _report_folder(file, run_folders[0]),
        lambda: load_table_plan(run, table) if table else load_evaluation_plan(run, run_folders),
    )
    train_and_print(job, jobs=jobs, faces=faces)
    return recorded is None or _print_comparison(recorded, read_report(job.folder), file.parent)


def _read_run_file(file: Path) -> RunContents:
    try:
        return RunContents.decode(decode_settings(file.read_bytes(), str(file)).encode())
    except OSError as error:
        raise BadData(f"{file}: expected a {RUN_FILE}, got {error.strerror}; give the path of one.") from None


def _containing_run_folder(file: Path) -> Path:
    """The run folder in which the file lies: FOLDER/report/run.json."""
    folder = file.resolve().parent
    if folder != Workspace(folder.parent).report_folder:
        raise Misconfigured(f"{file} lies in no report of a run's folder. Name the folder with the features by --out.")
    return folder.parent


def _describe_current_run(
    file: Path, stated: RunContents, run_folders: Sequence[Path], table: Path | None
) -> RunContents:
    """The run as this machine would state it. Raises BadData unless its features are those of the file."""
    options = options_of_run(stated, str(file))
    if bool(stated.table) != bool(table):
        fault = "was trained on a table: name it with --features" if stated.table else "was not trained on a table"
        raise Misconfigured(f"{file} {fault}.")
    now = (
        run_from_table(table, options)
        if table
        else run_from_features(load_extracted_features(run_folders, stated.pipeline), options)
    )
    if differences := data_differences(stated, now):
        source = table or ", ".join(map(str, run_folders))
        raise BadData(
            f"{source}: expected the features that {file} was trained on, got others; {'; '.join(differences)}. Run "
            "the stages on the same data with the same settings, or start a new training with `mer train`."
        )
    return now


def _report_folder(file: Path, out: Path) -> Path:
    folder = Workspace(out).report_folder
    return folder / "repeated" if folder.resolve() == file.resolve().parent else folder


def _print_comparison(recorded: Report, repeated: Report, folder: Path) -> bool:
    """Print which figures differ. Returns True if none does."""
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

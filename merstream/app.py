"""The `mer` command. Each file in `merstream.commands` holds one command, and imports its work when it is called."""

from pathlib import Path
from typing import Annotated, Any

import typer

from merstream.cli.console import InterruptibleGroup, exit_on_error
from merstream.commands.console import console_command
from merstream.commands.dead_letters import dead_letters_app
from merstream.commands.demo import demo_command
from merstream.commands.doctor import doctor_command
from merstream.commands.drop import drop_command
from merstream.commands.evaluate import evaluate_command
from merstream.commands.fetch import fetch_command
from merstream.commands.forget import forget_command
from merstream.commands.predict import predict_command
from merstream.commands.report import report_command
from merstream.commands.rerun import rerun_command
from merstream.commands.run import run_command
from merstream.commands.show import show_command
from merstream.commands.stack_cancel import stack_cancel_command
from merstream.commands.stack_delete import stack_delete_command
from merstream.commands.stack_train import stack_train_command
from merstream.commands.status import status_command
from merstream.commands.synth import synth_command
from merstream.commands.train import train_command
from merstream.commands.webcam import webcam_command
from merstream.commands.weights import weights_command
from merstream.stack.connection import load_environment_file
from shared.interrupts import end_as_by_ctrl_c

app = typer.Typer(
    cls=InterruptibleGroup,
    help="Micro-expression recognition: from frames to leave-one-subject-out (LOSO) figures.\n\n"
    "Start with `mer demo`: it draws a dataset, runs every stage and prints UF1, UAR and a confusion matrix.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("demo")(demo_command)
app.command("predict")(predict_command)
app.command("webcam")(webcam_command)
app.command("synth")(synth_command)
app.command("run")(run_command)
app.command("drop")(drop_command)
app.command("fetch")(fetch_command)
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("rerun")(rerun_command)
app.command("forget")(forget_command)
app.command("report")(report_command)
app.command("status")(status_command)
app.command("console")(console_command)
app.command("show")(show_command)
app.command("doctor")(doctor_command)
app.command("weights")(weights_command)

stack_app = typer.Typer(help="Work on a stack over its HTTP API.", no_args_is_help=True)
stack_app.command("train")(stack_train_command)
stack_app.command("cancel")(stack_cancel_command)
stack_app.command("delete")(stack_delete_command)
app.add_typer(stack_app, name="stack")
app.add_typer(dead_letters_app, name="dead-letters")


@app.callback()
def apply_environment_file(
    env: Annotated[
        Path | None,
        typer.Option(
            "--env",
            help="File of MER_* settings, one NAME=VALUE per line. Variables that are already set win.",
        ),
    ] = None,
) -> None:
    if env:
        load_environment_file(env)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of `mer`. A deliberate error becomes one sentence and an exit code."""
    with end_as_by_ctrl_c(), exit_on_error():
        return app(arguments)

"""`mer forget`: remove a dataset, a person or a video from a stack or from the folder of a run."""

import sys
from typing import Annotated

import typer

from merstream.cli.console import print_message
from merstream.cli.options import RunOrStack
from shared.errors import Misconfigured


def forget_command(
    name: Annotated[str, typer.Argument(help="Dataset as `mer status` lists it, or with --video a video.")],
    subject: Annotated[str | None, typer.Option(help="Only this person of the dataset.")] = None,
    video: Annotated[bool, typer.Option("--video", help="NAME is an uploaded video.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    out: RunOrStack = None,
) -> None:
    """Remove a dataset, one person of it, or a video from a stack or from a run's folder.

    Uploads, artifacts of every stage, records and dead letters are deleted. Reports that rest on nothing else are, too.
    Others get a note. What another dataset needs stays. It may be repeated.
    """
    from merstream.withdrawal.forget import forget

    if video and subject is not None:
        raise Misconfigured("--subject names a person of a dataset. A video is removed whole: leave one of them out.")
    for sentence in forget(out, name, subject, video, lambda plan: yes or _ask(plan)):
        print_message(sentence)


def _ask(plan: str) -> bool:
    """Ask whether to do what the plan says. Raises Misconfigured if nobody can answer."""
    print_message(plan)
    if not sys.stdin.isatty():
        raise Misconfigured("Nothing was removed: expected an answer from a terminal, got none. --yes answers.")
    return typer.confirm("Remove it? This cannot be undone.", err=True)

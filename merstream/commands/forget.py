"""`mer forget`: remove a dataset, a person or a video from a stack or from the folder of a run."""

from typing import Annotated

import typer

from merstream.cli.console import confirm_removal, print_message
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
    from merstream.forget import forget

    if video and subject is not None:
        raise Misconfigured("--subject names a person of a dataset. A video is removed whole: leave one of them out.")
    for sentence in forget(out, name, subject, video, lambda plan: confirm_removal(plan, yes)):
        print_message(sentence)

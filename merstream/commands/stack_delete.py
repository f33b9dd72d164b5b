"""`mer stack delete`: delete training runs of a stack, over its HTTP API."""

from typing import Annotated

import typer

from merstream.cli.console import confirm_removal, print_message
from merstream.cli.options import RunIds, StackUrl


def stack_delete_command(
    runs: RunIds,
    url: StackUrl = "http://127.0.0.1:8080",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete runs: their reports, folds and records. One that is still in work ends first.

    It does not start again by itself. The same request computes it anew.

    Example: `mer stack delete 0123456789abcdef0123456789abcdef`.
    """
    from merstream.stack.api_client import StackApi
    from shared.settings import load_settings

    api = StackApi(url, load_settings().api_token.get_secret_value())
    if not confirm_removal(f"Reports, folds and records of {len(runs)} runs are going to be deleted.", yes):
        print_message("Nothing was removed.")
        return
    for run in runs:
        api.delete(f"/runs/{run}")
        print_message(f"Run {run} was deleted.")

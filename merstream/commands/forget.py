"""`mer forget`: withdraw a dataset from the folder of a run."""

from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.console import print_message
from merstream.cli.options import OutFolder


def forget_command(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset, as `mer status --out` lists it.")],
    out: OutFolder = Path("out/run"),
) -> None:
    """Withdraw a dataset from a run's folder, so that `mer train` leaves it out. For a folder that was renamed.

    Its artifacts stay. `mer run` on a folder of that name brings it back without a new computation.
    """
    from merstream.embedded.features import forget_dataset

    forget_dataset(out, dataset)
    print_message(f"{dataset} is no longer a dataset of {out}.")

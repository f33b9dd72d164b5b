"""`mer synth`: draw a dataset with known action units and known motion."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from merstream.cli.console import progress_bars
from merstream.cli.options import CORE_COUNT, WorkerCount
from shared.storage_faults import require_writable_folder, stop_on_storage_fault

DifficultyChoice = Literal["plain", "hard", "hardest"]


def synth_command(
    folder: Annotated[
        Path, typer.Argument(help="Output folder. It gets the layout of CASME II with its coding sheet.")
    ],
    subjects: Annotated[int, typer.Option(min=1, help="Identities.")] = 8,
    clips: Annotated[int, typer.Option(min=1, help="Clips of each identity.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of persons, clips and noise.")] = 0,
    difficulty: Annotated[
        DifficultyChoice,
        typer.Option(
            help="`hard`: stronger head motion, noise and flicker. `hardest`: heads also turn and nod, lids blink, "
            "light is uneven, and more action units join."
        ),
    ] = "plain",
    jobs: WorkerCount = CORE_COUNT,
) -> None:
    """Draw a dataset of synthetic micro-expressions with known action units and known motion.

    The same seed gives the same bytes. Example: `mer synth data/synth --subjects 12`, then `mer run data/synth`.
    """
    draw_dataset(folder, subjects=subjects, clips=clips, seed=seed, jobs=jobs, difficulty=difficulty)


def draw_dataset(
    folder: Path, *, subjects: int, clips: int, seed: int, jobs: int, difficulty: DifficultyChoice = "plain"
) -> None:
    """Write the synthetic dataset, with a bar that counts subjects. Raises StorageRefused if a disk refuses."""
    from merstream import synth

    require_writable_folder(folder)
    with stop_on_storage_fault(folder), progress_bars() as progress:
        task = progress.add_task("synth", total=subjects, remark="subjects")
        synth.write_dataset(
            folder,
            subjects=subjects,
            clips=clips,
            seed=seed,
            jobs=jobs,
            difficulty=synth.DIFFICULTIES[difficulty],
            progress=lambda done, total: progress.update(task, completed=done),
        )

"""`mer synth`: draw a dataset, or long videos, with known action units and known motion."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from merstream.cli.console import progress_bars
from merstream.cli.options import CORE_COUNT, WorkerCount
from merstream.cli.parsing import given_parameters
from shared.errors import Misconfigured
from shared.storage_faults import require_writable_folder, stop_on_storage_fault

DifficultyChoice = Literal["plain", "hard", "hardest"]
LONG_OPTIONS = ("seconds", "fps", "size", "crf", "variable_rate")
LEAST_ROWS, MOST_ROWS = 96, 2160


def synth_command(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            help="Output folder. It gets the layout of CASME II with its coding sheet, or with `--long` a folder of "
            "each identity with videos and their truth."
        ),
    ],
    subjects: Annotated[int, typer.Option(min=1, help="Identities.")] = 8,
    clips: Annotated[
        int | None,
        typer.Option(min=1, show_default="10, with --long 1", help="Clips of each identity, or with `--long` videos."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of persons, clips and noise.")] = 0,
    difficulty: Annotated[
        DifficultyChoice,
        typer.Option(
            help="`hard`: stronger head motion, noise and flicker. `hardest`: heads also turn and nod, lids blink, "
            "light is uneven, and more action units join."
        ),
    ] = "plain",
    jobs: WorkerCount = CORE_COUNT,
    long: Annotated[
        bool,
        typer.Option(
            "--long",
            help="Draw long videos: micro- and macro-expressions, blinks, speech, posture shifts, changes of light. "
            "A JSON file beside each video has every event (docs/reference/long-video-truth.md).",
        ),
    ] = False,
    seconds: Annotated[float, typer.Option(min=2, help="With `--long`: length of each video, s.")] = 60.0,
    fps: Annotated[
        float,
        typer.Option(min=5, max=1000, help="With `--long`: frames per second. The events are the same at every rate."),
    ] = 30.0,
    size: Annotated[
        str, typer.Option(help="With `--long`: width and height of the frames, px. The face scales with the height.")
    ] = "640x480",
    crf: Annotated[
        int,
        typer.Option(
            min=0, max=51, help="With `--long`: loss of H.264. 0: none but of the colours' resolution. 51: most."
        ),
    ] = 10,
    variable_rate: Annotated[
        bool, typer.Option("--variable-rate", help="With `--long`: frames come unevenly, as from a telephone.")
    ] = False,
) -> None:
    """Draw a dataset of synthetic micro-expressions, or long videos, with known action units and known motion.

    The same seed gives the same bytes. Example: `mer synth data/synth --subjects 12`, then `mer run data/synth`.
    Example: `mer synth data/long --long --subjects 2 --seconds 60 --fps 100`.
    """
    if long:
        draw_long_videos(
            folder,
            subjects=subjects,
            videos=clips or 1,
            seed=seed,
            jobs=jobs,
            difficulty=difficulty,
            seconds=seconds,
            fps=fps,
            size=parse_frame_size(size),
            crf=crf,
            variable=variable_rate,
        )
        return
    if stray := [name for name in LONG_OPTIONS if name in given_parameters(context)]:
        option = "--" + stray[0].replace("_", "-")
        raise Misconfigured(f"{option}: expected --long beside it, because clips have one size and rate.")
    draw_dataset(folder, subjects=subjects, clips=clips or 10, seed=seed, jobs=jobs, difficulty=difficulty)


def parse_frame_size(text: str) -> tuple[int, int]:
    """`WIDTHxHEIGHT` -> rows, columns. Raises Misconfigured for a size that cannot be drawn or encoded."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not found:
        raise Misconfigured(f"--size {text}: expected WIDTHxHEIGHT in px, for example 1280x720.")
    columns, rows = int(found[1]), int(found[2])
    if rows % 2 or columns % 2:
        raise Misconfigured(f"--size {text}: expected even numbers, because H.264 halves the colours' resolution.")
    if not LEAST_ROWS <= rows <= MOST_ROWS or not rows <= columns <= 4 * rows:
        raise Misconfigured(
            f"--size {text}: expected a height of {LEAST_ROWS} to {MOST_ROWS} px, and a width of the height to four "
            "times the height, because the head fills the height."
        )
    return rows, columns


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


def draw_long_videos(
    folder: Path,
    *,
    subjects: int,
    videos: int,
    seed: int,
    jobs: int,
    difficulty: DifficultyChoice,
    seconds: float,
    fps: float,
    size: tuple[int, int],
    crf: int,
    variable: bool,
) -> None:
    """Write the long videos, with a bar that counts them. Raises StorageRefused if a disk refuses."""
    from merstream import synth

    require_writable_folder(folder)
    with stop_on_storage_fault(folder), progress_bars() as progress:
        task = progress.add_task("synth", total=subjects * videos, remark="videos")
        synth.write_long_videos(
            folder,
            subjects=subjects,
            videos=videos,
            seed=seed,
            size=size,
            seconds=seconds,
            fps=fps,
            difficulty=synth.DIFFICULTIES[difficulty],
            crf=crf,
            variable=variable,
            jobs=jobs,
            progress=lambda done, total: progress.update(task, completed=done),
        )

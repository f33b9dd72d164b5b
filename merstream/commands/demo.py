"""`mer demo`: a synthetic dataset, every stage and a report, at smaller settings than the defaults."""

from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.console import stderr_console
from merstream.cli.options import CORE_COUNT, OutFolder, Seed, WorkerCount
from merstream.commands.synth import draw_dataset
from shared.records import Pipeline

# Two cores finish this in minutes: a quarter of the default crop's pixels and two of ten factors.
DEMO_PIPELINE = Pipeline(
    overrides={"ingest": {"height": 140, "width": 112}, "magnifier": {"factors": [2.0, 3.0]}},
)


def demo_command(
    out: OutFolder = Path("out/demo"),
    subjects: Annotated[int, typer.Option(min=3, help="Synthetic identities. Each is held out once.")] = 8,
    clips: Annotated[int, typer.Option(min=2, help="Clips of each identity.")] = 10,
    seed: Seed = 0,
    jobs: WorkerCount = CORE_COUNT,
) -> None:
    """Draw a synthetic dataset, run every stage, train with LOSO, write a report. Takes minutes on two cores.

    It uses a smaller crop and fewer factors than the defaults, and prints this. A second start recomputes nothing.
    """
    from merstream.embedded.features import extract_with_progress
    from merstream.embedded.pipeline import StageRun
    from merstream.embedded.training import train_and_report
    from merstream.synth.coding_sheet import SHEET_NAME

    dataset = out / f"{subjects}x{clips}-seed{seed}" / "synthetic"
    changes = DEMO_PIPELINE.overrides
    stderr_console.print(
        f"A demonstration on synthetic faces: crops of {changes['ingest']['width']}x{changes['ingest']['height']} px "
        f"instead of 224x280, factors {changes['magnifier']['factors']} instead of ten.",
        soft_wrap=True,
    )
    if not (dataset / SHEET_NAME).exists():  # written last
        draw_dataset(dataset, subjects=subjects, clips=clips, seed=seed, jobs=jobs)
    extracted = extract_with_progress(StageRun(dataset, DEMO_PIPELINE), out, jobs)
    train_and_report(extracted, [out], seed=seed, jobs=jobs)

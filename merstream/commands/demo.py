"""`mer demo`: a synthetic dataset, every stage, a report; smaller than the defaults, and it says in what."""

from pathlib import Path

from merstream import synth
from merstream.cli.console import stderr_console
from merstream.cli.progress import progress_bars
from merstream.embedded.features import exit_on_interrupt, extract_features
from merstream.embedded.training import train_and_report
from shared.records import Pipeline

# Two cores finish this in minutes: a quarter of the default crop's pixels and two of ten factors.
DEMO_PIPELINE = Pipeline(
    overrides={"ingest": {"height": 140, "width": 112}, "magnifier": {"factors": [2.0, 3.0]}},
)


def draw_dataset(
    folder: Path, *, subjects: int, clips: int, seed: int, jobs: int, difficulty: synth.DifficultyName = "plain"
) -> None:
    """Write the synthetic dataset; progress counts subjects."""
    with exit_on_interrupt(), progress_bars() as progress:
        task = progress.add_task("synth", total=subjects, remark="subjects")
        synth.write_dataset(
            folder,
            subjects=subjects,
            clips=clips,
            seed=seed,
            jobs=jobs,
            difficulty=synth.DIFFICULTIES[difficulty],
            progress=lambda done, all_: progress.update(task, completed=done),
        )


def run_demo(out: Path, *, subjects: int, clips: int, seed: int, jobs: int) -> None:
    """Draw, extract, train, report."""
    data = out / f"{subjects}x{clips}-seed{seed}" / "synthetic"
    changes = DEMO_PIPELINE.overrides
    stderr_console.print(
        f"A demonstration on synthetic faces: crops of {changes['ingest']['width']}x{changes['ingest']['height']} px "
        f"instead of 224x280, factors {changes['magnifier']['factors']} instead of ten.",
        soft_wrap=True,
    )
    if not (data / synth.coding_sheet.SHEET_NAME).exists():  # written last
        draw_dataset(data, subjects=subjects, clips=clips, seed=seed, jobs=jobs)
    found = extract_features(data, out, DEMO_PIPELINE, jobs=jobs)
    train_and_report(found, [out], seed=seed, jobs=jobs)

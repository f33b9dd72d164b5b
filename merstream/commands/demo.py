"""`mer demo`: a synthetic dataset, every stage, a report; smaller than the defaults, and it says in what."""

from pathlib import Path

from merstream import synth
from merstream.cli.console import news
from merstream.cli.progress import bars
from merstream.embedded.features import extract, interruptible
from merstream.embedded.training import train_and_report
from shared.records import Pipeline

# Two cores finish this in minutes: a quarter of the default crop's pixels and two of ten factors.
SMALLER = Pipeline(
    overrides={"ingest": {"height": 140, "width": 112}, "magnifier": {"factors": [2.0, 3.0]}},
)


def draw(
    folder: Path, *, subjects: int, clips: int, seed: int, jobs: int, difficulty: synth.Hardness = "plain"
) -> None:
    """Write the synthetic dataset; progress counts subjects."""
    with interruptible(), bars() as progress:
        task = progress.add_task("synth", total=subjects, remark="subjects")
        synth.write(
            folder,
            subjects=subjects,
            clips=clips,
            seed=seed,
            jobs=jobs,
            difficulty=synth.DIFFICULTIES[difficulty],
            progress=lambda done, all_: progress.update(task, completed=done),
        )


def demo(out: Path, *, subjects: int, clips: int, seed: int, jobs: int) -> None:
    """Draw, extract, train, report."""
    data = out / f"{subjects}x{clips}-seed{seed}" / "synthetic"
    changes = SMALLER.overrides
    news.print(
        f"A demonstration on synthetic faces: crops of {changes['ingest']['width']}x{changes['ingest']['height']} px "
        f"instead of 224x280, factors {changes['magnifier']['factors']} instead of ten.",
        soft_wrap=True,
    )
    if not (data / synth.coding_sheet.NAME).exists():  # written last
        draw(data, subjects=subjects, clips=clips, seed=seed, jobs=jobs)
    found = extract(data, out, SMALLER, jobs=jobs)
    train_and_report(found, [out], seed=seed, jobs=jobs)

"""What `mer run` and `mer train` do between reading options and the trainer: features there, report written, told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.markup import escape

from services.ingest.catalogue.entry import Reading
from services.ingest.discover import DEFAULT
from services.local.progress import stage_bars
from services.local.run import run
from services.local.terminal import news
from services.local.workspace import Workspace, newest
from shared.errors import BadData
from shared.records import Pipeline, Record
from shared.topics import topic


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends a command with a sentence and code 130."""
    try:
        yield
    except KeyboardInterrupt:
        news.print("\nStopped. The same command goes on where it stopped.")
        raise typer.Exit(130) from None


def extract(dataset: Path, out: Path, pipeline: Pipeline, *, how: Reading = DEFAULT, jobs: int) -> list[Record]:
    """Features of every clip that came through; those that did not are told, each with its sentence."""
    with interruptible(), stage_bars() as watch:
        outcome = run(dataset, Workspace(out), pipeline, jobs=jobs, how=how, watch=watch)
    for sentence in outcome.notes:
        news.print(f"[dim]noted[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    for sentence in outcome.failures:
        news.print(f"[yellow]left out[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    news.print(f"{len(outcome.features)} clips have features, {len(outcome.failures)} were left out.")
    return outcome.features


def extracted(out: Path, pipeline: str | None) -> list[Record]:
    """The features under `out` of one pipeline: the newest, or the one whose digest begins with `pipeline`.

    Raises BadData if there are none.
    """
    if not (out / "bus.sqlite").exists():
        raise BadData(
            f"{out}: expected the folder of an earlier run, got none; run `mer run DATASET --out {out}` first."
        )
    bus = Workspace(out).bus()
    records = newest(bus, topic("features").name)
    bus.close()
    digests = [record.pipeline.digest for record in records]
    chosen = [digest for digest in digests if digest.startswith(pipeline or "")]
    if not chosen:
        known = ", ".join(dict.fromkeys(digests)) or "none"
        raise BadData(f"{out}: expected features of pipeline {pipeline or 'any'}, got {known}; run `mer run` first.")
    return [record for record in records if record.pipeline.digest == chosen[-1]]

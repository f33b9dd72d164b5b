"""`mer run`: a dataset folder through every stage to a report, on this machine alone."""

from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.console import print_message
from merstream.cli.options import (
    CORE_COUNT,
    AllowOtherCounts,
    DistinctPeople,
    EpochCount,
    FoldCount,
    FrameRate,
    FramesChoice,
    KnownDatasets,
    LabelChoice,
    ModelName,
    OutFolder,
    ProfileName,
    ProtocolName,
    Seed,
    SeedCount,
    SheetCorrections,
    ShowFaces,
    StageOverrides,
    TestSubjects,
    WorkerCount,
)
from merstream.cli.parsing import collect_training_options, parse_pipeline
from shared.errors import BadData
from shared.settings import KeepPolicy


def run_command(
    context: typer.Context,
    dataset: Annotated[
        Path, typer.Argument(help="Dataset folder as its owners distribute it, or a folder with a `clips.csv`.")
    ],
    out: OutFolder = Path("out/run"),
    profile: ProfileName = "corrected",
    changes: StageOverrides = None,
    prefer: FramesChoice = "cropped",
    corrections: SheetCorrections = "documented",
    labels: LabelChoice = "emotion",
    fps: FrameRate = None,
    jobs: WorkerCount = CORE_COUNT,
    retain: Annotated[
        KeepPolicy,
        typer.Option(help="`features`: delete the arrays of earlier stages once a clip's features are stored."),
    ] = "all",
    keep: Annotated[KeepPolicy | None, typer.Option("--keep", hidden=True)] = None,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train and write a report once the features are complete.")
    ] = True,
    model: ModelName = None,
    epochs: EpochCount = None,
    seed: Seed = 0,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    allow_other_counts: AllowOtherCounts = None,
    distinct: DistinctPeople = None,
    faces: ShowFaces = False,
) -> None:
    """Process a dataset through every stage and write a report.

    Ctrl-C stops the run cleanly. The same command continues where it stopped. Layouts: docs/reference/datasets.md.
    """
    from merstream.embedded.features import extract_with_progress
    from merstream.embedded.pipeline import StageRun
    from merstream.embedded.training import train_and_report
    from shared.inbox.reading_options import ReadingOptions
    from shared.training.options import resolve_options

    if keep:
        print_message(f"`--keep {keep}` is now `--retain {keep}`.", "note", "dim")
    pipeline = parse_pipeline(profile, changes or [])
    requested = collect_training_options(context.params)
    protocol_settings = resolve_options(profile, requested, "cpu").protocol  # wrong options are refused before any work
    reading = ReadingOptions(prefer, corrections, labels, fps)
    work = StageRun(dataset, pipeline, reading, keep or retain, protocol_settings)
    extracted = extract_with_progress(work, out, jobs)
    if not train:
        return
    try:
        train_and_report(extracted, [out], profile=profile, jobs=jobs, faces=faces, **requested)
    except BadData as error:
        raise BadData(f"{error} The features are kept in {out}. --no-train ends a run before training.") from None

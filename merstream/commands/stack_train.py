"""`mer stack train`: train on a stack, over its HTTP API."""

from typing import Annotated

import typer

from merstream.cli.options import (
    AllowOtherCounts,
    BatchSize,
    ClassNames,
    DistinctPeople,
    EpochCount,
    FoldCount,
    KnownDatasets,
    LearningRate,
    ModelName,
    PipelineDigest,
    ProfileName,
    ProtocolName,
    Seed,
    SeedCount,
    StackUrl,
    TestSubjects,
    TrainingSettings,
)
from merstream.commands.train import collect_all_training_options


def stack_train_command(
    context: typer.Context,
    datasets: Annotated[
        list[str], typer.Argument(metavar="DATASET...", help="Name of an uploaded dataset. Several are pooled.")
    ],
    url: StackUrl = "http://127.0.0.1:8080",
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run, then fetch and print its report.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Do not wait for clips that are still being processed.")
    ] = False,
    pipeline: PipelineDigest = None,
    profile: ProfileName = "corrected",
    model: ModelName = None,
    epochs: EpochCount = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    classes: ClassNames = None,
    settings: TrainingSettings = None,
    seed: Seed = 0,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    allow_other_counts: AllowOtherCounts = None,
    distinct: DistinctPeople = None,
) -> None:
    """Start a training run on datasets that were uploaded to a stack.

    The same request on the same data is the same run. So the same command with --watch follows it later.

    Example: `mer stack train CASME2 --model linear --watch`.
    """
    from merstream.stack.training import train_on_stack

    requested = collect_all_training_options(context.params)
    train_on_stack(url, datasets, pipeline=pipeline, partial=partial, watch=watch, **requested)

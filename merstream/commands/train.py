"""`mer train`: train on features that are already computed, and write a new report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from merstream.cli.console import FAILED, print_message
from merstream.cli.options import (
    CORE_COUNT,
    AllowOtherCounts,
    BatchSize,
    ClassNames,
    DistinctPeople,
    EpochCount,
    FoldCount,
    KnownDatasets,
    LearningRate,
    ModelName,
    OutFolders,
    PipelineDigest,
    ProfileName,
    ProtocolName,
    Seed,
    SeedCount,
    ShowFaces,
    TestSubjects,
    TrainingSettings,
    WorkerCount,
)
from merstream.cli.parsing import collect_training_options, given_parameters, parse_training_settings
from shared.errors import Misconfigured

RERUN_PARAMETERS = {"run_file", "out", "features", "jobs", "faces"}  # that go with the old --from
STACK_PARAMETERS = {"dataset", "partial", "watch"}  # that go with the old --stack


def train_command(
    context: typer.Context,
    out: OutFolders = None,
    profile: ProfileName = "corrected",
    model: ModelName = None,
    epochs: EpochCount = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    classes: ClassNames = None,
    settings: TrainingSettings = None,
    pipeline: PipelineDigest = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Train on your own features: a `samples.csv`, see docs/reference/samples-csv.md."),
    ] = None,
    seed: Seed = 0,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    allow_other_counts: AllowOtherCounts = None,
    distinct: DistinctPeople = None,
    jobs: WorkerCount = CORE_COUNT,
    faces: ShowFaces = False,
    stack: Annotated[str | None, typer.Option("--stack", hidden=True)] = None,
    dataset: Annotated[list[str] | None, typer.Option("--dataset", hidden=True)] = None,
    partial: Annotated[bool, typer.Option("--partial", hidden=True)] = False,
    watch: Annotated[bool, typer.Option("--watch", hidden=True)] = False,
    run_file: Annotated[Path | None, typer.Option("--from", hidden=True)] = None,
) -> None:
    """Train on the features of an earlier `mer run` (same --out) and write a new report.

    Several datasets together: `mer train --out casme2 --out samm --out smic --protocol megc2019 --seeds 3`.

    Your own flow maps: `mer train --features samples.csv --model ststnet` (report in out/own).

    On a stack: `mer stack train`. The run of a run.json again: `mer rerun`.
    """
    from merstream.embedded.features import load_extracted_features
    from merstream.embedded.training import train_and_report, train_on_table

    given = given_parameters(context)
    if run_file:
        _rerun_instead(given, run_file, out or [], features, jobs=jobs, faces=faces)
    outs = out or [Path("out/own" if features else "out/run")]
    if features and (stack or pipeline or len(outs) > 1):
        raise Misconfigured("--features goes without --stack, --pipeline and further --out. Leave those out.")
    requested = collect_all_training_options(context.params)
    if stack:
        _train_on_stack_instead(
            stack, dataset or [], faces, pipeline=pipeline, partial=partial, watch=watch, **requested
        )
    elif given & STACK_PARAMETERS:
        raise Misconfigured("--dataset, --partial and --watch go with --stack URL. Use `mer stack train` for a stack.")
    elif features:
        train_on_table(features, outs[0], jobs=jobs, faces=faces, **requested)
    else:
        train_and_report(load_extracted_features(outs, pipeline), outs, jobs=jobs, faces=faces, **requested)


def collect_all_training_options(parameters: dict[str, Any]) -> dict[str, Any]:
    """The training options of `mer train` and `mer stack train`, `--profile` and `--set` included."""
    named = collect_training_options(parameters)
    return {**parse_training_settings(parameters["settings"] or []), "profile": parameters["profile"], **named}


def _rerun_instead(
    given: set[str], run_file: Path, out: list[Path], features: Path | None, *, jobs: int, faces: bool
) -> None:
    """`mer train --from`, the old spelling of `mer rerun`. Ends the command."""
    from merstream.embedded.rerun import repeat_run

    print_message(f"`mer train --from {run_file}` is now `mer rerun {run_file}`.", "note", "dim")
    if given - RERUN_PARAMETERS:
        raise Misconfigured("--from says how to train. Only --out, --features, --jobs and --faces go with it.")
    raise typer.Exit(0 if repeat_run(run_file, out, features, jobs=jobs, faces=faces) else FAILED)


def _train_on_stack_instead(url: str, datasets: list[str], faces: bool, **options: Any) -> None:
    """`mer train --stack`, the old spelling of `mer stack train`."""
    from merstream.stack.training import train_on_stack

    print_message(f"`mer train --stack {url} --dataset NAME` is now `mer stack train NAME --url {url}`.", "note", "dim")
    if faces:
        raise Misconfigured("--faces: the reports of a stack show no faces. Leave it out, or train here.")
    if not datasets:
        raise Misconfigured("--stack: expected the name of an uploaded dataset too: --dataset NAME.")
    train_on_stack(url, datasets, **options)

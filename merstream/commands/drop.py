"""`mer drop`: upload a dataset or a video into the inbox of a stack."""

from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.options import (
    AllowOtherCounts,
    DistinctPeople,
    EpochCount,
    FoldCount,
    KnownDatasets,
    ProfileChoice,
    ProtocolName,
    SeedCount,
    StageOverrides,
    TestSubjects,
)
from merstream.cli.parsing import collect_training_options
from shared.errors import Misconfigured
from shared.inbox.reading_options import PreferredFrames
from shared.settings import load_settings


def drop_command(
    context: typer.Context,
    dataset: Annotated[
        Path, typer.Argument(help="Dataset folder, an archive of one (.zip, .tar.gz, ...), or a video.")
    ],
    name: Annotated[str | None, typer.Option(show_default="the folder's name", help="Name in the inbox.")] = None,
    profile: Annotated[ProfileChoice | None, typer.Option(help="`corrected` or `paper`, as in `mer run`.")] = None,
    changes: StageOverrides = None,
    model: Annotated[
        str | None,
        typer.Option(help="What to train, as in `mer train`. For a video: `shipped`, or the id of a run of the stack."),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="For a video and the model of a run: who is seen, as in `mer predict`.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, help="For a video: frames per second, if its own are wrong.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the training.")] = None,
    epochs: EpochCount = None,
    seeds: SeedCount = None,
    protocol: ProtocolName = None,
    folds: FoldCount = None,
    test_subjects: TestSubjects = None,
    known_as: KnownDatasets = None,
    allow_other_counts: AllowOtherCounts = None,
    distinct: DistinctPeople = None,
    prefer: Annotated[
        PreferredFrames | None,
        typer.Option(help="Which frames to use if a dataset has both crops and raw frames."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Upload a dataset even if no clip was found in it. Accept a video of under 20 frames/s."
        ),
    ] = False,
) -> None:
    """Upload a dataset, or a video to predict, into the inbox of the stack that the MER_* settings name.

    Files that are already there with the same content are not sent again. Options are written to `merstream.json`
    beside the dataset, or to `VIDEO.merstream.json`. For a video, --name, --model, --subject, --fps and --force count.
    `mer fetch` fetches its prediction.
    """
    from shared.inbox.names import is_video

    if dataset.is_file() and is_video(dataset.name):
        from merstream.stack.video_upload import drop_video

        options = {"model": model, "subject": subject, "fps": fps, "force": force}
        drop_video(load_settings(), dataset, name, {key: value for key, value in options.items() if value})
        return
    if subject or fps:
        raise Misconfigured("--subject and --fps are for a video. The rate of a dataset stands in its merstream.json.")
    from merstream.stack.upload import drop_dataset, plan_from_options, prepare_upload

    plan = plan_from_options(profile, changes or [], collect_training_options(context.params), prefer)
    drop_dataset(load_settings(), prepare_upload(dataset, name, plan), force)

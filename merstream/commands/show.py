"""`mer show`: pictures of what each stage made of a clip."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from merstream.cli.console import stdout_console
from merstream.cli.options import OutFolder
from merstream.embedded.run_folder import Workspace
from shared.bus.topics import FEATURES
from shared.errors import BadData
from shared.records import SOURCE_STAGE, Record
from shared.storage_faults import require_writable_folder
from shared.topic_views import read_records
from shared.worker.stage_handler import read_artifact


def show_command(
    clip: Annotated[str, typer.Argument(help="`subject/clip` or the clip's name, as in the sheet.")],
    out: OutFolder = Path("out/run"),
    to: Annotated[Path | None, typer.Option(show_default="OUT/show", help="Folder for the pictures.")] = None,
) -> None:
    """Write what each stage made of a clip as PNG: crop, timeline, magnified frames, flow, ROIs."""
    for file in write_pictures(clip, Workspace(out), to or out / "show"):
        stdout_console.print(escape(str(file)), soft_wrap=True)


def write_pictures(clip: str, workspace: Workspace, folder: Path) -> list[Path]:
    """Draw one picture per stage into the folder. `clip` is "subject/clip" or the clip's name.

    Raises BadData for an unknown clip, StorageRefused if the folder cannot be written.
    """
    from shared.images import clip_pictures  # OpenCV, which no other command waits for

    record = find_features_record(clip, workspace)
    require_writable_folder(folder)
    store = workspace.open_store()
    artifacts = {name: artifact for name, artifact in record.inputs.items() if name != SOURCE_STAGE}
    artifacts[record.stage] = record.artifact
    arrays = {name: read_artifact(store, artifact, name) for name, artifact in artifacts.items()}
    drawn = {
        "1-clip": clip_pictures.draw_marked_frames(arrays["ingest"]),
        "2-timeline": clip_pictures.draw_timeline(arrays["interpolator"]),
        "3-magnified": clip_pictures.draw_magnified_frames(arrays["interpolator"], arrays["magnifier"]),
        "4-flow": clip_pictures.draw_flow_pairs(arrays["flow"]),
        "5-rois": clip_pictures.draw_roi_motion(arrays["interpolator"], arrays["flow"], arrays["roi-au"]),
    }
    name = "-".join((record.sample.subject, record.sample.clip))
    return [clip_pictures.write_png(folder / f"{name}-{key}.png", picture) for key, picture in drawn.items()]


def find_features_record(clip: str, workspace: Workspace) -> Record:
    """The newest features record of a clip. Raises BadData that lists the known clips for any other name."""
    bus = workspace.open_bus()
    records = read_records(bus, FEATURES.name, lambda key: Record)
    bus.close()
    for record in reversed(records):
        names = (record.sample.dataset, record.sample.subject, record.sample.clip)
        if clip in ("/".join(names), "/".join(names[1:]), names[2]):
            return record
    known = sorted({f"{record.sample.subject}/{record.sample.clip}" for record in records})
    raise BadData(f"No clip {clip!r} under {workspace.folder}. Known clips: {', '.join(known[:20]) or 'none'}.")

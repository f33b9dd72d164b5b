"""Pictures of one clip: what each stage made of it."""

from pathlib import Path

from merstream import pictures
from merstream.embedded.run_folder import Workspace
from shared.bus.topics import FEATURES
from shared.errors import BadData
from shared.records import SOURCE_STAGE, Record
from shared.topic_views import read_records
from shared.worker.stage_handler import read_artifact


def write_pictures(clip: str, workspace: Workspace, folder: Path) -> list[Path]:
    """Write crop, timeline, magnified, flow and ROIs of `clip` ("subject/clip", or just the clip's name) as PNG."""
    record = find_features_record(clip, workspace)
    store = workspace.open_store()
    opened = {
        name: read_artifact(store, artifact, name) for name, artifact in record.inputs.items() if name != SOURCE_STAGE
    }
    opened[record.stage] = read_artifact(store, record.artifact, record.stage)
    drawn = {
        "1-clip": pictures.draw_marked_frames(opened["ingest"]),
        "2-timeline": pictures.draw_timeline(opened["interpolator"]),
        "3-magnified": pictures.draw_magnified_frames(opened["interpolator"], opened["magnifier"]),
        "4-flow": pictures.draw_flow_pairs(opened["flow"]),
        "5-rois": pictures.draw_roi_motion(opened["interpolator"], opened["flow"], opened["roi-au"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join((record.sample.subject, record.sample.clip))
    return [pictures.write_png(folder / f"{name}-{key}.png", picture) for key, picture in drawn.items()]


def find_features_record(clip: str, workspace: Workspace) -> Record:
    """The newest features record of a clip. Raises BadData that lists what there is."""
    bus = workspace.open_bus()
    records = read_records(bus, FEATURES.name, lambda key: Record)
    bus.close()
    for record in reversed(records):
        names = (record.sample.dataset, record.sample.subject, record.sample.clip)
        if clip in ("/".join(names), "/".join(names[1:]), names[2]):
            return record
    known = sorted({f"{record.sample.subject}/{record.sample.clip}" for record in records})
    raise BadData(f"No clip {clip!r} under {workspace.folder}; there are {', '.join(known[:20]) or 'none'}.")

"""Pictures of one clip: what each stage made of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.embedded.run_folder import Workspace
from services.roi_au.roi import ROI
from services.trainer.report.flow_colour import colour_flow, draw_colour_wheel
from shared.bus.topics import FEATURES
from shared.errors import BadData
from shared.records import SOURCE_STAGE, Record
from shared.stage import Arrays
from shared.topic_views import read_records
from shared.worker.stage_handler import read_artifact

Picture = NDArray[np.uint8]
CAPTION_HEIGHT = 18  # px above a picture


def write_pictures(clip: str, workspace: Workspace, folder: Path) -> list[Path]:
    """Write crop, timeline, magnified, flow and ROIs of `clip` ("subject/clip", or just the clip's name) as PNG."""
    record = find_features_record(clip, workspace)
    store = workspace.open_store()
    opened = {
        name: read_artifact(store, artifact, name) for name, artifact in record.inputs.items() if name != SOURCE_STAGE
    }
    opened[record.stage] = read_artifact(store, record.artifact, record.stage)
    pictures = {
        "1-clip": _clip_picture(opened["ingest"]),
        "2-timeline": _timeline_picture(opened["interpolator"]),
        "3-magnified": _magnified_picture(opened["interpolator"], opened["magnifier"]),
        "4-flow": _flow_picture(opened["flow"]),
        "5-rois": _rois_picture(opened["interpolator"], opened["flow"], opened["roi-au"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join((record.sample.subject, record.sample.clip))
    return [_write_png(folder / f"{name}-{key}.png", picture) for key, picture in pictures.items()]


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


def _clip_picture(ingest: Arrays) -> Picture:
    marks = [(name, int(ingest[name])) for name in ("onset", "apex", "offset")]
    return _join_row([_add_title(ingest["frames"][index], f"{name} {index}") for name, index in marks])


def _timeline_picture(interpolated: Arrays) -> Picture:
    frames, positions = interpolated["frames"], interpolated["positions"]
    return _join_grid([_add_title(frame, f"frame {at:.2f}") for frame, at in zip(frames, positions, strict=True)], 6)


def _magnified_picture(interpolated: Arrays, magnified: Arrays) -> Picture:
    """Rows: interpolated frames, then the smallest, a middle and the largest factor."""
    frames, factors = magnified["frames"], magnified["factors"]
    count = frames.shape[1]
    rows = [_join_row([_add_title(frame, "interpolated") for frame in interpolated["frames"][-count:]])]
    for index in sorted({0, len(factors) // 2, len(factors) - 1}):
        rows.append(_join_row([_add_title(frame, f"x{factors[index]:.1f}") for frame in frames[index]]))
    return np.concatenate(rows)


def _flow_picture(flow: Arrays) -> Picture:
    """Rows: the smallest and the largest factor; columns: pairs; all on one scale."""
    flows, factors = flow["flows"].astype(np.float32), flow["factors"]
    full = _full_flow_scale(flows)
    rows = []
    for index in sorted({0, len(factors) - 1}):
        titled = [
            _add_title(colour_flow(pair, full), f"x{factors[index]:.1f} pair {k}")
            for k, pair in enumerate(flows[index])
        ]
        rows.append(_join_row(titled))
    key = _add_title(draw_colour_wheel(min(rows[0].shape[0] - CAPTION_HEIGHT, 96)), f"{full:.2f} px")
    below = np.full((key.shape[0], rows[0].shape[1], 3), 255, np.uint8)
    below[:, : key.shape[1]] = key
    return np.concatenate([*rows, below])


def _rois_picture(interpolated: Arrays, flow: Arrays, features: Arrays) -> Picture:
    """The ROIs' landmarks on the onset frame, each with its motion over the first half of the clip, drawn longer."""
    scale = 3
    middle = len(flow["factors"]) // 2
    onset, points = interpolated["frames"][0], features["landmarks"][ROI]
    pairs = flow["flows"][middle].astype(np.float32)
    moved = pairs[: (len(pairs) + 1) // 2].sum(0)
    row, column = (np.clip(np.rint(points[:, axis]), 0, moved.shape[2 - axis] - 1).astype(int) for axis in (1, 0))
    motion = moved[:, row, column].T
    longer = _round_scale_down(onset.shape[1] / 6 / max(float(np.hypot(*motion.T).max()), 1e-3))
    picture = cv2.resize(onset, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for start, arrow in zip(points * scale, motion * scale * longer, strict=True):
        cv2.circle(picture, _pixel_position(start), 3, (255, 220, 0), -1, cv2.LINE_AA)
        cv2.arrowedLine(picture, _pixel_position(start), _pixel_position(start + arrow), (0, 220, 90), 1, cv2.LINE_AA)
    return _add_title(
        np.asarray(picture, np.uint8), f"30 ROIs, motion x{longer:g}, factor {flow['factors'][middle]:.1f}"
    )


def _round_scale_down(value: float) -> float:
    """To 1, 2 or 5 times a power of ten: a scale that a reader can divide by."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value) * power)


def _full_flow_scale(flows: NDArray[Any]) -> float:
    return float(max(0.1, np.percentile(np.hypot(flows[:, :, 0], flows[:, :, 1]), 99.5)))


def _pixel_position(point: NDArray[Any]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _add_title(picture: NDArray[Any], title: str) -> Picture:
    canvas = np.full((picture.shape[0] + CAPTION_HEIGHT, picture.shape[1] + 4, 3), 255, np.uint8)
    canvas[CAPTION_HEIGHT:, : picture.shape[1]] = picture
    cv2.putText(canvas, title, (2, CAPTION_HEIGHT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (30, 30, 30), 1, cv2.LINE_AA)
    return canvas


def _join_row(pictures: Sequence[Picture]) -> Picture:
    return np.concatenate(pictures, axis=1)


def _join_grid(pictures: Sequence[Picture], columns: int) -> Picture:
    blank = np.full_like(pictures[0], 255)
    filled = [*pictures, *[blank] * (-len(pictures) % columns)]
    return np.concatenate([_join_row(filled[start : start + columns]) for start in range(0, len(filled), columns)])


def _write_png(file: Path, picture: Picture) -> Path:
    # imencode, not imwrite: OpenCV can't open paths outside the locale's alphabet everywhere.
    file.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    return file

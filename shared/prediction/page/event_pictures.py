"""The pictures of one event: frames as recorded and magnified, the flow over the face, arrows at the ROIs."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.eye_distance import measured_eye_distance
from shared.images.clip_pictures import measure_roi_motion, round_scale_down, sum_flow_to_apex
from shared.images.flow_colour import Picture, colour_flow
from shared.prediction.page.artifacts import EventArtifacts
from shared.prediction.page.schematic_face import FACE_LINES, SCHEMATIC_LANDMARKS
from shared.regions_of_interest import ROI

CELL_WIDTH = 136  # px of a film's picture; its height follows the frames
FLOW_WIDTH = 200  # px
PORTRAIT_WIDTH = 96  # px
SHADED = 0.55  # share of the grey frame's light that stays under the flow's colours
ARROW_SHARE = 0.2  # length of the longest arrow, share of the picture's width
FACE_REACH = (1.35, 0.95, 2.0)  # sides, up, down from between the eyes: what pictures show, distances between the eyes
FULL_PERCENTILE = 97  # of the motion over the face, at full colour: eyes that look elsewhere are less than the rest
SMALLEST_FULL_FLOW = 0.02  # distances between the eyes at full colour, so that noise stays pale
Window = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True)
class Film:
    """Pictures of an event as one image: a data URI with rows and columns of cells.

    Row 0: onset, apex, offset as recorded. Row 1: the same magnified. Rows 2 and 3: all frames, recorded and
    magnified, to be played. times: s of the played frames from the onset, [N].
    """

    uri: str
    columns: int
    cell: tuple[int, int]
    factor: float
    times: tuple[float, ...]


@dataclass(frozen=True)
class Arrows:
    """Motion of the ROIs on a canvas of `width` x `height`. starts, ends: (x, y) of each; lines: of a drawn face.

    longer: how many times longer than the motion the arrows are. background: a data URI, empty without faces.
    largest: motion of the ROI that moves most, distances between the eyes.
    """

    width: float
    height: float
    starts: tuple[tuple[float, float], ...]
    ends: tuple[tuple[float, float], ...]
    lines: tuple[str, ...]
    longer: float
    largest: float
    background: str


@dataclass(frozen=True)
class EventPictures:
    """All pictures of an event. flow: a data URI; full_flow: distances between the eyes at full colour."""

    film: Film | None
    flow: str
    full_flow: float
    arrows: Arrows
    factor: float


def draw_event_pictures(artifacts: EventArtifacts, seconds: float, faces: bool) -> EventPictures:
    """The pictures of an event that lasts `seconds`. Without `faces` they show no frame, and nobody's landmarks."""
    onset, landmarks = artifacts.interpolator["frames"][0], artifacts.features["landmarks"]
    eyes, window = measured_eye_distance(landmarks), find_face_window(landmarks, artifacts.interpolator["frames"].shape)
    moved = sum_flow_to_apex(artifacts.interpolator, artifacts.flow)
    full = max(float(np.percentile(np.hypot(*moved[:, *window]), FULL_PERCENTILE)), SMALLEST_FULL_FLOW * eyes)
    coloured = colour_flow(moved, full)[window]
    factors = artifacts.flow["factors"]
    return EventPictures(
        film=_draw_film(artifacts, seconds, window) if faces else None,
        flow=encode_picture(shrink_picture(_lay_over(onset[window], coloured) if faces else coloured, FLOW_WIDTH)),
        full_flow=full / eyes,
        arrows=_draw_arrows(artifacts, eyes, window, faces),
        factor=float(factors[len(factors) // 2]),
    )


def find_face_window(landmarks: NDArray[np.float64], shape: tuple[int, ...]) -> Window:
    """The rows and columns that show the face with landmarks [68, 2] px in frames of shape [..., H, W, 3]."""
    eyes = measured_eye_distance(landmarks)
    x, y = landmarks[36:48].mean(0)
    sides, up, down = (reach * eyes for reach in FACE_REACH)
    left, right = (round(float(np.clip(at, 0, shape[-2]))) for at in (x - sides, x + sides))
    top, bottom = (round(float(np.clip(at, 0, shape[-3]))) for at in (y - up, y + down))
    return slice(top, bottom), slice(left, right)


def draw_portrait(artifacts: EventArtifacts) -> Picture:
    """The face at the onset, to tell several persons apart."""
    frames, onset = artifacts.ingest["frames"], int(artifacts.ingest["onset"])
    window = find_face_window(artifacts.features["landmarks"], frames.shape)
    return shrink_picture(frames[onset][window], PORTRAIT_WIDTH)


def encode_picture(picture: NDArray[Any], quality: int = 82) -> str:
    """RGB picture uint8 [H, W, 3] -> data URI (WebP)."""
    return "data:image/webp;base64," + base64.b64encode(encode_webp(picture, quality)).decode()


def encode_webp(picture: NDArray[Any], quality: int = 82) -> bytes:
    """RGB picture uint8 [H, W, 3] -> the bytes of a file."""
    return cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


def _draw_film(artifacts: EventArtifacts, seconds: float, window: Window) -> Film:
    clip, shown = artifacts.ingest, artifacts.interpolator
    magnified = artifacts.magnifier["frames"]
    middle = len(magnified) // 2
    recorded = [shrink_picture(frame[window], CELL_WIDTH) for frame in shown["frames"][-magnified.shape[1] :]]
    moved = [shrink_picture(frame[window], CELL_WIDTH) for frame in magnified[middle]]
    times = _time_frames(shown, seconds)[-len(moved) :]
    apex = int(np.argmin(np.abs(times - _time_apex(shown, seconds))))
    marks = [
        shrink_picture(clip["frames"][int(clip[name])][window], CELL_WIDTH) for name in ("onset", "apex", "offset")
    ]
    rows: list[Sequence[Picture]] = [marks, [moved[0], moved[apex], moved[-1]], recorded, moved]
    columns = max(map(len, rows))
    blank = np.zeros_like(marks[0])
    sheet = np.concatenate([np.concatenate([*row, *[blank] * (columns - len(row))], 1) for row in rows])
    height, width = marks[0].shape[:2]
    factor = float(artifacts.magnifier["factors"][middle])
    return Film(encode_picture(sheet, 78), columns, (width, height), factor, tuple(times.tolist()))


def _time_frames(shown: Any, seconds: float) -> NDArray[np.float64]:
    """When each interpolated frame is, s from the onset; they reach from onset to offset."""
    at = np.asarray(shown["times"] if "times" in shown else shown["positions"], np.float64)
    return np.asarray((at - at[0]) / max(float(at[-1] - at[0]), 1e-9) * seconds)


def _time_apex(shown: Any, seconds: float) -> float:
    at, apex = ("times", "apex_time") if "times" in shown else ("positions", "apex")
    clock = np.asarray(shown[at], np.float64)
    return float((float(shown[apex]) - clock[0]) / max(float(clock[-1] - clock[0]), 1e-9) * seconds)


def _lay_over(frame: Picture, coloured: Picture) -> Picture:
    """The colours of the flow over the frame in grey, both [H, W, 3]: a multiplication, so white shows the frame."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] / 255
    return np.rint((1 - SHADED + SHADED * grey) * coloured).astype(np.uint8)


def _draw_arrows(artifacts: EventArtifacts, eyes: float, window: Window, faces: bool) -> Arrows:
    onset = artifacts.interpolator["frames"][0][window]
    points, motion = measure_roi_motion(artifacts.interpolator, artifacts.flow, artifacts.features)
    points, motion = points - [window[1].start, window[0].start], motion.astype(np.float64)
    height, width = onset.shape[:2]
    lines: tuple[str, ...] = ()
    if not faces:
        width, height, unit = 270, 295, 100.0  # px on the page per distance between the eyes
        drawn = SCHEMATIC_LANDMARKS * unit + [FACE_REACH[0] * unit, FACE_REACH[1] * unit]
        points, motion = drawn[ROI], motion / eyes * unit
        lines = tuple(" ".join(f"{x:.1f},{y:.1f}" for x, y in drawn[list(line)]) for line in FACE_LINES)
        eyes = unit
    longest = max(float(np.hypot(*motion.T).max()), SMALLEST_FULL_FLOW * eyes)
    longer = round_scale_down(width * ARROW_SHARE / longest)
    ends = points + motion * longer
    return Arrows(
        float(width),
        float(height),
        _list_points(points),
        _list_points(ends),
        lines,
        longer,
        float(np.hypot(*motion.T).max()) / eyes,
        encode_picture(onset, 80) if faces else "",
    )


def _list_points(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in points)


def shrink_picture(picture: NDArray[Any], width: int) -> Picture:
    """The picture [H, W, 3] at a width in px."""
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

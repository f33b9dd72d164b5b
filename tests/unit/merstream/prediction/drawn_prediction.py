"""A prediction of a drawn recording of two faces, small enough for tests: four seconds at 25 frames per second."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merstream.prediction.overlay import write_overlay
from merstream.prediction.overlay_drawing import FaceCourse
from shared.prediction.model import (
    PredictedEvent,
    PredictedFace,
    PredictedFlag,
    Prediction,
    Recognition,
    UsedModel,
    VideoFacts,
)
from shared.prediction.page.artifacts import EventArtifacts
from shared.prediction.page.schematic_face import SCHEMATIC_LANDMARKS
from shared.spotting.face_motion import FaceMotion

FPS, SECONDS = 25.0, 4.0
TIMES = np.arange(round(FPS * SECONDS)) / FPS
REGIONS = ("left mouth corner", "right mouth corner", "glabella")
SIZE = 64, 96  # rows, columns of the recording
ROWS, COLUMNS, EYES = 140, 112, 34.0  # of an event's crop, and the distance between its eyes, px
LANDMARKS = SCHEMATIC_LANDMARKS * EYES + [56.0, 50.0]


@dataclass(frozen=True)
class DrawnFrame:
    seconds: float
    pixels: NDArray[np.uint8]


def draw_frames() -> Iterator[DrawnFrame]:
    """A dark recording that grows lighter."""
    for seconds in TIMES.tolist():
        yield DrawnFrame(seconds, np.full((*SIZE, 3), 40 + round(20 * seconds), np.uint8))


def move_face(peaks: dict[str, tuple[float, float]], first: float = 0.0, last: float = SECONDS) -> FaceMotion:
    """A face that rests, but for bumps: by region the time of the peak, s, and its height, distances of the eyes.

    A bump goes up, so `v` is negative. It lasts 0.4 s.
    """
    times = TIMES[(first <= TIMES) & (last >= TIMES)]
    moved = np.zeros((len(times), len(REGIONS), 2))
    for region, (at, height) in peaks.items():
        moved[:, REGIONS.index(region), 1] = -height * np.clip(1 - np.abs(times - at) / 0.2, 0, 1)
    count = len(times)
    return FaceMotion(
        times,
        REGIONS,
        moved,
        np.full(len(REGIONS), 0.001),
        np.zeros((count, 5)),
        np.full((count, 2), 0.2),
        np.zeros(count),
        np.full(count, 120.0),
        EYES,
    )


MOTIONS = {
    1: [move_face({"left mouth corner": (1.0, 0.05), "right mouth corner": (1.0, 0.02)}, last=2.4)],
    2: [move_face({"glabella": (3.0, 0.04)})],
}


def draw_artifacts(up: float = 2.0, light: int = 120, seed: int = 0) -> EventArtifacts:
    """Artifacts of an event in which all moves up by `up` px in five frames to the apex, and down again."""
    rng = np.random.default_rng(seed)
    frames = np.clip(light + rng.integers(-20, 20, (9, ROWS, COLUMNS, 3)), 0, 255).astype(np.uint8)
    flows = np.zeros((3, 8, 2, ROWS, COLUMNS), np.float16)
    flows[:, :4, 1], flows[:, 4:, 1] = -up / 4, up / 4
    factors = np.array([1.0, 2.0, 4.0])
    return EventArtifacts(
        ingest={"frames": frames, "onset": np.int64(1), "apex": np.int64(4), "offset": np.int64(8)},
        interpolator={"frames": frames, "positions": np.arange(9.0), "apex": np.array(4.0), "fps": np.array(FPS)},
        magnifier={"frames": np.stack([frames // 2] * 3), "factors": factors, "frame_numbers": np.arange(9)},
        flow={"flows": flows, "factors": factors, "frame_numbers": np.arange(9)},
        features={"landmarks": LANDMARKS},
    )


ARTIFACTS = {1: draw_artifacts(), 3: draw_artifacts(seed=1)}
SMILE = Recognition(
    emotion="positive",
    emotions={"negative": 0.05, "positive": 0.8, "surprise": 0.05, "none": 0.1},
    fine_emotion="happiness",
    fine_emotions={"happiness": 0.7, "none": 0.3},
    action_units={"4": 0.1, "12": 0.9},
)


def predict_event(number: int, face: int, apex: float, **changes: object) -> PredictedEvent:
    """An event of 0.4 s around its apex."""
    facts: dict[str, object] = {
        "id": number,
        "face": face,
        "kind": "micro",
        "onset_seconds": apex - 0.2,
        "apex_seconds": apex,
        "offset_seconds": apex + 0.2,
        "onset_frame": round((apex - 0.2) * FPS),
        "apex_frame": round(apex * FPS),
        "offset_frame": round((apex + 0.2) * FPS),
        "size_eye_distances": 0.05,
        "strength": 3.0,
        "regions": REGIONS[:1],
    }
    return PredictedEvent.model_validate(facts | changes)


BLINK = PredictedFlag(name="blink", reason="The eyes close to 0.1 of their usual opening.")
EVENTS = (
    predict_event(1, 1, 1.0, recognition=SMILE, side="left"),
    predict_event(2, 1, 2.0, flags=(BLINK,), failure="No face at the onset.", strength=9.0),
    predict_event(3, 2, 3.0, kind="macro", regions=("glabella",), recognition=SMILE),
)


def follow_face(number: int) -> PredictedFace:
    left = 8 + 48 * (number - 1)
    return PredictedFace(
        id=number,
        first_seconds=0,
        last_seconds=SECONDS,
        seen_seconds=SECONDS,
        box=(left, 12, left + 32, 52),
        eye_distance_px=EYES,
        sharpness=0.8,
        turn_degrees=5,
        light=120,
        remarks=("The face is small.",) if number == 2 else (),
    )


PREDICTION = Prediction(
    video=VideoFacts(name="two faces.mp4", frames=len(TIMES), fps=FPS, seconds=SECONDS, width=SIZE[1], height=SIZE[0]),
    model=UsedModel(name="shipped", digest="ab" * 32, trained_on="Drawn faces."),
    settings={"spotting": {"threshold": 0.003}},
    faces=(follow_face(1), follow_face(2)),
    events=EVENTS,
    remarks=("25 frames/s are coarse for micro-expressions.",),
)


def follow_boxes() -> list[FaceCourse]:
    """Where both faces are in every frame; face 1 is lost after 2.4 s."""
    found = []
    for face in PREDICTION.faces:
        times = TIMES[TIMES <= 2.4] if face.id == 1 else TIMES
        boxes = np.tile(face.box, (len(times), 1))
        found.append(FaceCourse(face.id, times, boxes, motion=MOTIONS[face.id][0]))
    return found


def write_video(folder: Path) -> Path:
    """The recording as browsers play it."""
    return write_overlay(draw_frames(), PREDICTION, follow_boxes(), folder / "overlay.mp4")

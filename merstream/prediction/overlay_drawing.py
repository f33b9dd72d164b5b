"""What the overlay draws on a frame: boxes, landmarks, arrows at moving regions, events with their probabilities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.prediction.model import PredictedEvent, Prediction
from shared.prediction.page.schematic_face import SCHEMATIC_LANDMARKS
from shared.spotting.face_motion import FaceMotion
from shared.spotting.regions import REGION_INDEX, place_regions

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
COLOURS: Mapping[str, Colour] = {"micro": (249, 115, 22), "macro": (20, 184, 166)}  # RGB, as on the page
BOX_COLOUR: Colour = (235, 235, 235)
POINT_COLOUR: Colour = (255, 214, 0)
ARROW_COLOUR: Colour = (34, 224, 122)
HELD_SECONDS = 1.0  # least time for which an event's label stays, since a micro-expression is too short to read
MISSED_FRAMES = 1.5  # a face that was last seen longer ago is not drawn, in frames
LONGER = 8.0  # how many times longer than the motion the arrows are
SHORTEST_ARROW = 4.0  # px; shorter arrows show noise


@dataclass(frozen=True)
class FaceCourse:
    """Where one face is over T frames of one segment.

    face: its id. times: [T] s. boxes: [T, 4] left, top, right, bottom, px. landmarks: [T, 68, 2] px, iBUG order, None
    where they were not kept. Px are those of the frames drawn on. motion: for arrows at the regions that move.
    """

    face: int
    times: NDArray[np.float64]
    boxes: NDArray[Any]
    landmarks: NDArray[Any] | None = None
    motion: FaceMotion | None = None

    @cached_property
    def patience(self) -> float:
        """s from the nearest sample within which the face is drawn."""
        return MISSED_FRAMES * float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.1

    def find_frame(self, seconds: float) -> int | None:
        """The sample nearest to a time; None where the face was not followed."""
        after = int(np.searchsorted(self.times, seconds))
        near = [index for index in (after - 1, after) if 0 <= index < len(self.times)]
        if not near:
            return None
        index = min(near, key=lambda each: abs(float(self.times[each]) - seconds))
        return index if abs(float(self.times[index]) - seconds) <= self.patience else None


@dataclass(frozen=True)
class OverlayPainter:
    """Draws a prediction on the frames of its recording."""

    prediction: Prediction

    def draw_frame(self, picture: Pixels, faces: Iterable[FaceCourse], seconds: float, scale: float = 1.0) -> Pixels:
        """The picture uint8 [H, W, 3] RGB at a time, with all that is known of it; it is drawn on in place.

        scale: px of the picture per px of the recording.
        """
        for face in faces:
            index = face.find_frame(seconds)
            if index is not None:
                self._draw_face(picture, face, index, seconds, scale)
        self._draw_time_line(picture, seconds)
        return picture

    def _draw_face(self, picture: Pixels, face: FaceCourse, index: int, seconds: float, scale: float) -> None:
        events = [event for event in self._events_by_face.get(face.face, ()) if _is_shown(event, seconds)]
        now = [event for event in events if event.onset_seconds <= seconds <= event.offset_seconds]
        thick = choose_thickness(picture)
        left, top, right, bottom = (round(float(side) * scale) for side in face.boxes[index])
        colour = next((COLOURS[event.kind] for event in now if not event.flags), BOX_COLOUR)
        cv2.rectangle(picture, (left, top), (right, bottom), colour, thick * (2 if now else 1))
        if face.landmarks is not None:
            for point in face.landmarks[index]:
                cv2.circle(picture, _round_point(point * scale), thick, POINT_COLOUR, -1, cv2.LINE_AA)
        for event in now:
            self._draw_arrows(picture, face, index, event, seconds, scale)
        write_label(picture, f"face {face.face}", (left, top), BOX_COLOUR, above=True)
        room = picture.shape[0] - 4 * thick - len(events) * measure_label(picture, "")[1]  # above the bar of time
        below = min(bottom, room)
        for event in events:
            strong = COLOURS[event.kind] if event in now and not event.flags else BOX_COLOUR
            below = write_label(picture, describe_event(event), (left, below), strong)

    def _draw_arrows(
        self, picture: Pixels, face: FaceCourse, index: int, event: PredictedEvent, seconds: float, scale: float
    ) -> None:
        """Arrows from where the event's regions were at its onset, drawn longer."""
        motion = face.motion
        if motion is None or not motion.times[0] <= seconds <= motion.times[-1]:
            return
        landmarks = fit_schematic_face(face.boxes[index]) if face.landmarks is None else face.landmarks[index]
        eyes = float(np.hypot(*(landmarks[42:48].mean(0) - landmarks[36:42].mean(0))))
        places = place_regions(np.asarray(landmarks, np.float64), eyes)
        for name in event.regions:
            if name not in motion.regions or name not in REGION_INDEX:
                continue
            course = motion.displacement[:, motion.regions.index(name)]
            before, now = (
                np.array([np.interp(at, motion.times, axis) for axis in course.T])
                for at in (event.onset_seconds, seconds)
            )
            start, way = places[REGION_INDEX[name]] * scale, (now - before) * eyes * LONGER * scale
            if np.hypot(*way) >= SHORTEST_ARROW:
                ends = _round_point(start), _round_point(start + way)
                cv2.arrowedLine(picture, *ends, (0, 0, 0), 3 * choose_thickness(picture), cv2.LINE_AA, tipLength=0.3)
                cv2.arrowedLine(picture, *ends, ARROW_COLOUR, choose_thickness(picture), cv2.LINE_AA, tipLength=0.3)

    def _draw_time_line(self, picture: Pixels, seconds: float) -> None:
        """A bar at the bottom: the events in colour, flagged ones thin, and where this frame is."""
        height, width = picture.shape[:2]
        whole, bar = max(self.prediction.video.seconds, 1e-6), 4 * choose_thickness(picture)
        picture[-bar:] = picture[-bar:] // 4
        for event in self.prediction.events:
            first, last = (round(at / whole * width) for at in (event.onset_seconds, event.offset_seconds))
            rows = slice(height - (bar // 3 if event.flags else bar), height)
            picture[rows, first : max(last, first + 2)] = COLOURS[event.kind]
        at = min(max(round(seconds / whole * width), 1), width - 1)
        picture[-bar:, at - 1 : at + 1] = 255

    @cached_property
    def _events_by_face(self) -> dict[int, list[PredictedEvent]]:
        found: dict[int, list[PredictedEvent]] = {}
        for event in self.prediction.events:
            found.setdefault(event.face, []).append(event)
        return found


def describe_event(event: PredictedEvent) -> str:
    """`micro: surprise 76 %`, or `micro? blink` of a flagged event."""
    if event.flags:
        return f"{event.kind}? {', '.join(flag.name for flag in event.flags)}"
    if event.recognition is None:
        return event.kind
    said = event.recognition
    return f"{event.kind}: {said.emotion} {100 * said.emotions.get(said.emotion, 0):.0f} %"


def fit_schematic_face(box: NDArray[Any]) -> NDArray[np.float64]:
    """Landmarks [68, 2] px of nobody's face that fills a box (left, top, right, bottom)."""
    low, high = SCHEMATIC_LANDMARKS.min(0), SCHEMATIC_LANDMARKS.max(0)
    corners = np.asarray(box, np.float64).reshape(2, 2)
    return np.asarray(corners[0] + (SCHEMATIC_LANDMARKS - low) / (high - low) * (corners[1] - corners[0]))


def choose_thickness(picture: Pixels) -> int:
    """Px of a line, for a picture [H, W, 3] of any size."""
    shorter: int = min(picture.shape[:2])
    return max(1, round(shorter / 480))


def measure_label(picture: Pixels, text: str) -> tuple[int, int]:
    """Width and height, px, of a label in a picture [H, W, 3]. All labels have one height."""
    width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _choose_text_size(picture), choose_thickness(picture))[0][0]
    return int(width) + 8, round(36 * _choose_text_size(picture))


def write_label(picture: Pixels, text: str, at: tuple[int, int], colour: Colour, above: bool = False) -> int:
    """Write text on a dark ground at (x, y) of a picture [H, W, 3], moved inside it. Returns the y below the text."""
    width, height = measure_label(picture, text)
    left = max(0, min(at[0], picture.shape[1] - width))
    top = max(0, min(at[1] - height if above else at[1], picture.shape[0] - height))
    ground = picture[top : top + height, left : left + width]
    ground[:] = ground // 4
    size, place = _choose_text_size(picture), (left + 4, top + round(0.72 * height))
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, choose_thickness(picture), cv2.LINE_AA)
    return int(top + height)


def _choose_text_size(picture: Pixels) -> float:
    shorter: int = min(picture.shape[:2])
    return max(0.45, 0.5 * shorter / 480)


def _is_shown(event: PredictedEvent, seconds: float) -> bool:
    return event.onset_seconds <= seconds <= max(event.offset_seconds, event.onset_seconds + HELD_SECONDS)


def _round_point(point: NDArray[Any]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))

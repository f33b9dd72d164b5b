"""A live session: frames go in one by one, events come out once they have ended, recognition follows.

It knows no clock: all times are those of the frames. So a session is repeatable, however fast the computer is.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merstream.live.event_board import LiveEvent, LiveSettings
from merstream.live.event_recognition import ClipRecogniser
from merstream.live.face_ring import KeptClip
from merstream.live.live_face import LiveFace
from merstream.live.rolling_spotting import SegmentWatch
from services.spotter.face_events import compose_event
from services.spotter.face_following import FaceFollower
from services.spotter.face_geometry import bound_points
from services.spotter.limits import describe_recording_limits
from services.spotter.recorded_frames import RecordedFrame
from services.trainer.recogniser.description import describe_expression
from services.trainer.recogniser.recognition import RecognisedExpression
from shared.prediction.model import PredictedEvent, Prediction, VideoFacts
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings

SHORTEST_FACE = 1.0  # s from first to last sight of a face that counts
RATE_SECONDS = 3.0  # over which the rate is measured
MOST_WAITING = 6  # events that wait for their recognition
FLAGGED = "Flagged events are not recognised live. `mer predict` recognises them in a recording."
OVERTAKEN = "Too many events came at once, so that this one was not recognised live."
FORGOTTEN = "Its first frames were no longer kept, so that it was not recognised live."
ENDED = "The session ended before it was recognised."


@dataclass
class LiveSession:
    """What is known of a session so far. `name`: of its source."""

    name: str
    recogniser: ClipRecogniser
    most_faces: int = 1
    settings: LiveSettings = field(default_factory=LiveSettings)
    spotting: SpottingSettings = DEFAULT_SPOTTING
    faces: dict[int, LiveFace] = field(default_factory=dict)
    events: list[LiveEvent] = field(default_factory=list)
    recognitions: dict[int, RecognisedExpression] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    frames: int = 0  # watched
    first_index: int = 0
    last_index: int = 0
    seconds: float = 0.0  # of the last frame
    size: tuple[int, int] = (0, 0)
    seen: tuple[tuple[int, NDArray[np.float64]], ...] = ()  # faces of the last frame: number, box [4] px

    def __post_init__(self) -> None:
        self._follower = FaceFollower(self.most_faces)
        self._recent: deque[tuple[int, float]] = deque()  # index and s of the last frames
        self._before: NDArray[np.uint8] | None = None
        self._waiting: dict[int, KeptClip] = {}

    def add_frame(self, frame: RecordedFrame) -> list[LiveEvent]:
        """Watch the next frame. Returns events that are new, or revised by a second look."""
        self._count_frame(frame)
        seen = {face.number: face for face in self._follower.follow_frame(frame.pixels, frame.seconds)}
        self.seen = tuple((number, bound_points(face.mesh.points)) for number, face in seen.items())
        changed: list[LiveEvent] = []
        for number, face in self.faces.items():
            now = seen.get(number)
            if face.watch and (now is None or now.segment != face.watch.course):
                changed += self._close_watch(face)
        for number, found in seen.items():
            face = self.faces.setdefault(number, LiveFace(number, frame.seconds, frame.seconds))
            face.last = frame.seconds
            face.sample_quality(frame, self._before, found.mesh)
            if found.segment is not None:
                face.watch = face.watch or SegmentWatch(number, found.segment, self.settings, self.spotting)
                face.watch.add_frame(frame, found.mesh)
                changed += self._take_events(face.watch, face.watch.look_for_events())
        self._before = frame.pixels
        self.recognise_next()
        return changed

    def recognise_next(self, wait: float = 0.0) -> list[int]:
        """Hand the next clip to the recogniser, and take its answer if it is there within `wait` s: event numbers."""
        done = []
        if answer := self.recogniser.take_answer(wait):
            if answer.found:
                self.recognitions[answer.number] = answer.found
                self.failures.pop(answer.number, None)
            else:
                self.failures[answer.number] = answer.failure
            done.append(answer.number)
        if self._waiting and self.recogniser.is_idle:
            number = next(iter(self._waiting))
            self.recogniser.start_clip(number, self._waiting.pop(number))
        return done

    @property
    def crowd(self) -> int:
        """How many faces were there at once, at most."""
        return self._follower.most_at_once

    @property
    def awaited_numbers(self) -> tuple[int, ...]:
        """Numbers of the events that wait for their recognition or are in it."""
        known = {*self.recognitions, *self.failures}
        return tuple(event.number for event in self.events if event.number not in known)

    @property
    def is_recognising(self) -> bool:
        """Whether an event waits for its recognition."""
        return bool(self._waiting) or not self.recogniser.is_idle

    def finish(self) -> list[LiveEvent]:
        """Nothing will follow: events that are not over yet end here. Returns those that are new or revised."""
        return [event for face in self.faces.values() if face.watch for event in self._close_watch(face)]

    @property
    def rate(self) -> float:
        """Frames watched per second, over the last seconds; 0 in the beginning."""
        return _measure_rate(len(self._recent) - 1, self._recent)

    @property
    def source_rate(self) -> float:
        """Frames that the source gave per second, with those that were dropped."""
        return _measure_rate(self._recent[-1][0] - self._recent[0][0], self._recent) if self._recent else 0.0

    @property
    def dropped(self) -> int:
        """Frames of the source that were not watched."""
        return self.last_index - self.first_index + 1 - self.frames if self.frames else 0

    def compose_prediction(self) -> Prediction:
        """The session as `mer predict` writes a recording."""
        lasting = [face for face in self.faces.values() if face.last - face.first >= SHORTEST_FACE and face.samples]
        known = {face.number for face in lasting}
        events = sorted((event for event in self.events if event.face in known), key=lambda each: each.spotted.onset)
        seconds = self.seconds
        rate = (self.frames - 1) / seconds if seconds > 0 and self.frames > 1 else 0.0
        video = VideoFacts(
            name=self.name,
            frames=self.frames,
            fps=rate,
            seconds=seconds,
            width=self.size[0],
            height=self.size[1],
            variable_rate=self.dropped > 0,
        )
        remarks = list(describe_recording_limits(video, len(lasting)))
        if self.crowd > self.most_faces:
            remarks.append(f"Up to {self.crowd} faces were there at once; {self.most_faces} followed.")
        if self.dropped:
            count = self.frames + self.dropped
            remarks.append(f"{self.dropped} of {count} frames came while the computer was busy, and were not watched.")
        if any(event.spotted.flags and event.number not in self.recognitions for event in events):
            remarks.append(FLAGGED)
        return Prediction(
            video=video,
            model=self.recogniser.loaded.model if self.recogniser.loaded else None,
            settings=self._describe_settings(),
            faces=tuple(face.compose_face() for face in lasting),
            events=tuple(
                self.compose_event(event).model_copy(update={"id": number}) for number, event in enumerate(events, 1)
            ),
            remarks=tuple(remarks),
        )

    def compose_event(self, event: LiveEvent) -> PredictedEvent:
        """An event as the document has it, under its own number."""
        said = self.recognitions.get(event.number)
        recognition = describe_expression(said) if said else None
        return compose_event(event).model_copy(
            update={"recognition": recognition, "failure": self._explain_failure(event)}
        )

    def _explain_failure(self, event: LiveEvent) -> str:
        return "" if event.number in self.recognitions else self.failures.get(event.number, ENDED)

    def _describe_settings(self) -> dict[str, Any]:
        return {
            "live": {**asdict(self.settings), "most_faces": self.most_faces},
            "pipeline": self.recogniser.loaded.pipeline.model_dump(mode="json") if self.recogniser.loaded else None,
            "spotting": asdict(self.spotting) | {"scales": list(self.spotting.scales)},
        }

    def _count_frame(self, frame: RecordedFrame) -> None:
        if not self.frames:
            self.first_index = frame.index
        self.frames += 1
        self.last_index, self.seconds = frame.index, frame.seconds
        self.size = (frame.pixels.shape[1], frame.pixels.shape[0])
        self._recent.append((frame.index, frame.seconds))
        while frame.seconds - self._recent[0][1] > RATE_SECONDS:
            self._recent.popleft()

    def _close_watch(self, face: LiveFace) -> list[LiveEvent]:
        watch, face.watch = face.watch, None
        assert watch
        face.seen += watch.last - watch.first
        return list(self._take_events(watch, watch.look_for_events(final=True)))

    def _take_events(self, watch: SegmentWatch, found: Iterator[LiveEvent]) -> Iterator[LiveEvent]:
        for event in found:
            if not event.number:
                self.events.append(event)
                event.number = len(self.events)
            self._order_recognition(watch, event)
            yield event

    def _order_recognition(self, watch: SegmentWatch, event: LiveEvent) -> None:
        """Cut the event's clip while its frames are kept, and queue it. A queue that is full drops its oldest."""
        self._waiting.pop(event.number, None)
        if event.spotted.flags:
            if event.number not in self.recognitions:
                self.failures[event.number] = ""  # a remark of the session says why, once
            return
        clip = watch.ring.cut_clip(event.spotted, self.name, event.face)
        if clip is None:
            self.failures[event.number] = FORGOTTEN
            return
        self.failures.pop(event.number, None)
        self._waiting[event.number] = clip
        if len(self._waiting) > MOST_WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self.failures[oldest] = OVERTAKEN


def _measure_rate(steps: int, recent: deque[tuple[int, float]]) -> float:
    if len(recent) < 2 or recent[-1][1] <= recent[0][1]:
        return 0.0
    return steps / (recent[-1][1] - recent[0][1])

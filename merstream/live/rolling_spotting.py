"""Spotting while a face is being watched: over the last seconds, again and again. An event is announced once it ended.

A later look may see more than the first one: that the event went on, or that it was part of a larger movement. Then the
announced event is revised.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from merstream.live.face_ring import FaceRing
from services.spotter.face_geometry import bound_points
from services.spotter.recorded_frames import RecordedFrame
from shared.face_mesh import FaceMesh
from shared.spotting.events import EventFlag, SpottedEvent
from shared.spotting.face_motion import FaceMotion
from shared.spotting.motion_meter import MotionMeter, MotionRow, join_rows
from shared.spotting.spotting import FEWEST_FRAMES, spot_events
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings


@dataclass(frozen=True)
class LiveSettings:
    """Times, s. window: over which events are spotted. gap: between two looks.

    settle: for how long an event must be over before it is announced. same: intersection over union from which an
    event of two looks is one. changed: below which it is another stretch of time. memory: how long after its end an
    announced event can be revised.
    """

    window: float = 20.0
    gap: float = 0.25
    settle: float = 0.6
    same: float = 0.3
    changed: float = 0.7
    memory: float = 4.0


@dataclass(eq=False)
class LiveEvent:
    """An event that was announced. announced: s, the time of the frame after which. revision: 0 for the first word.

    frames: numbers of the frames nearest onset, apex and offset. confidence: how sure the network is of the face.
    """

    face: int
    spotted: SpottedEvent
    announced: float
    frames: tuple[int, int, int]
    confidence: float
    number: int = 0
    revision: int = 0
    missed: int = 0  # looks in a row that did not see it


@dataclass
class SegmentWatch:
    """One uninterrupted stretch of one face, as far as the last seconds go."""

    face: int
    course: int  # the follower's number of the stretch
    settings: LiveSettings = field(default_factory=LiveSettings)
    spotting: SpottingSettings = DEFAULT_SPOTTING
    ring: FaceRing = field(default_factory=FaceRing)
    motion: FaceMotion | None = None  # at the last look
    first: float = -1.0
    last: float = -1.0
    _meter: MotionMeter = field(default_factory=MotionMeter)
    _rows: deque[MotionRow] = field(default_factory=deque)
    _seen: deque[tuple[int, float, float]] = field(default_factory=deque)  # frame, s, score
    _events: list[LiveEvent] = field(default_factory=list)  # announced ones that can be revised
    _before: list[SpottedEvent] = field(default_factory=list)  # at the look before
    _looked: float = -np.inf

    def add_frame(self, frame: RecordedFrame, mesh: FaceMesh) -> None:
        """Measure the face in the next frame."""
        self.first = frame.seconds if self.first < 0 else self.first
        self.last = frame.seconds
        self._meter.add_frame(frame.pixels, mesh, frame.seconds)
        self._rows.extend(self._meter.take_rows())
        self._seen.append((frame.index, frame.seconds, mesh.score))
        self.ring.add_frame(frame, bound_points(mesh.points), mesh.score)
        start = frame.seconds - self.settings.window
        while self._rows and self._rows[0].seconds < start:
            self._rows.popleft()
        while self._seen[0][1] < start:
            self._seen.popleft()

    def look_for_events(self, final: bool = False) -> Iterator[LiveEvent]:
        """Events that are new or revised, if a look is due. `final`: nothing will follow, so that all have ended."""
        if not final and self.last - self._looked < self.settings.gap - 1e-6:
            return
        self._looked = self.last
        if len(self._rows) < FEWEST_FRAMES:
            return
        self.motion = join_rows(list(self._rows))
        spotted = self._leave_border(spot_events(self.motion, self.spotting))
        end = self.last - (0 if final else self.settings.settle)
        ended = [event for event in spotted if event.offset <= end or final]
        yield from self._compare_events(ended, spotted, final)
        self._before = spotted
        self._events = [each for each in self._events if each.spotted.offset > self.last - self.settings.memory]

    def _leave_border(self, events: list[SpottedEvent]) -> list[SpottedEvent]:
        """The events without those that the window cuts: the window's border is none of the recording."""
        start = self._rows[0].seconds
        if start - self.first < 0.1:
            return events
        return [event for event in events if event.onset - start >= 0.05]

    def _compare_events(
        self, ended: list[SpottedEvent], spotted: list[SpottedEvent], final: bool
    ) -> Iterator[LiveEvent]:
        """Match what is seen with what was announced, and yield what is new or changed."""
        pairs = self._match_events(ended)
        for event, known in zip(ended, pairs, strict=True):
            if known is not None:
                known.missed = 0
                if self._revise(known, event):
                    yield known
            elif event.offset > self.last - self.settings.memory and (final or self._was_seen(event)):
                known = LiveEvent(self.face, event, self.last, *self._place(event))
                self._events.append(known)
                yield known
        for known in self._events:
            if known not in pairs and known.announced < self.last and self._explain_loss(known, spotted):
                yield known

    def _match_events(self, ended: list[SpottedEvent]) -> list[LiveEvent | None]:
        """For each event the announced one that it is. Those that overlap most come first."""
        likeness = [
            (overlap_events(known.spotted, event), row, known)
            for row, event in enumerate(ended)
            for known in self._events
        ]
        matches: list[LiveEvent | None] = [None] * len(ended)
        for share, row, known in sorted(likeness, key=lambda each: -each[0]):
            if share >= self.settings.same and matches[row] is None and known not in matches:
                matches[row] = known
        return matches

    def _was_seen(self, event: SpottedEvent) -> bool:
        return any(overlap_events(event, other) >= self.settings.changed for other in self._before)

    def _revise(self, known: LiveEvent, event: SpottedEvent) -> bool:
        """Take over what a later look says, if it differs enough to be said."""
        names = [[flag.name for flag in each.flags] for each in (known.spotted, event)]
        moved = overlap_events(known.spotted, event) < self.settings.changed
        if not moved and names[0] == names[1] and known.spotted.kind == event.kind:
            return False
        known.spotted, known.revision = event, known.revision + 1
        known.frames, known.confidence = self._place(event)
        return True

    def _explain_loss(self, known: LiveEvent, spotted: list[SpottedEvent]) -> bool:
        """Flag an announced event that a larger one has swallowed. Others stay as they were announced."""
        known.missed += 1
        if known.missed != 2 or known.spotted.flags:
            return False
        for event in spotted:
            shared = min(event.offset, known.spotted.offset) - max(event.onset, known.spotted.onset)
            if shared >= 0.8 * (known.spotted.offset - known.spotted.onset):
                reason = f"At a second look it is part of a movement from {event.onset:.2f} to {event.offset:.2f} s."
                known.spotted = replace(known.spotted, flags=(EventFlag("inside-larger", reason),))
                known.revision += 1
                return True
        return False

    def _place(self, event: SpottedEvent) -> tuple[tuple[int, int, int], float]:
        """The frames nearest onset, apex and offset, and the mean score between them."""
        numbers, seconds, scores = (np.array(column) for column in zip(*self._seen, strict=True))
        first, apex, last = (
            int(np.abs(seconds - moment).argmin()) for moment in (event.onset, event.apex, event.offset)
        )
        return (int(numbers[first]), int(numbers[apex]), int(numbers[last])), float(scores[first : last + 1].mean())


def overlap_events(one: SpottedEvent, other: SpottedEvent) -> float:
    """Intersection over union of two events in time."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    return max(0.0, shared) / (max(one.offset, other.offset) - min(one.onset, other.onset))

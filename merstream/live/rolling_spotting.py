"""Spotting while a face is being watched: over the last seconds, again and again."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from merstream.live.event_board import EventBoard, LiveEvent, LiveSettings, Placement
from merstream.live.face_ring import FaceRing
from services.spotter.face_geometry import bound_points
from services.spotter.recorded_frames import RecordedFrame
from shared.face_mesh import FaceMesh
from shared.spotting.events import SpottedEvent
from shared.spotting.face_motion import FaceMotion
from shared.spotting.motion_meter import MotionMeter, MotionRow, join_rows
from shared.spotting.spotting import FEWEST_FRAMES, spot_events
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings

BORDER = 0.05  # s from the window's first frame within which an event is cut by it


@dataclass
class SegmentWatch:
    """One uninterrupted stretch of one face, as far as the last seconds go.

    course: the follower's number of the stretch. motion: over the window at the last look. first, last: s.
    """

    face: int
    course: int
    settings: LiveSettings = field(default_factory=LiveSettings)
    spotting: SpottingSettings = DEFAULT_SPOTTING
    ring: FaceRing = field(default_factory=FaceRing)
    motion: FaceMotion | None = None
    first: float = -1.0
    last: float = -1.0
    _meter: MotionMeter = field(default_factory=MotionMeter)
    _rows: deque[MotionRow] = field(default_factory=deque)
    _seen: deque[tuple[int, float, float]] = field(default_factory=deque)  # frame, s, score
    _looked: float = -np.inf

    def __post_init__(self) -> None:
        self._board = EventBoard(self.face, self.settings)

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
        yield from self._board.take_look(spotted, self.last, self._place_event, final)

    def _leave_border(self, events: list[SpottedEvent]) -> list[SpottedEvent]:
        """The events without those that the window cuts: its border is none of the recording."""
        start = self._rows[0].seconds
        if start <= self.first:
            return events
        return [event for event in events if event.onset - start >= BORDER]

    def _place_event(self, event: SpottedEvent) -> Placement:
        """The frames nearest onset, apex and offset, and the mean score between them."""
        numbers, seconds, scores = (np.array(column) for column in zip(*self._seen, strict=True))
        first, apex, last = (
            int(np.abs(seconds - moment).argmin()) for moment in (event.onset, event.apex, event.offset)
        )
        return (int(numbers[first]), int(numbers[apex]), int(numbers[last])), float(scores[first : last + 1].mean())

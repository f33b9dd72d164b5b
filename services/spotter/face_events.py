"""From what was watched and spotted to the parts of the document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from services.spotter.event_clips import FacePath, PlannedClip, find_nearest, plan_clip
from services.spotter.recorded_frames import Recording
from services.spotter.watched_faces import WatchedFace, WatchedSegment
from shared.prediction.model import PredictedEvent, PredictedFace, PredictedFlag, VideoFacts
from shared.spotting.events import SpottedEvent
from shared.spotting.spotting import spot_events
from shared.spotting.spotting_settings import SpottingSettings


class PlacedEvent(Protocol):
    """An event of a face: its number in the document, its frames (onset, apex, offset), how sure the landmarks are."""

    @property
    def number(self) -> int: ...
    @property
    def face(self) -> int: ...
    @property
    def spotted(self) -> SpottedEvent: ...
    @property
    def frames(self) -> tuple[int, int, int]: ...
    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True)
class FaceEvent:
    """An event of a face: its clip, its frames (onset, apex, offset), and how sure the landmarks are, 0 to 1."""

    face: int
    spotted: SpottedEvent
    clip: PlannedClip
    frames: tuple[int, int, int]
    confidence: float
    number: int = 0  # in the document

    def number_clip(self, number: int) -> "FaceEvent":
        """The same with its number, by which its clip is called too."""
        sample = self.clip.sample.model_copy(update={"clip": f"event-{number}"})
        return replace(self, number=number, clip=replace(self.clip, sample=sample))


def spot_faces(
    faces: Sequence[WatchedFace], recording: Recording, dataset: str, settings: SpottingSettings
) -> list[FaceEvent]:
    """The events of all faces, numbered from 1 in the order of their onsets. One segment at a time is in memory."""
    found = [
        event
        for face in faces
        for segment in face.segments
        for event in _spot_segment(face.id, segment, recording, dataset, settings)
    ]
    found.sort(key=lambda event: (event.spotted.onset, event.face, event.spotted.apex))
    return [event.number_clip(number) for number, event in enumerate(found, 1)]


def _spot_segment(
    face: int, segment: WatchedSegment, recording: Recording, dataset: str, settings: SpottingSettings
) -> Iterator[FaceEvent]:
    # Boxes are px of the recording. The frames that are read may be smaller.
    boxes = (segment.boxes + 0.5) / recording.shrink - 0.5
    width, height = (side // recording.shrink for side in recording.facts.size)
    path = FacePath(segment.frames, segment.times, boxes, (width, height))
    for event in spot_events(segment.motion, settings):
        first, apex, last = (find_nearest(segment.times, each) for each in (event.onset, event.apex, event.offset))
        frames = int(segment.frames[first]), int(segment.frames[apex]), int(segment.frames[last])
        confidence = float(np.mean(segment.scores[first : last + 1]))
        yield FaceEvent(face, event, plan_clip(event, dataset, face, path), frames, confidence)


def compose_video(recording: Recording) -> VideoFacts:
    """The facts of the recording as the document has them."""
    facts = recording.facts
    return VideoFacts(
        name=facts.name,
        sha256=recording.sha256,
        frames=facts.frames,
        fps=facts.fps,
        seconds=facts.seconds,
        width=facts.size[0],
        height=facts.size[1],
        variable_rate=facts.variable_rate,
    )


def compose_face(face: WatchedFace) -> PredictedFace:
    """The face as the document has it."""
    return PredictedFace.model_validate({name: getattr(face, name) for name in PredictedFace.model_fields})


def compose_event(event: PlacedEvent) -> PredictedEvent:
    """The event as the document has it, not recognised yet."""
    spotted = event.spotted
    return PredictedEvent(
        id=event.number,
        face=event.face,
        kind=spotted.kind,
        onset_seconds=spotted.onset,
        apex_seconds=spotted.apex,
        offset_seconds=spotted.offset,
        onset_frame=event.frames[0],
        apex_frame=event.frames[1],
        offset_frame=event.frames[2],
        size_eye_distances=spotted.size,
        strength=spotted.strength,
        regions=spotted.regions,
        side=spotted.side,
        confidence=event.confidence,
        flags=tuple(PredictedFlag(name=flag.name, reason=flag.reason) for flag in spotted.flags),
    )

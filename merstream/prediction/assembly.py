"""From what was watched, spotted and recognised to the parts of the document."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merstream.prediction.event_clips import PlannedClip, find_nearest, plan_clip
from merstream.prediction.model import PredictedEvent, PredictedFace, PredictedFlag, Recognition, VideoFacts
from services.spotter.recording import Recording
from services.spotter.watching import WatchedFace, WatchedSegment
from services.trainer.recogniser.recognition import RecognisedExpression
from shared.spotting.events import SpottedEvent
from shared.spotting.spotting import spot_events
from shared.spotting.spotting_settings import SpottingSettings


@dataclass(frozen=True)
class FaceEvent:
    """An event of a face, with its number in the document."""

    number: int
    face: int
    segment: WatchedSegment
    spotted: SpottedEvent

    @property
    def clip(self) -> str:
        """The name of its clip in the run folder."""
        return f"event-{self.number}"


def spot_faces(faces: Sequence[WatchedFace], settings: SpottingSettings) -> list[FaceEvent]:
    """The events of all faces, numbered from 1 in the order of their onsets."""
    found = [
        (face.id, segment, event)
        for face in faces
        for segment in face.segments
        for event in spot_events(segment.motion, settings)
    ]
    found.sort(key=lambda each: (each[2].onset, each[0], each[2].apex))
    return [FaceEvent(number, *each) for number, each in enumerate(found, 1)]


def plan_face_event(event: FaceEvent, recording: Recording) -> PlannedClip:
    """The clip of an event of a recording."""
    video = recording.facts
    first, seconds = list_segment_times(event.segment, recording)
    inside = (event.segment.times >= event.spotted.onset) & (event.segment.times <= event.spotted.offset)
    inside[find_nearest(event.segment.times, event.spotted.apex)] = True
    boxes, size = event.segment.boxes[inside], (video.width, video.height)
    return plan_clip(event.spotted, Path(video.name).stem, event.face, event.number, first, seconds, boxes, size)


def list_segment_times(segment: WatchedSegment, recording: Recording) -> tuple[int, NDArray[np.float64]]:
    """The number of a segment's first frame, and the times [N] of its frames, s."""
    times = recording.frame_seconds
    first, last = find_nearest(times, segment.motion.times[0]), find_nearest(times, segment.motion.times[-1])
    return first, times[first : last + 1]


def describe_event(
    event: FaceEvent, recording: Recording, found: RecognisedExpression | None, failure: str
) -> PredictedEvent:
    """The event as the document has it."""
    spotted, times = event.spotted, recording.frame_seconds
    return PredictedEvent(
        id=event.number,
        face=event.face,
        kind=spotted.kind,
        onset_seconds=spotted.onset,
        apex_seconds=spotted.apex,
        offset_seconds=spotted.offset,
        onset_frame=find_nearest(times, spotted.onset),
        apex_frame=find_nearest(times, spotted.apex),
        offset_frame=find_nearest(times, spotted.offset),
        size_eye_distances=spotted.size,
        strength=spotted.strength,
        regions=spotted.regions,
        side=spotted.side,
        flags=tuple(PredictedFlag(name=flag.name, reason=flag.reason) for flag in spotted.flags),
        recognition=Recognition.model_validate(asdict(found)) if found else None,
        failure=failure,
    )


def describe_face(face: WatchedFace) -> PredictedFace:
    """The face as the document has it."""
    return PredictedFace(id=face.id, first_seconds=0, last_seconds=0, seen_seconds=0, box=(0,0,0,0), eye_distance_px=0, sharpness=0, turn_degrees=0, light=0, remarks=face.remarks)

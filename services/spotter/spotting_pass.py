"""One pass over a recording: its faces, their motion and events, and a clip of each event."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from services.spotter.event_clips import read_clips
from services.spotter.face_events import FaceEvent, compose_event, compose_face, compose_video, spot_faces
from services.spotter.limits import describe_recording_limits, refuse_slow_recording
from services.spotter.motion_artifact import FaceArrays
from services.spotter.recorded_frames import Recording
from services.spotter.recording import open_recording
from services.spotter.watch_store import WatchPlace
from services.spotter.watched_faces import WatchedFace
from services.spotter.watching import watch_recording
from shared.packed_clips import PackedClip
from shared.prediction.model import Prediction
from shared.records import Pipeline, json_digest
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings
from shared.stage import Arrays
from shared.video_records import SPOTTER_STAGE, Video, VideoPlan

SPOTTER_VERSION = 2  # of the way from a recording to its events. What another version made is made again

PassProgress = Callable[[float], None]  # share of the recording that is watched. It may raise to end the pass


@dataclass(frozen=True)
class SpottedRecording:
    """draft: a prediction whose events are not recognised. motion: the artifact's arrays, any shape [...].

    clips: the event's id and its clip, one at a time. faults: sentences on events that became no clip, by id.
    """

    draft: Prediction
    motion: Arrays
    clips: Iterable[tuple[int, PackedClip]]
    faults: Mapping[int, str] = field(default_factory=dict)


class SpottingPass(Protocol):
    """What a `VideoHandler` calls for a file. `spot_recording` is the real one."""

    def __call__(
        self, file: Path, video: Video, place: WatchPlace, on_progress: PassProgress, /
    ) -> SpottedRecording: ...


def spotting_recipe(sha256: str, plan: VideoPlan) -> str:
    """Digest of everything that shapes what is spotted in the bytes with this digest."""
    plain = [SPOTTER_STAGE, SPOTTER_VERSION, asdict(DEFAULT_SPOTTING), sha256]
    return json_digest([*plain, plan.watching] if plan.watching else plain)[:32]


def spot_recording(file: Path, video: Video, place: WatchPlace, on_progress: PassProgress) -> SpottedRecording:
    """Watch the file of a video and spot its events, whose dataset has the video's name.

    `place` keeps what is finished: the same call goes on there. Raises BadData for a file that cannot be read and for
    a recording with too few frames per second, unless its plan forces it.
    """
    plan = video.plan
    recording = open_recording(file, plan.fps)
    refuse_slow_recording(compose_video(recording), plan.force)
    faces = watch_recording(
        recording, place=place, on_progress=lambda done, total: on_progress(min(done / max(total, 1e-9), 1.0))
    )
    events = spot_faces(faces, recording, video.name, DEFAULT_SPOTTING)
    settings = describe_settings(video.pipeline, DEFAULT_SPOTTING, plan.fps, plan.subject)
    draft = draft_prediction(recording, faces, events, settings)
    named = draft.video.model_copy(update={"name": video.name})
    return SpottedRecording(
        draft.model_copy(update={"video": named}), FaceArrays(faces), _number_clips(events, recording)
    )


def draft_prediction(
    recording: Recording, faces: Sequence[WatchedFace], events: Sequence[FaceEvent], settings: Mapping[str, Any]
) -> Prediction:
    """The prediction of a recording before its events are recognised."""
    video = compose_video(recording)
    return Prediction(
        video=video,
        settings=dict(settings),
        faces=tuple(map(compose_face, faces)),
        events=tuple(map(compose_event, events)),
        remarks=(*recording.remarks, *describe_recording_limits(video, len(faces))),
    )


def describe_settings(
    pipeline: Pipeline, spotting: SpottingSettings, fps: float | None = None, subject: str | None = None
) -> dict[str, Any]:
    """What shapes a prediction beside the recording and the model, as a reader of prediction.json finds it."""
    shaped = {
        "version": SPOTTER_VERSION,
        "fps": fps,
        "subject": subject,
        "pipeline": pipeline.model_dump(mode="json"),
        "spotting": asdict(spotting),
    }
    plain: dict[str, Any] = json.loads(json.dumps(shaped))
    return plain


def _number_clips(events: Sequence[FaceEvent], recording: Recording) -> Iterator[tuple[int, PackedClip]]:
    numbers = {event.clip.sample.identity: event.number for event in events}
    for clip in read_clips([event.clip for event in events], recording):
        yield numbers[clip.sample.identity], clip

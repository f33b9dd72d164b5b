"""From a recording to its prediction: watch the faces, spot events, send each through the stages, recognise it.

Everything that is computed lies in the folder of the prediction, so an interrupted call is continued by the next one,
and a finished one computes nothing anew.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merstream.embedded.pipeline import RunOutcome, TallyCallback, compute_features
from merstream.embedded.run_folder import Workspace
from merstream.prediction.assembly import (
    FaceEvent,
    compose_event,
    compose_face,
    compose_model,
    compose_video,
    spot_faces,
)
from merstream.prediction.event_clips import read_clips
from merstream.prediction.files import read_prediction, write_prediction
from merstream.prediction.limits import describe_limits, refuse_slow_recording
from merstream.prediction.model import Prediction, UsedModel, VideoFacts
from merstream.stages import build_pipeline
from services.spotter.recorded_frames import Recording
from services.spotter.recording import open_recording
from services.spotter.watched_faces import WatchedFace
from services.spotter.watching import watch_recording
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser
from shared.errors import BadData
from shared.records import Pipeline, Record
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings
from shared.storage_faults import require_writable_folder, stop_on_storage_fault
from shared.worker.stage_handler import read_artifact

SecondsCallback = Callable[[float, float], None]  # seconds watched so far, seconds in all
RecordingSource = Path | NDArray[np.uint8]
MOTION_FOLDER = "motion"
VERSION = 1  # of the way from a recording to its events. A prediction of another version is made again
EVENT_FACTORS = (2.0,)  # the model averages over factors, and each costs a second of flow per event
# px of motion between two frames, up to which they are blended: always. RIFE needs up to 3 s per event, and the map
# reads recorded frames alone. Of 22 events, probabilities moved by 0.002 in the median, 0.16 at most (a blink).
BLEND_BELOW = 1000.0


def build_event_pipeline() -> Pipeline:
    """The settings of the image stages for events: weights that anybody may use, and few factors."""
    changes: dict[str, dict[str, Any]] = {
        "ingest": {"detector": "mediapipe"},
        "interpolator": {"blend_below": BLEND_BELOW},
        "magnifier": {"factors": EVENT_FACTORS},
        "roi-au": {"landmarks": "mediapipe"},
    }
    return build_pipeline("corrected", changes)


@dataclass(frozen=True)
class PredictionOptions:
    """How to predict. `fps`: of a folder of images and of frames in memory, or instead of what a video states."""

    model: str | Path = "shipped"
    subject: str | None = None
    fps: float | None = None
    force: bool = False
    jobs: int = 1
    pipeline: Pipeline | None = None  # None: that of the model's run, or `build_event_pipeline`
    spotting: SpottingSettings = DEFAULT_SPOTTING


@dataclass(frozen=True)
class PredictedRecording:
    """A prediction, and what it was made of. `reused`: it was finished before."""

    prediction: Prediction
    recording: Recording
    source: Path | None  # None for frames in memory
    folder: Path
    reused: bool

    @cached_property
    def faces(self) -> Sequence[WatchedFace]:
        """The faces with their motion, as the folder has them."""
        return watch_recording(self.recording, folder=self.folder / MOTION_FOLDER)


@dataclass(frozen=True)
class _Predictor:
    """One recording, what it is predicted with, and where."""

    recording: Recording
    video: VideoFacts
    folder: Path
    options: PredictionOptions
    recogniser: Recogniser

    @property
    def name(self) -> str:
        """The name of the recording's events as a dataset of the folder."""
        return self.folder.resolve().name or "recording"

    @property
    def pipeline(self) -> Pipeline:
        """The settings of the image stages: a model of one's own reads what its run was trained on."""
        return self.options.pipeline or self.recogniser.pipeline or build_event_pipeline()

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that shapes the prediction beside the recording and the model."""
        options = self.options
        shaped = {
            "version": VERSION,
            "fps": options.fps,
            "subject": options.subject,
            "pipeline": self.pipeline.model_dump(mode="json"),
            "spotting": asdict(options.spotting),
        }
        plain: dict[str, Any] = json.loads(json.dumps(shaped))  # as a reader of prediction.json finds them
        return plain

    @property
    def model(self) -> UsedModel:
        return compose_model(self.recogniser)

    def find_finished(self) -> Prediction | None:
        """The prediction that the folder has of the same recording by the same means. Frames in memory have none."""
        try:
            found = read_prediction(self.folder)
        except BadData:
            return None
        same = found.video == self.video and found.settings == self.settings and found.model == self.model
        return found if same and self.video.sha256 else None

    def predict(self, on_seconds: SecondsCallback, on_tally: TallyCallback) -> Prediction:
        faces = watch_recording(self.recording, folder=self.folder / MOTION_FOLDER, on_progress=on_seconds)
        events = spot_faces(faces, self.recording, self.name, self.options.spotting)
        outcome = self._compute_features(events, on_tally) if events else RunOutcome([], [], [])
        numbers = {event.clip.sample.identity: event.number for event in events}
        records = {numbers[record.sample.identity]: record for record in outcome.features}
        failures = {numbers[identity]: sentence for identity, sentence in outcome.dead_letters.items()}
        described = tuple(
            compose_event(event, *self._recognise(records.get(event.number), failures.get(event.number, "")))
            for event in events
        )
        return Prediction(
            video=self.video,
            model=self.model,
            settings=self.settings,
            faces=tuple(map(compose_face, faces)),
            events=described,
            remarks=(*self.recording.remarks, *describe_limits(self.video, len(faces))),
        )

    def _compute_features(self, events: Sequence[FaceEvent], on_tally: TallyCallback) -> RunOutcome:
        clips = read_clips([event.clip for event in events], self.recording)
        jobs = min(self.options.jobs, len(events))
        return compute_features(clips, self.name, self.pipeline, Workspace(self.folder), jobs=jobs, on_tally=on_tally)

    def _recognise(self, record: Record | None, failure: str) -> tuple[RecognisedExpression | None, str]:
        if record is None:
            return None, failure or "The event did not come out of the image stages. Run the same command again."
        store = Workspace(self.folder).open_store()
        arrays = read_artifact(store, record.artifact, record.sample.clip)
        return self.recogniser.recognise_features(arrays, subject=self.options.subject), ""


def predict_recording(
    source: RecordingSource,
    folder: Path,
    options: PredictionOptions,
    on_seconds: SecondsCallback = lambda done, total: None,
    on_tally: TallyCallback = lambda tally: None,
) -> PredictedRecording:
    """Predict a video file, a folder of images, or frames uint8 [T,H,W,3] RGB. The folder gets prediction.json.

    on_seconds: called with the seconds watched so far and those in all. Raises BadData for a recording that cannot be
    read or has too few frames per second, MissingWeights without weights, StorageRefused if the folder refuses.
    """
    recording = open_recording(source, options.fps)
    video = compose_video(recording)
    refuse_slow_recording(video, options.force)
    require_writable_folder(folder)
    path = source if isinstance(source, Path) else None
    predictor = _Predictor(recording, video, folder, options, load_recogniser(options.model))
    with stop_on_storage_fault(folder):
        if finished := predictor.find_finished():
            return PredictedRecording(finished, recording, path, folder, reused=True)
        prediction = predictor.predict(on_seconds, on_tally)
        write_prediction(prediction, folder)
    return PredictedRecording(prediction, recording, path, folder, reused=False)

"""From a recording to its prediction: watch the faces, spot events, send each through the stages, recognise it.

Everything that is computed lies in the folder of the prediction, so an interrupted call is continued by the next one,
and a finished one computes nothing anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merstream.embedded.pipeline import RunOutcome, TallyCallback, compute_features
from merstream.embedded.run_folder import Workspace
from merstream.prediction.files import read_prediction, write_prediction
from services.spotter.event_clips import read_clips
from services.spotter.face_events import FaceEvent, compose_event, compose_video, spot_faces
from services.spotter.limits import refuse_slow_recording
from services.spotter.recorded_frames import Recording
from services.spotter.recording import open_recording
from services.spotter.spotting_pass import describe_settings, draft_prediction
from services.spotter.watch_store import WatchPlace
from services.spotter.watched_faces import WatchedFace
from services.spotter.watching import watch_recording
from services.trainer.recogniser.description import describe_model, describe_recognised_event
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.recognition import Recogniser
from shared.errors import BadData
from shared.prediction.model import PredictedEvent, Prediction, UsedModel, VideoFacts
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.records import Pipeline, Record
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings
from shared.storage_faults import require_writable_folder, stop_on_storage_fault

SecondsCallback = Callable[[float, float], None]  # seconds watched so far, seconds in all
RecordingSource = Path | NDArray[np.uint8]
MOTION_FOLDER = "motion"


@dataclass(frozen=True)
class PredictionOptions:
    """How to predict. `fps`: of a folder of images and of frames in memory, or instead of what a video states."""

    model: str | Path = "shipped"
    subject: str | None = None
    fps: float | None = None
    force: bool = False
    jobs: int = 1
    pipeline: Pipeline | None = None  # None: that of the model's run, or `PREDICTION_PIPELINE`
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
        return watch_recording(self.recording, place=WatchPlace(self.folder / MOTION_FOLDER))


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
        return self.options.pipeline or self.recogniser.pipeline or PREDICTION_PIPELINE

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that shapes the prediction beside the recording and the model."""
        options = self.options
        return describe_settings(self.pipeline, options.spotting, options.fps, options.subject)

    @property
    def model(self) -> UsedModel:
        return describe_model(self.recogniser)

    def find_finished(self) -> Prediction | None:
        """The prediction that the folder has of the same recording by the same means. Frames in memory have none."""
        try:
            found = read_prediction(self.folder)
        except BadData:
            return None
        same = found.video == self.video and found.settings == self.settings and found.model == self.model
        return found if same and self.video.sha256 else None

    def predict(self, on_seconds: SecondsCallback, on_tally: TallyCallback) -> Prediction:
        faces = watch_recording(self.recording, place=WatchPlace(self.folder / MOTION_FOLDER), on_progress=on_seconds)
        events = spot_faces(faces, self.recording, self.name, self.options.spotting)
        outcome = self._compute_features(events, on_tally) if events else RunOutcome([], [], [])
        numbers = {event.clip.sample.identity: event.number for event in events}
        records = {numbers[record.sample.identity]: record for record in outcome.features}
        failures = {numbers[identity]: sentence for identity, sentence in outcome.dead_letters.items()}
        recognised = tuple(
            self._recognise(compose_event(event), records.get(event.number), failures.get(event.number, ""))
            for event in events
        )
        draft = draft_prediction(self.recording, faces, events, self.settings)
        return draft.model_copy(update={"events": recognised, "model": self.model})

    def _compute_features(self, events: Sequence[FaceEvent], on_tally: TallyCallback) -> RunOutcome:
        clips = read_clips([event.clip for event in events], self.recording)
        jobs = min(self.options.jobs, len(events))
        return compute_features(clips, self.name, self.pipeline, Workspace(self.folder), jobs=jobs, on_tally=on_tally)

    def _recognise(self, event: PredictedEvent, record: Record | None, failure: str) -> PredictedEvent:
        if record is None:
            lost = "The event did not come out of the image stages. Run the same command again."
            return event.model_copy(update={"failure": failure or lost})
        store = Workspace(self.folder).open_store()
        return describe_recognised_event(event, record, store, self.recogniser, self.options.subject)


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

"""A live event through every stage and the model: what the process beside the watching one does."""

from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from merstream.live.event_recognition import LoadedModel, RecognisedClip
from merstream.live.face_ring import KeptClip
from merstream.stages import STAGES
from services.flow.stage import STAGE as FLOW
from services.interpolator.stage import STAGE as INTERPOLATOR
from services.interpolator.stage import load_configured_network
from services.spotter.event_clips import read_clips
from services.trainer.recogniser.description import describe_model
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser
from shared.errors import BadData, MerError
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.records import Pipeline
from shared.stage import Arrays
from shared.worker.stage_handler import pipeline_settings


def recognise_clip(clip: KeptClip, recogniser: Recogniser) -> RecognisedExpression:
    """What a clip shows, by every stage and the model. Raises BadData, as a stage does."""
    packed = next(read_clips([clip.plan], clip.frames))
    pipeline = choose_pipeline(recogniser)
    made: dict[str, Arrays] = {"source": packed.arrays}
    for stage in STAGES:
        made[stage.name] = stage.compute({each: made[each] for each in stage.reads}, pipeline_settings(stage, pipeline))
    return recogniser.recognise_features(made["roi-au"])


def answer_clip(number: int, clip: KeptClip, recogniser: Recogniser) -> RecognisedClip:
    """The same with its number; a fault of the clip becomes a sentence."""
    try:
        return RecognisedClip(number, recognise_clip(clip, recogniser))
    except BadData as fault:
        return RecognisedClip(number, None, str(fault))


def choose_pipeline(recogniser: Recogniser) -> Pipeline:
    """The settings of the image stages: a model of one's own reads what its run was trained on."""
    return recogniser.pipeline or PREDICTION_PIPELINE


class DirectRecogniser:
    """Recognises in this process, when it is asked for the answer."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.loaded = LoadedModel(describe_model(recogniser), choose_pipeline(recogniser))
        self._started: tuple[int, KeptClip] | None = None

    @property
    def is_idle(self) -> bool:
        return self._started is None

    def start_clip(self, number: int, clip: KeptClip) -> None:
        self._started = number, clip

    def take_answer(self, wait: float = 0.0) -> RecognisedClip | None:
        if self._started is None:
            return None
        (number, clip), self._started = self._started, None
        return answer_clip(number, clip, self.recogniser)


def run_recognition(pipe: Connection, model: str | Path) -> None:
    """Load the model and say so, or why not. Then answer clip after clip, until the other end of the pipe closes."""
    try:
        recogniser = load_recogniser(model)
        pipeline = choose_pipeline(recogniser)
        _warm_up(pipeline)
    except MerError as fault:
        pipe.send(fault)
        return
    pipe.send(LoadedModel(describe_model(recogniser), pipeline))
    while True:
        try:
            number, clip = pipe.recv()
        except EOFError:
            return
        pipe.send(answer_clip(number, clip, recogniser))


def _warm_up(pipeline: Pipeline) -> None:
    """Load the network of the interpolator and the compiled flow, so that the first event need not wait for them."""
    load_configured_network(pipeline_settings(INTERPOLATOR, pipeline))  # type: ignore[arg-type]
    noise = np.random.default_rng(0).integers(0, 255, (1, 2, 64, 64, 3)).astype(np.uint8)
    FLOW.compute({"magnifier": {"frames": noise, "factors": np.array([1.0])}}, pipeline_settings(FLOW, pipeline))  # type: ignore[arg-type]

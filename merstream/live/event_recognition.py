"""Recognition of live events by the stages of `mer predict`, in a process beside the one that watches."""

import multiprocessing
import os
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import numpy as np

from merstream.caller_script import hide_caller_script
from merstream.live.face_ring import KeptClip
from merstream.prediction.assembly import compose_model
from merstream.prediction.event_clips import read_clips
from merstream.prediction.model import UsedModel
from merstream.prediction.predictor import build_event_pipeline
from merstream.single_thread import single_thread_environment
from merstream.stages import STAGES
from services.flow.stage import STAGE as FLOW
from services.interpolator.stage import STAGE as INTERPOLATOR
from services.interpolator.stage import load_configured_network
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser
from shared.errors import BadData, MerError
from shared.interrupts import start_deaf_processes
from shared.records import Pipeline
from shared.stage import Arrays
from shared.worker.stage_handler import pipeline_settings

NICE = 5  # watching goes first: a frame that is not watched in time is lost
MOST_RESTARTS = 3  # of the process, after which nothing is recognised any more


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready, and the settings of the image stages that it needs."""

    model: UsedModel
    pipeline: Pipeline


@dataclass(frozen=True)
class RecognisedClip:
    """The answer for an event, by its number: what was recognised, or a sentence why nothing was."""

    number: int
    found: RecognisedExpression | None
    failure: str = ""


class ClipRecogniser(Protocol):
    """Recognises one clip at a time. `loaded`: None as long as there is no model yet."""

    @property
    def loaded(self) -> LoadedModel | None: ...

    @property
    def is_idle(self) -> bool: ...

    def start_clip(self, number: int, clip: KeptClip) -> None: ...

    def take_answer(self, wait: float = 0.0) -> RecognisedClip | None:
        """The answer for the clip that was started, if it is there within `wait` s."""


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
    return recogniser.pipeline or build_event_pipeline()


class DirectRecogniser:
    """Recognises in this process, when it is asked for the answer."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.loaded = LoadedModel(compose_model(recogniser), choose_pipeline(recogniser))
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


class RecognitionProcess:
    """Recognises in a process of its own, which is started again if it dies. Use it in a `with` block."""

    def __init__(self, model: str | Path) -> None:
        self.loaded: LoadedModel | None = None
        self._model = model
        self._deaths = 0
        self._ready = False
        self._number: int | None = None  # of the clip in its hands

    def __enter__(self) -> "RecognitionProcess":
        self._start_process()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    @property
    def is_idle(self) -> bool:
        return self._ready and self._number is None

    def start_clip(self, number: int, clip: KeptClip) -> None:
        self._number = number
        with suppress(OSError):  # it died: `take_answer` says so
            self._pipe.send((number, clip))

    def take_answer(self, wait: float = 0.0) -> RecognisedClip | None:
        """The answer, if it is there within `wait` s. Raises MerError if there is no model."""
        try:
            if not self._pipe.poll(wait):
                return None
            found = self._pipe.recv()
        except (EOFError, OSError):
            return self._replace_process()
        if isinstance(found, MerError):
            raise found
        if isinstance(found, LoadedModel):
            self.loaded, self._ready = found, True
            return None
        self._number = None
        assert isinstance(found, RecognisedClip)
        return found

    def _replace_process(self) -> RecognisedClip | None:
        """Start the process again, and answer for the clip that it worked on."""
        self._deaths += 1
        if self._deaths > MOST_RESTARTS:
            raise MerError("The process that recognises keeps dying. Check that there is enough memory.")
        number, self._number, self._ready = self._number, None, False
        self._pipe.close()
        self._process.join()
        self._start_process()
        if number is None:
            return None
        return RecognisedClip(number, None, "The process that recognises died over this event.")

    def _start_process(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run_recognition, args=(theirs, self._model), name="recognition", daemon=True
        )
        with single_thread_environment(), hide_caller_script(), start_deaf_processes():
            self._process.start()
        theirs.close()


def _run_recognition(pipe: Connection, model: str | Path) -> None:
    if hasattr(os, "nice"):
        os.nice(NICE)
    try:
        recogniser = load_recogniser(model)
        pipeline = choose_pipeline(recogniser)
        _warm_up(pipeline)
    except MerError as fault:
        pipe.send(fault)
        return
    pipe.send(LoadedModel(compose_model(recogniser), pipeline))
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

"""A prediction as a document: prediction.json, and what `merstream.predict` returns."""

from typing import Literal

from pydantic import Field

from shared.records import Envelope, FrozenModel
from shared.spotting.events import EventKind, EventSide, FlagName

PREDICTION_SCHEMA = "mer.prediction/1"


class VideoFacts(FrozenModel):
    """The recording as it was read. `sha256` is empty for frames from memory."""

    name: str
    sha256: str = ""
    frames: int
    fps: float = Field(description="frames per second; with a variable rate their mean")
    seconds: float
    width: int
    height: int
    variable_rate: bool = False


class PredictedFace(FrozenModel):
    """One person in the picture, followed over the recording."""

    id: int = Field(ge=1)
    first_seconds: float
    last_seconds: float
    seen_seconds: float = Field(description="time in which events could be spotted")
    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom, px; the median")
    eye_distance_px: float
    sharpness: float = Field(description="0 (blurred) to 1")
    turn_degrees: float = Field(description="median turn to the side, without its sign")
    light: float = Field(description="mean grey level of the face, 0 to 255")
    remarks: tuple[str, ...] = Field((), description="what limits the prediction: sentences")


class PredictedFlag(FrozenModel):
    """Why an event may not be an expression of its own."""

    name: FlagName
    reason: str


class Recognition(FrozenModel):
    """What a model says of one event. Probabilities are calibrated; those of a dictionary of emotions sum to 1.

    "none" stands for none of the model's classes.
    """

    emotion: str
    emotions: dict[str, float] = Field(description="negative, positive, surprise, none; or a model's own classes")
    fine_emotion: str | None = None
    fine_emotions: dict[str, float] = Field(default_factory=dict, description="five classes and none")
    action_units: dict[str, float] = Field(default_factory=dict, description="by number: '12'")
    warnings: tuple[str, ...] = ()


class PredictedEvent(FrozenModel):
    """One spotted event, with what was recognised in it."""

    id: int = Field(ge=1)
    face: int
    kind: EventKind
    onset_seconds: float
    apex_seconds: float
    offset_seconds: float
    onset_frame: int = Field(description="the nearest frame, counted from 0")
    apex_frame: int
    offset_frame: int
    size_eye_distances: float
    strength: float = Field(description="size in units of the threshold")
    regions: tuple[str, ...]
    side: EventSide = "both"
    confidence: float = Field(1.0, description="that the landmarks lie on a face: the mean over the event, 0 to 1")
    flags: tuple[PredictedFlag, ...] = ()
    recognition: Recognition | None = None
    failure: str = Field("", description="why the event was not recognised: a sentence")

    @property
    def seconds(self) -> float:
        return self.offset_seconds - self.onset_seconds


class UsedModel(FrozenModel):
    """The model that recognised: the shipped one or a run of one's own."""

    name: str
    digest: str
    trained_on: str = Field(description="a sentence")


class Prediction(Envelope):
    """A video's faces and events, sorted by onset. docs/reference/prediction-files.md lists the fields."""

    schema_name: Literal["mer.prediction/1"] = Field("mer.prediction/1", alias="schema")
    video: VideoFacts
    model: UsedModel | None = None
    settings: dict[str, object] = Field(default_factory=dict)
    faces: tuple[PredictedFace, ...] = ()
    events: tuple[PredictedEvent, ...] = ()
    remarks: tuple[str, ...] = Field((), description="what cannot be said of this recording, and why: sentences")

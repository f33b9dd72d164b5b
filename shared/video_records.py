"""Messages about videos of one's own: a video to watch, what was spotted in it, its recognition and its prediction."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.records import (
    Artifact,
    Envelope,
    FrozenModel,
    Pipeline,
    Record,
    clip_key,
    clip_version,
    digest_labels,
    json_digest,
    quote_segment,
    record_key,
)

SPOTTER_STAGE, RECOGNISER_NAME = "spotter", "recogniser"
SHIPPED_NAME = "shipped"
UNLABELLED = digest_labels(None, ())


class VideoPlan(FrozenModel):
    """How a video is predicted, as `merstream.json` beside it says. The options of `mer predict` have these names."""

    model: str = Field(SHIPPED_NAME, min_length=1, description="`shipped`, or the id of a run of this stack")
    subject: str | None = Field(None, min_length=1, description="who is seen, as the run names people")
    force: bool = Field(False, description="accept less than 20 frames per second")
    fps: float | None = Field(None, gt=0, le=1e5, description="frames per second, if those of the video are wrong")

    @property
    def watching(self) -> dict[str, Any]:
        """What shapes the pass over the video, as far as it differs from the defaults."""
        return self.model_dump(include={"force", "fps"}, exclude_defaults=True)

    @property
    def recognising(self) -> dict[str, Any]:
        """What shapes the recognition of its events, as far as it differs from the defaults."""
        return self.model_dump(include={"model", "subject"}, exclude_defaults=True)


class Video(Envelope):
    """A video in the bucket. `mark` is the store's etag: it changes when the content changes.

    `fault` says why it is refused as it lies there, "" if it is not.
    """

    schema_name: Literal["mer.video/1"] = Field("mer.video/1", alias="schema")
    name: str = Field(min_length=1, description="key in the bucket")
    mark: str
    size: int = Field(ge=0, description="bytes")
    pipeline: Pipeline = Pipeline()
    plan: VideoPlan = VideoPlan()
    fault: str = ""
    trace: str = Field(description="id of one upload, the same through all stages")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return record_key(quote_segment(self.name), self.pipeline)

    @property
    def upload_key(self) -> str:
        """Key of everything that belongs to these bytes and plan, so that what is late about others has another key."""
        plan = self.plan.model_dump(exclude_defaults=True)
        return f"{self.key}@{json_digest([self.mark, self.size, *([plan] if plan else [])])[:12]}"

    @property
    def refusal_key(self) -> str:
        """Store key of the sentence that says why the video has no prediction."""
        return f"predictions/{quote_segment(self.name)}/refused.json"

    def is_same_upload(self, other: "Video | None") -> bool:
        """Whether both name the same bytes, to be predicted in the same way."""
        return other is not None and self._identity == other._identity

    @property
    def _identity(self) -> tuple[object, ...]:
        return self.key, self.mark, self.size, self.plan, self.fault


class RefusedVideo(Envelope):
    """What is stored of a video without a prediction. It is deleted when the video has one."""

    schema_name: Literal["mer.refused-video/1"] = Field("mer.refused-video/1", alias="schema")
    video: Video
    reason: str


class SpottedVideo(Envelope):
    """What was spotted in a video. Stored beside the artifact it is the manifest.

    The artifact has the motion of the faces. `draft_key` names the prediction whose events are not recognised yet.
    """

    schema_name: Literal["mer.spotted/1"] = Field("mer.spotted/1", alias="schema")
    video: Video
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="digest of the video's bytes")
    artifact: Artifact
    recipe: str
    clips: dict[str, str] = Field(description="recipe of the source artifact, by the identity of the event's sample")
    events: dict[int, str] = Field(description="identity of the event's sample, by the event's id in the draft")
    faults: dict[int, str] = Field(
        default_factory=dict, description="why an event became no clip: a sentence, by the event's id"
    )
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return self.video.upload_key

    @property
    def clip_keys(self) -> dict[str, str]:
        """The message key of the records of each event, by the identity of its sample. Events have no labels."""
        pipeline = self.video.pipeline.digest
        return {
            identity: clip_key(identity, pipeline, clip_version(recipe, UNLABELLED))
            for identity, recipe in self.clips.items()
        }

    @property
    def draft_key(self) -> str:
        """Store key of the draft of the prediction."""
        return self.artifact.key.removesuffix(".npz") + ".draft.json"


class RecognitionRequest(Envelope):
    """A video whose events can be recognised, as a task. What they are is in the store under `contents_key`."""

    schema_name: Literal["mer.recognition/1"] = Field("mer.recognition/1", alias="schema")
    contents: str = Field(pattern="^[0-9a-f]{32}$", description="digest of the contents")
    model: str = Field(description="digest of the shipped model, or the id of the run that is to recognise")
    video: Video
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        """The digest of everything that shapes the prediction, for one upload: what came before may come again."""
        return json_digest([self.contents, self.model, self.video.trace])[:32]

    @property
    def contents_key(self) -> str:
        return f"recognitions/{self.contents}.json"


class RecognitionContents(Envelope):
    """The contents of a request: what was spotted, and features or a reason for each event, by the event's id."""

    schema_name: Literal["mer.recognition-contents/1"] = Field("mer.recognition-contents/1", alias="schema")
    spotted: SpottedVideo
    features: dict[int, Record] = Field(default_factory=dict)
    failures: dict[int, str] = Field(default_factory=dict, description="why an event has no features: a sentence")

    @property
    def digest(self) -> str:
        """Digest of what shapes the prediction: equal contents are one request."""
        shaped_by = {str(event): record.artifact.sha256 for event, record in self.features.items()}
        failures = {str(event): sentence for event, sentence in self.failures.items()}
        plan = self.spotted.video.plan.recognising
        shaped = [self.spotted.video.key, self.spotted.recipe, shaped_by, failures, *([plan] if plan else [])]
        return json_digest(shaped)[:32]


class PredictionResult(Envelope):
    """The prediction of a video. `files` are keys in the store by name; prediction.json is written last."""

    schema_name: Literal["mer.prediction-result/1"] = Field("mer.prediction-result/1", alias="schema")
    contents: str = Field(description="digest of the contents of the request")
    video: Video
    model: str = Field(description="digest of the model that recognised")
    faces: int
    events: int
    flagged: int = Field(description="events that may be something else")
    recognised: int = Field(description="events with an emotion")
    files: dict[str, str]
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return f"{self.video.upload_key}@{json_digest([self.contents, self.model])[:12]}"

"""Messages about videos of one's own: a video to watch, what was spotted in it, its recognition and its prediction."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from shared.records import (
    Artifact,
    Envelope,
    Pipeline,
    Record,
    clip_key,
    clip_version,
    digest_labels,
    json_digest,
    quote_segment,
    record_key,
)

SPOTTER_STAGE = "spotter"
UNLABELLED = digest_labels(None, ())


class Video(Envelope):
    """A video in the bucket. `mark` is the store's etag: it changes when the content changes."""

    schema_name: Literal["mer.video/1"] = Field("mer.video/1", alias="schema")
    name: str = Field(min_length=1, description="key in the bucket")
    mark: str
    size: int = Field(ge=0, description="bytes")
    pipeline: Pipeline = Pipeline()
    trace: str = Field(description="id of one upload, the same through all stages")
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return record_key(quote_segment(self.name), self.pipeline)

    @property
    def upload_key(self) -> str:
        """Key of everything that belongs to these bytes, so that what is late about others is under another key."""
        return f"{self.key}@{json_digest([self.mark, self.size])[:12]}"

    def is_same_upload(self, other: "Video | None") -> bool:
        """Whether both name the same bytes under the same pipeline."""
        return other is not None and (self.key, self.mark, self.size) == (other.key, other.mark, other.size)


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
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return self.video.upload_key

    @property
    def clip_keys(self) -> dict[str, str]:
        """The message key of the records of each event, by the identity of its sample. Events have no labels."""
        return {
            identity: clip_key(identity, self.video.pipeline, clip_version(recipe, UNLABELLED))
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
    model: str = Field(description="digest of the model that is to recognise")
    video: Video
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        """The digest of everything that shapes the prediction."""
        return json_digest([self.contents, self.model])[:32]

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
        return json_digest([self.spotted.video.key, self.spotted.recipe, shaped_by, failures])[:32]


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
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return f"{self.video.upload_key}@{json_digest([self.contents, self.model])[:12]}"

"""Every message between stages, declared once: a small record that names the keys of its arrays (claim check)."""

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.errors import BadData, first_problem

SOURCE_STAGE = "source"  # the stage of a clip's packed files, which discovery writes


class FrozenModel(BaseModel):
    """An immutable model. A field that is not declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ActionUnit(FrozenModel):
    """One facial action unit as coded (FACS): number, side if it is one-sided, intensity A..E if it is coded.

    Number 0 is FACS's code of a neutral face: the face was coded, and no unit is present.
    """

    number: int = Field(ge=0, le=99)
    side: Literal["left", "right"] | None = None
    intensity: str | None = Field(None, pattern="^[A-E]$")

    def __str__(self) -> str:
        return f"{ {'left': 'L', 'right': 'R', None: ''}[self.side] }{self.number}{self.intensity or ''}"


class Sample(FrozenModel):
    """One clip as annotated. Frame numbers are those of the dataset's files. `apex` is None if none is coded.

    `aus` is () if the clip was not coded for action units. A clip that was coded and shows none has AU 0 alone. So
    records from before AU 0 existed keep their meaning: they have () where a cell was blank.
    """

    dataset: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    clip: str = Field(min_length=1)
    emotion: str | None = None
    aus: tuple[ActionUnit, ...] = ()
    onset: int
    apex: int | None = None
    offset: int
    fps: float = Field(gt=0, allow_inf_nan=False, description="frames per second of the recording")

    @property
    def identity(self) -> str:
        """`dataset/subject/clip`, each part percent-encoded: in any store it is one segment of a path."""
        return "/".join(quote_segment(part) for part in (self.dataset, self.subject, self.clip))

    @property
    def label_digest(self) -> str:
        """Digest of what a learner is taught: emotion and action units."""
        return digest_labels(self.emotion, self.aus)


class Artifact(FrozenModel):
    """A file of named arrays in the store."""

    key: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="bytes")


class Pipeline(FrozenModel):
    """The science settings of every stage: the name of a profile, and overrides by stage and field."""

    profile: str = "corrected"
    overrides: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        return json_digest(self.model_dump(mode="json"))[:12]


class Envelope(FrozenModel):
    """A message on a topic. Its field `schema` names the model and its version."""

    def encode(self) -> bytes:
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The message as this model. Raises BadData that names the first wrong field."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            field, _, message = first_problem(error)
            raise BadData(
                f"Not a {cls.model_fields['schema_name'].default}: {field or 'the message'}: {message}; got "
                f"{_quote_excerpt(data)}. Publish the record again with a producer of this version."
            ) from None


class Provenance(FrozenModel):
    """How an artifact was made. Nothing depends on it: equal recipes may have been computed elsewhere."""

    seconds: float = Field(ge=0, description="of the computation, without reading and writing")
    code: str = Field(description="version of merstream")
    libraries: dict[str, str] = Field(description="versions of the libraries that the process had loaded")


class Record(Envelope):
    """The output of a stage. Stored beside its artifact, and with its `provenance`, it is the manifest."""

    schema_name: Literal["mer.record/1"] = Field("mer.record/1", alias="schema")
    sample: Sample
    stage: str
    artifact: Artifact
    inputs: dict[str, Artifact] = Field(default_factory=dict, description="artifacts of all earlier stages")
    recipe: str
    pipeline: Pipeline = Pipeline()
    trace: str = Field(description="id of one run or upload, the same through all stages")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    notes: tuple[str, ...] = Field(
        (),
        exclude_if=lambda notes: not notes,  # most clips have none: their bytes stay those of earlier versions
        description="how a deviating input was read or repaired, in all stages so far: sentences",
    )

    provenance: Provenance | None = Field(
        None,
        exclude_if=lambda provenance: provenance is None,  # messages have none: they stay small
        description="only in a manifest: how the artifact was made",
    )

    @property
    def key(self) -> str:
        """Message key. It names everything that is looked up by: sample, pipeline, source and labels.

        So a record of another source or of other labels, however late it is published, is under another key.
        """
        return clip_key(self.sample.identity, self.pipeline.digest, self.version)

    @property
    def version(self) -> str:
        """See `clip_version`."""
        return clip_version(self.source_recipe, self.sample.label_digest)

    @property
    def clip_name(self) -> str:
        """Sample and pipeline, for sentences."""
        return record_key(self.sample.identity, self.pipeline)

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """This record's artifact and those of all earlier stages, by stage."""
        return {**self.inputs, self.stage: self.artifact}

    @property
    def source_recipe(self) -> str:
        """Recipe of the source artifact that the record was computed from. Empty if the record names none."""
        source = self.artifacts.get(SOURCE_STAGE)
        return source.key.rpartition("/")[2].removesuffix(".npz") if source else ""

    def reissue(self, sample: Sample, pipeline: Pipeline, trace: str) -> "Record":
        """The record of the same artifact for a new annotation, pipeline and trace, created now."""
        changes = {"sample": sample, "pipeline": pipeline, "trace": trace, "created": datetime.now(UTC)}
        return self.model_copy(update=changes)


class Dataset(Envelope):
    """An uploaded dataset as it is now: its clips, and whether more clips are expected.

    It lies in the store, since it may be larger than a message. `shared.dataset_notices` announces it.
    """

    schema_name: Literal["mer.dataset/2"] = Field("mer.dataset/2", alias="schema")
    name: str
    pipeline: Pipeline = Pipeline()
    train: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="training options that differ from the defaults: model, seed, epochs, ...",
    )
    clips: dict[str, str] = Field(description="`clip_version` of the clip's records, by the sample's identity")
    faults: tuple[str, ...] = Field((), description="one sentence per clip that cannot be used as uploaded")
    complete: bool = Field(description="every clip is there, or nothing was uploaded for a while")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return record_key(quote_segment(self.name), self.pipeline)

    @property
    def clip_keys(self) -> dict[str, str]:
        """The message key of the records of each clip as it is now, by the sample's identity."""
        pipeline = self.pipeline.digest  # once: there may be 750,000 clips
        return {identity: clip_key(identity, pipeline, version) for identity, version in self.clips.items()}


class Run(Envelope):
    """A requested training run. Its `RunContents` are in the store under `contents_key`."""

    schema_name: Literal["mer.run/1"] = Field("mer.run/1", alias="schema")
    id: str = Field(pattern="^[0-9a-f]{32}$", description="digest of everything that shapes the report")
    dataset: str
    pipeline: str = Field(description="digest of the pipeline that made the features")
    model: str
    protocol: str = "loso"
    seed: int | None = None
    seeds: int = Field(1, ge=1, description="number of seeds, from `seed` upwards")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return self.id

    @property
    def contents_key(self) -> str:
        return run_contents_key(self.id)

    @property
    def cancellation_key(self) -> str:
        return run_cancellation_key(self.id)

    @property
    def report_prefix(self) -> str:
        """Prefix of the report's files. Without `report.json` there is no report."""
        return report_prefix(self.dataset, self.id)


class FoldRequest(Envelope):
    """One fold of a run as a task: train this learner with this seed on what is not held out. Its key spreads a run's
    folds over the workers; it says nothing."""

    schema_name: Literal["mer.fold/2"] = Field("mer.fold/2", alias="schema")
    run: Run
    learner: str
    seed: int
    held_out: str = Field(description="subject, dataset or name of a part, as the run's protocol divides the clips")


class FoldResult(Envelope):
    """The result of a fold. Its outcome and its weights are beside each other in the store."""

    schema_name: Literal["mer.fold-result/2"] = Field("mer.fold-result/2", alias="schema")
    run: str
    dataset: str
    pipeline: str
    learner: str
    seed: int
    held_out: str
    trained_on: int = Field(description="clips")
    tested_on: int = Field(description="clips")
    accuracy: float
    seconds: float | None = Field(None, description="None: the fold existed already")
    outcome: str = Field(description="key in the store")

    @property
    def key(self) -> str:
        return f"{self.run}/{self.learner}/{self.seed}/{quote_segment(self.held_out)}"


class Figures(FrozenModel):
    """Figures of the pooled predictions of all folds, means over seeds. `au_f1` is None if no action unit occurs.

    `au_f1_by_dataset` is the mean over held-out datasets, only where datasets are held out.
    """

    uf1: float
    uar: float
    accuracy: float
    au_f1: float | None = None
    au_f1_by_dataset: float | None = Field(None, exclude_if=lambda value: value is None)


class RunResult(Envelope):
    """The result of a run. `reason` says why it failed, or who cancelled it."""

    schema_name: Literal["mer.run-result/1"] = Field("mer.run-result/1", alias="schema")
    run: str
    dataset: str
    pipeline: str
    model: str
    protocol: str = "loso"
    seed: int | None = None
    seeds: int = 1
    status: Literal["done", "failed", "cancelled"]
    reason: str = ""
    figures: dict[str, Figures] = Field(default_factory=dict, description="by learner: the model and its baselines")
    files: dict[str, str] = Field(default_factory=dict, description="keys in the store by name: report.json, ...")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return self.run


def run_contents_key(run: str) -> str:
    """Store key of the contents of the run with this id."""
    return f"runs/{run}/run.json"


def run_cancellation_key(run: str) -> str:
    """Store key of an object that exists while the run with this id is cancelled, and after it was deleted.

    Workers leave its folds untrained, and it does not start by itself. The same request of a person removes the object.
    """
    return f"runs/{run}/cancelled"


def report_prefix(dataset: str, run: str) -> str:
    """Prefix of the files of a run's report in the store."""
    return f"reports/{quote_segment(dataset)}/{run}/"


def artifact_key(stage: str, sample: Sample, recipe: str) -> str:
    """Store key of a stage's artifact of a sample: `<stage>/<dataset>/<subject>/<clip>/<recipe>.npz`."""
    return f"{stage}/{sample.identity}/{recipe}.npz"


def source_key(identity: str, recipe: str) -> str:
    """Store key of the source artifact of the sample with this identity."""
    return f"{SOURCE_STAGE}/{identity}/{recipe}.npz"


def record_key(identity: str, pipeline: Pipeline) -> str:
    """Key of everything that belongs to one identity under one pipeline: of a dataset, a video, a sample."""
    return f"{identity}@{pipeline.digest}"


def digest_labels(emotion: str | None, aus: Iterable[ActionUnit]) -> str:
    return json_digest([emotion, sorted(map(str, aus))])[:12]


def clip_version(source_recipe: str, label_digest: str) -> str:
    """What a clip's features are made from, and what they are examples of."""
    return f"{source_recipe}.{label_digest}"


def clip_key(identity: str, pipeline: str, version: str) -> str:
    """Message key of the records of one version of a clip under the pipeline with this digest."""
    return f"{identity}@{pipeline}@{version}"


def result_type(key: str) -> "type[FoldResult | RunResult]":
    """The type of a record on `mer.results`, by its message key: that of a fold's result has slashes."""
    return FoldResult if "/" in key else RunResult


def content_key(artifact: str, sha256: str) -> str:
    """Store key of one content of an artifact: `<recipe>-<digest>.npz`."""
    return f"{artifact.removesuffix('.npz')}-{sha256[:12]}.npz"


def manifest_key(artifact: str) -> str:
    """Store key of the manifest of an artifact, given the artifact's key with or without the digest of its content."""
    return re.sub(r"(-[0-9a-f]{12})?\.npz$", "", artifact) + ".json"


def json_digest(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def quote_segment(part: str) -> str:
    """A name as one segment of a store key or message key."""
    # quote() leaves "." and ".." as they are, which leave the folder of a store.
    return quote(part, safe="") if part.strip(".") else part.replace(".", "%2E")


def _quote_excerpt(data: bytes) -> str:
    return repr(data[:60]) + ("..." if len(data) > 60 else "")

"""The clips of a dataset: where each one is, what was made of it, and from what."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from fastapi import HTTPException
from pydantic import Field

from shared.errors import BadData
from shared.pipeline_state import PipelineSnapshot
from shared.records import (
    SOURCE_STAGE,
    Artifact,
    Dataset,
    FrozenModel,
    Provenance,
    Record,
    Sample,
    clip_key,
    manifest_key,
    quote_segment,
)
from shared.stage_settings.registry import PROFILES_BY_STAGE
from shared.store import NotStored, Store
from shared.worker.stage_handler import change_profile


class ClipAnswer(FrozenModel):
    """A clip of a dataset. `sample` has its annotation, null for a clip without features."""

    identity: str = Field(description="dataset/person/clip, each percent-encoded.")
    url: str
    state: Literal["features", "left out", "in work"]
    reason: str = Field("", description="Why it was left out.")
    sample: Sample | None = None


class StageAnswer(FrozenModel):
    """What a stage made of a clip. `settings` are those of the clip's pipeline."""

    stage: str
    artifact: Artifact
    url: str = Field(description="Address of the artifact.")
    stored: bool = Field(description="Whether the artifact is still in the store.")
    recipe: str
    created: datetime | None
    provenance: Provenance | None = Field(None, description="How it was made. Null for older artifacts and sources.")
    settings: dict[str, Any]


class ClipDetail(ClipAnswer):
    """A clip with the artifacts of all its stages, in their order."""

    pipeline: str
    notes: tuple[str, ...] = ()
    stages: tuple[StageAnswer, ...] = ()


@dataclass(frozen=True)
class FoundClip:
    """A clip of a dataset under one pipeline, among its neighbours by name. `record` is None without features."""

    dataset: Dataset
    identity: str
    record: Record | None
    previous: str
    next: str
    number: int  # from 1

    def require_record(self) -> Record:
        """The record. Raises HTTPException 404 for a clip without features."""
        if self.record is None:
            raise HTTPException(404, f"{self.identity} has no features, so there is nothing to show yet.")
        return self.record


class ClipReader:
    """Reads clips from snapshots and the store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def find_dataset(self, snapshot: PipelineSnapshot, segment: str, pipeline: str | None) -> Dataset:
        """The dataset whose name is this segment of an address, the newest upload of it. Raises HTTPException 404."""
        named = [each for each in snapshot.datasets.values() if quote_segment(each.name) == segment]
        found = [each for each in named if pipeline in (None, "", each.pipeline.digest)]
        if not found:
            under = f" with pipeline {pipeline}" if pipeline else ""
            raise HTTPException(404, f"No dataset {segment!r} was uploaded{under}; /datasets lists all of them.")
        return max(found, key=lambda each: each.created)

    def find_clip(self, snapshot: PipelineSnapshot, dataset: Dataset, subject: str, clip: str) -> FoundClip:
        """A clip by the segments of its address. Raises HTTPException 404."""
        identity = f"{quote_segment(dataset.name)}/{subject}/{clip}"
        if identity not in dataset.clips:
            raise HTTPException(404, f"{dataset.name} has no clip {subject}/{clip}; its list has all of them.")
        names = sorted(dataset.clips)
        at = bisect_left(names, identity)
        return FoundClip(
            dataset=dataset,
            identity=identity,
            record=snapshot.features.get(_message_key(dataset, identity)),
            previous=names[at - 1] if at else "",
            next=names[at + 1] if at + 1 < len(names) else "",
            number=at + 1,
        )

    def describe_clips(
        self, snapshot: PipelineSnapshot, dataset: Dataset, identities: Sequence[str]
    ) -> list[ClipAnswer]:
        """The answers for some clips of a dataset. Decodes their records."""
        return [self._describe_clip(snapshot, dataset, identity) for identity in identities]

    def describe_clip(self, snapshot: PipelineSnapshot, found: FoundClip) -> ClipDetail:
        """Everything that is known of a clip."""
        answer = self._describe_clip(snapshot, found.dataset, found.identity)
        record = found.record
        artifacts = record.artifacts if record else {}
        made = [stage for stage in (SOURCE_STAGE, *PROFILES_BY_STAGE) if stage in artifacts]
        stages = tuple(self._describe_stage(found, stage, artifacts[stage]) for stage in made)
        return ClipDetail(
            **answer.model_dump(),
            pipeline=found.dataset.pipeline.digest,
            notes=record.notes if record else (),
            stages=stages,
        )

    def _describe_clip(self, snapshot: PipelineSnapshot, dataset: Dataset, identity: str) -> ClipAnswer:
        key = _message_key(dataset, identity)
        record, reason = snapshot.features.get(key), snapshot.failure_sentences.get(key, "")
        return ClipAnswer(
            identity=identity,
            url=clip_address(identity),
            state="features" if record else "left out" if reason else "in work",
            reason="" if record else reason,
            sample=record.sample if record else None,
        )

    def _describe_stage(self, found: FoundClip, stage: str, artifact: Artifact) -> StageAnswer:
        manifest = self._read_manifest(artifact)
        return StageAnswer(
            stage=stage,
            artifact=artifact,
            url=f"{clip_address(found.identity)}/artifacts/{stage}",
            stored=self.store.exists(artifact.key),
            recipe=manifest.recipe if manifest else "",
            created=manifest.created if manifest else None,
            provenance=manifest.provenance if manifest else None,
            settings=_stage_settings(stage, found.dataset),
        )

    def _read_manifest(self, artifact: Artifact) -> Record | None:
        try:
            return Record.decode(self.store.get(manifest_key(artifact.key)))
        except (NotStored, BadData):
            return None


def clip_address(identity: str) -> str:
    """The path of a clip's page: the segments of its identity stay encoded when the path is decoded."""
    dataset, subject, clip = (part.replace("%", "%25") for part in identity.split("/"))
    return f"/datasets/{dataset}/clips/{subject}/{clip}"


def _message_key(dataset: Dataset, identity: str) -> str:
    return clip_key(identity, dataset.pipeline.digest, dataset.clips[identity])


def _stage_settings(stage: str, dataset: Dataset) -> dict[str, Any]:
    try:
        return change_profile(stage, PROFILES_BY_STAGE[stage], dataset.pipeline).model_dump(mode="json")
    except (BadData, KeyError):  # the source has none, and those of another version may not fit
        return {}

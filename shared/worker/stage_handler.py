"""The work of a stage on one record: from an input record to an output record, independent of the bus."""

import hashlib
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.bus.topics import SOURCES, topic_by_short_name
from shared.errors import BadData
from shared.provenance import describe_computation
from shared.records import Artifact, Pipeline, Record, artifact_key, content_key, json_digest, manifest_key
from shared.settings import KeepPolicy
from shared.stage import Arrays, Stage, StageSettings, settings_for_profile
from shared.stage_arrays import check_arrays
from shared.store import NotStored, ObjectReader, Store, npz
from shared.store.retention import delete_intermediates, rewind_to_source
from shared.telemetry import Metrics
from shared.worker import OutgoingMessage


@dataclass(frozen=True)
class StageHandler:
    """A stage as a `shared.worker.MessageHandler`.

    With `keep` "features" the last stage deletes the arrays from which the features were computed, as soon as the
    features and their manifest are stored.
    """

    stage: Stage[Any]
    store: Store
    keep: KeepPolicy = "all"

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def version(self) -> int:
        return self.stage.version

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, list[OutgoingMessage]]:
        if not value:
            return "withdrawn", []
        incoming = Record.decode(value)
        try:
            record, outcome = process_record(self.stage, self.store, incoming, metrics)
        except NotStored:
            source = rewind_to_source(self.store, incoming)
            if source is None:
                raise
            return "rewound", [OutgoingMessage(SOURCES.name, source.key, source.encode())]
        if self.keep == "features" and self.stage.produces == "features":
            delete_intermediates(self.store, record)
        return outcome, [
            OutgoingMessage(
                topic_by_short_name(self.stage.produces).name, record.key, record.encode(), record.artifact.key
            )
        ]


def pipeline_settings(stage: Stage[Any], pipeline: Pipeline) -> StageSettings:
    """The settings that a record's pipeline gives a stage. Raises BadData for an unknown profile or field."""
    return change_profile(stage.name, stage.profiles, pipeline)


def change_profile(name: str, profiles: Mapping[str, StageSettings], pipeline: Pipeline) -> StageSettings:
    """The settings of a stage's profile with the changes of a pipeline. Raises BadData as `pipeline_settings`."""
    try:
        chosen: StageSettings = settings_for_profile(pipeline.profile, profiles)
        return type(chosen).model_validate({**chosen.model_dump(), **pipeline.overrides.get(name, {})})
    except ValueError as error:
        raise BadData(f"Pipeline settings do not fit stage {name!r}: {error}") from None


def recipe_digest(stage: Stage[Any], settings: StageSettings, inputs: dict[str, Artifact]) -> str:
    """Digest of everything that shapes the result: content of the inputs, settings, version of the stage."""
    shaped_by = {name: inputs[name].sha256 for name in stage.reads}
    return json_digest([stage.name, stage.version, settings.model_dump(mode="json"), shaped_by])[:32]


def process_record(stage: Stage[Any], store: Store, record: Record, metrics: Metrics) -> tuple[Record, str]:
    """The stage's output record for an input record, and whether it was `computed` or `reused`.

    Raises BadData if the record cannot be processed, NotStored if an input is gone.
    """
    inputs = record.artifacts
    if absent := [name for name in stage.reads if name not in inputs]:
        raise BadData(
            f"{record.clip_name}: stage {stage.name!r} needs the artifact of {', '.join(absent)}, "
            f"the record has those of {', '.join(inputs)}. Ingest the clip again."
        )
    settings = pipeline_settings(stage, record.pipeline)
    recipe = recipe_digest(stage, settings, inputs)
    key = artifact_key(stage.name, record.sample, recipe)
    # Labels may have changed since an artifact was made: the annotation is always that of the incoming record.
    fields = {"sample": record.sample, "inputs": inputs, "pipeline": record.pipeline, "trace": record.trace}
    if earlier := _read_manifest(store, key):
        fields["provenance"] = None
        return earlier.model_copy(update={**fields, "notes": _join_notes(record.notes, earlier.notes)}), "reused"
    result, seconds = _compute_result(stage, store, record.clip_name, inputs, settings, metrics)
    artifact = write_artifact(store, key, result)
    metrics.artifact.labels(stage.name).inc(artifact.size)
    notes = _join_notes(record.notes, (str(note) for note in result.get("notes", ())))
    made = {"stage": stage.name, "artifact": artifact, "recipe": recipe, "created": datetime.now(UTC), "notes": notes}
    output = record.model_copy(update={**fields, **made})
    manifest = output.model_copy(update={"provenance": describe_computation(seconds)})
    store.put(manifest_key(key), manifest.encode())
    return output, "computed"


def _join_notes(earlier: Iterable[str], later: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*earlier, *later]))


def _read_manifest(store: Store, key: str) -> Record | None:
    """The manifest, or None. A redelivered record costs the store this one request."""
    try:
        return Record.decode(store.get(manifest_key(key)))
    except NotStored:
        return None


def _compute_result(
    stage: Stage[Any], store: Store, label: str, inputs: dict[str, Artifact], settings: StageSettings, metrics: Metrics
) -> tuple[Arrays, float]:
    """The result, and the seconds of its computation."""
    opened = {name: read_artifact(store, inputs[name], f"{label}: {name}") for name in stage.reads}
    for name, expected in stage.arrays.items():
        check_arrays(opened[name], expected, f"{label}: {inputs[name].key}")
    started = time.monotonic()
    try:
        result = stage.compute(opened, settings)
    except BadData as error:
        raise BadData(f"{label}: {error}") from None
    seconds = time.monotonic() - started
    metrics.compute.labels(stage.name).observe(seconds)
    npz.require_finite(result, f"{label}: result of {stage.name}")
    return result, seconds


def read_artifact(store: ObjectReader, artifact: Artifact, label: str) -> Arrays:
    """The arrays of an artifact by name, any shape [...] and dtype, compared with the digest in the record.

    Raises BadData if the bytes were changed or an array is not finite, NotStored if the artifact is gone.
    """
    data = store.get(artifact.key)
    if (got := hashlib.sha256(data).hexdigest()) != artifact.sha256:
        raise BadData(
            f"{label}: {artifact.key} has sha256 {got[:12]}..., the record says {artifact.sha256[:12]}...: "
            "it was changed after it was written. Delete it and its .json, then ingest the clip again."
        )
    found = npz.unpack_arrays(data, f"{label}: {artifact.key}")
    npz.require_finite(found, f"{label}: {artifact.key}")
    return found


def write_artifact(store: Store, key: str, result: Arrays) -> Artifact:
    """Store arrays of any shape [...] under a key with a digest of their bytes added.

    Two kinds of device may compute other bytes by one recipe. So no worker overwrites the arrays that the manifest of
    another worker names.
    """
    data = npz.pack_arrays(result)
    sha256 = hashlib.sha256(data).hexdigest()
    key = content_key(key, sha256)
    store.put(key, data)
    return Artifact(key=key, sha256=sha256, size=len(data))


def write_large_artifact(store: Store, key: str, result: Arrays, folder: Path) -> Artifact:
    """The same through a temporary file in `folder`, so that one array [...] at a time is in memory. Equal bytes."""
    with tempfile.NamedTemporaryFile(dir=folder) as stream:
        npz.write_arrays(stream, result)
        size = stream.tell()
        stream.seek(0)
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        key = content_key(key, sha256)
        store.put_file(key, Path(stream.name))
    return Artifact(key=key, sha256=sha256, size=size)

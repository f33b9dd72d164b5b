"""From a found clip to its record on `mer.sources`: array -> manifest -> publish, as every stage does it."""

import hashlib
from datetime import UTC, datetime

from services.ingest.catalogue.entry import FoundClip
from services.ingest.source_packing import pack_source
from shared.bus import Bus
from shared.bus.topics import SOURCES
from shared.records import Artifact, Pipeline, Record, Sample, artifact_key, json_digest, manifest_key
from shared.store import Store, npz

SOURCE_STAGE = "source"
SOURCE_VERSION = 1


def emit_record(found: FoundClip, pipeline: Pipeline, trace: str, store: Store, bus: Bus) -> Record:
    """Store the clip's packed files, unless they are there already, and publish their record under `pipeline`.

    Raises BadData if a file can't be read.
    """
    record = store_record(found, pipeline, trace, store)
    publish_record(record, bus)
    return record


def store_record(found: FoundClip, pipeline: Pipeline, trace: str, store: Store) -> Record:
    """The first half: artifact and manifest."""
    data = npz.pack_arrays(pack_source(found))
    sha256 = hashlib.sha256(data).hexdigest()
    recipe = json_digest([SOURCE_STAGE, SOURCE_VERSION, sha256])[:32]
    artifact = Artifact(key=artifact_key(SOURCE_STAGE, found.sample, recipe), sha256=sha256, size=len(data))
    record = Record(
        sample=found.sample, stage=SOURCE_STAGE, artifact=artifact, recipe=recipe, pipeline=pipeline, trace=trace
    )
    if not store.exists(manifest_key(artifact.key)):
        store.put(artifact.key, data)
        store.put(manifest_key(artifact.key), record.encode())
    return record


def reuse_record(sample: Sample, recipe: str, pipeline: Pipeline, trace: str, store: Store) -> Record | None:
    """The record of what was stored before, with what is said of the clip now; None if it is stored no more."""
    manifest = manifest_key(artifact_key(SOURCE_STAGE, sample, recipe))
    if not store.exists(manifest):
        return None
    about = {"sample": sample, "pipeline": pipeline, "trace": trace, "created": datetime.now(UTC)}
    return Record.decode(store.get(manifest)).model_copy(update=about)


def publish_record(record: Record, bus: Bus) -> None:
    """The second half: the record on `mer.sources`."""
    bus.publish(SOURCES.name, record.key, record.encode())

"""From a clip to its record on `mer.sources`, in the order of every stage: array -> manifest -> publish."""

import hashlib
from dataclasses import dataclass, field

from services.ingest.catalogue.entry import FoundClip
from services.ingest.source_packing import pack_source
from shared.bus import Bus
from shared.bus.topics import SOURCES
from shared.errors import BadData
from shared.memory_faults import describe_memory_fault
from shared.records import SOURCE_STAGE, Artifact, Pipeline, Record, Sample, json_digest, manifest_key, source_key
from shared.stage import Arrays
from shared.store import Store, npz

SOURCE_VERSION = 1


@dataclass(frozen=True)
class PackedClip:
    """A clip that is packed already: arrays as `pack_source` gives them."""

    sample: Sample
    arrays: Arrays = field(repr=False)


def emit_record(clip: FoundClip | PackedClip, pipeline: Pipeline, trace: str, store: Store, bus: Bus) -> Record:
    """Store the clip's packed files, unless they are stored already, and publish their record under `pipeline`.

    Raises BadData if a file cannot be read.
    """
    record = store_record(clip, pipeline, trace, store)
    publish_record(record, bus)
    return record


def store_record(clip: FoundClip | PackedClip, pipeline: Pipeline, trace: str, store: Store) -> Record:
    """Store the clip's artifact and manifest, unless they are stored already. Raises BadData."""
    data = npz.pack_arrays(clip.arrays) if isinstance(clip, PackedClip) else _pack_in_memory(clip)
    sha256 = hashlib.sha256(data).hexdigest()
    recipe = json_digest([SOURCE_STAGE, SOURCE_VERSION, sha256])[:32]
    artifact = Artifact(key=source_key(clip.sample.identity, recipe), sha256=sha256, size=len(data))
    record = Record(
        sample=clip.sample, stage=SOURCE_STAGE, artifact=artifact, recipe=recipe, pipeline=pipeline, trace=trace
    )
    if not store.exists(manifest_key(artifact.key)):
        store.put(artifact.key, data)
        store.put(manifest_key(artifact.key), record.encode())
    return record


def _pack_in_memory(found: FoundClip) -> bytes:
    """The bytes of the artifact. Files that do not fit into memory are a fault of their clip alone."""
    try:
        return npz.pack_arrays(pack_source(found))
    except MemoryError as error:
        size = sum(file.stat().st_size for file in dict.fromkeys(found.files))
        needing = f"{found.sample.subject}/{found.sample.clip}: reading its {size} bytes of files"
        raise BadData(describe_memory_fault(error, needing)) from None


def reuse_record(sample: Sample, recipe: str, pipeline: Pipeline, trace: str, store: Store) -> Record | None:
    """The record of an artifact that was stored before, with the clip's present annotation. None if it is gone."""
    manifest = manifest_key(source_key(sample.identity, recipe))
    if not store.exists(manifest):
        return None
    return Record.decode(store.get(manifest)).reissue(sample, pipeline, trace)


def publish_record(record: Record, bus: Bus) -> None:
    """Publish the record on `mer.sources`."""
    bus.publish(SOURCES.name, record.key, record.encode())

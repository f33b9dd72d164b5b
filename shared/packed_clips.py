"""A packed clip and its record on `mer.sources`, in the order of every stage: array -> manifest -> publish."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared.records import SOURCE_STAGE, Artifact, Pipeline, Record, Sample, json_digest, manifest_key, source_key
from shared.scratch import require_free_bytes
from shared.stage import Arrays
from shared.store import Store, npz

SOURCE_VERSION = 1


@dataclass(frozen=True)
class PackedClip:
    """A clip that is packed already: arrays as ingest's `pack_source` gives them."""

    sample: Sample
    arrays: Arrays = field(repr=False)


@dataclass(frozen=True)
class PackedFile:
    """The bytes of a packed clip in a file."""

    file: Path
    sha256: str
    size: int


def store_packed_clip(clip: PackedClip, pipeline: Pipeline, trace: str, store: Store) -> Record:
    """Store the clip's artifact and manifest, unless they are stored already. Equal arrays are one artifact."""
    data = npz.pack_arrays(clip.arrays)
    record = _describe_source(clip.sample, hashlib.sha256(data).hexdigest(), len(data), pipeline, trace)
    return _store_source(record, store, lambda key: store.put(key, data))


def store_packed_file(packed: PackedFile, sample: Sample, pipeline: Pipeline, trace: str, store: Store) -> Record:
    """The same for a clip that was packed into a file."""
    record = _describe_source(sample, packed.sha256, packed.size, pipeline, trace)
    return _store_source(record, store, lambda key: store.put_file(key, packed.file))


def write_packed_clip(arrays: Arrays, target: Path, name: str) -> PackedFile:
    """Write the arrays of a clip, any shape [...], into a file as `store_packed_clip` stores them.

    Raises Unavailable with `name` as the clip's if the disk has no room for it.
    """
    data = npz.pack_arrays(arrays)
    require_free_bytes(target.parent, len(data), name)
    target.write_bytes(data)
    return PackedFile(target, hashlib.sha256(data).hexdigest(), len(data))


def _describe_source(sample: Sample, sha256: str, size: int, pipeline: Pipeline, trace: str) -> Record:
    recipe = json_digest([SOURCE_STAGE, SOURCE_VERSION, sha256])[:32]
    artifact = Artifact(key=source_key(sample.identity, recipe), sha256=sha256, size=size)
    return Record(sample=sample, stage=SOURCE_STAGE, artifact=artifact, recipe=recipe, pipeline=pipeline, trace=trace)


def _store_source(record: Record, store: Store, put_array: Callable[[str], None]) -> Record:
    key = record.artifact.key
    if not store.exists(manifest_key(key)):
        put_array(key)
        store.put(manifest_key(key), record.encode())
    return record

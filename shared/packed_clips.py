"""A packed clip and its record on `mer.sources`, in the order of every stage: array -> manifest -> publish."""

import hashlib
from dataclasses import dataclass, field

from shared.records import SOURCE_STAGE, Artifact, Pipeline, Record, Sample, json_digest, manifest_key, source_key
from shared.stage import Arrays
from shared.store import Store, npz

SOURCE_VERSION = 1


@dataclass(frozen=True)
class PackedClip:
    """A clip that is packed already: arrays as ingest's `pack_source` gives them."""

    sample: Sample
    arrays: Arrays = field(repr=False)


def store_packed_clip(clip: PackedClip, pipeline: Pipeline, trace: str, store: Store) -> Record:
    """Store the clip's artifact and manifest, unless they are stored already. Equal arrays are one artifact."""
    data = npz.pack_arrays(clip.arrays)
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

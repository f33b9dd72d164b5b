"""Which artifacts of a clip stay in the store, and how a deleted artifact is computed again.

The arrays between source and features are a thousand times larger than the features. All of them follow from the
source. `delete_intermediates` or a lifecycle rule of the bucket may delete them. Their manifests stay, and still carry
a record from stage to stage: labels may change and runs may be repeated. If a stage has to compute and an input is
gone, `rewind_to_source` sends the clip back to its source. Then only missing artifacts are computed again.
"""

from shared.records import SOURCE_STAGE, Record, manifest_key
from shared.store import Store


def delete_intermediates(store: Store, record: Record) -> None:
    """Delete the arrays from which a record's artifact was computed, except its source. Their manifests stay."""
    for stage, artifact in record.inputs.items():
        if stage != SOURCE_STAGE:
            store.delete(artifact.key)


def rewind_to_source(store: Store, record: Record) -> Record | None:
    """The record of the clip's source, ready to be published again under this record's pipeline.

    Deletes the manifest of every artifact that is gone. Returns None if the source is gone or was never kept.
    """
    source = record.artifacts.get(SOURCE_STAGE)
    if source is None or not store.exists(source.key):
        return None
    for artifact in record.artifacts.values():
        if not store.exists(artifact.key):
            store.delete(manifest_key(artifact.key))
    manifest = Record.decode(store.get(manifest_key(source.key)))
    return manifest.reissue(record.sample, record.pipeline, record.trace)

"""What is kept of a clip's way through the stages, and how what is not kept comes back.

The arrays between source and features are a thousand times the features; all of them follow from the source. Where they
were deleted (`drop`, or a bucket's lifecycle rule), their manifests still carry a record from stage to stage, so that
labels may change and runs be repeated without them. A stage that has to compute and finds an input gone sends the clip
back to its source (`rewind`): what is gone is computed again, what is there is reused.
"""

from datetime import UTC, datetime

from shared.records import Record, manifest_key
from shared.store import Store

SOURCE = "source"


def delete_intermediates(store: Store, record: Record) -> None:
    """Delete the arrays that a record's artifact was made from, but not its source. Their manifests stay."""
    for name, artifact in record.inputs.items():
        if name != SOURCE:
            store.delete(artifact.key)


def rewind_to_source(store: Store, record: Record) -> Record | None:
    """The record of the clip's source, to be published again under this record's pipeline, once the manifests of all
    that is gone are deleted; None where the source is gone too, or was never kept."""
    made_from = {**record.inputs, record.stage: record.artifact}
    source = made_from.get(SOURCE)
    if source is None or not store.exists(source.key):
        return None
    for artifact in made_from.values():
        if not store.exists(artifact.key):
            store.delete(manifest_key(artifact.key))
    about = {"sample": record.sample, "pipeline": record.pipeline, "trace": record.trace, "created": datetime.now(UTC)}
    return Record.decode(store.get(manifest_key(source.key))).model_copy(update=about)

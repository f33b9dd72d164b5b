"""From a clip to its record on `mer.sources`, in the order of every stage: array -> manifest -> publish."""

from services.ingest.catalogue.entry import FoundClip
from services.ingest.source_packing import pack_source
from shared.bus import Bus
from shared.bus.topics import SOURCES
from shared.errors import BadData
from shared.memory_faults import describe_memory_fault
from shared.packed_clips import PackedClip, store_packed_clip
from shared.records import Pipeline, Record, Sample, manifest_key, source_key
from shared.store import Store


def emit_record(clip: FoundClip | PackedClip, pipeline: Pipeline, trace: str, store: Store, bus: Bus) -> Record:
    """Store the clip's packed files, unless they are stored already, and publish their record under `pipeline`.

    Raises BadData if a file cannot be read.
    """
    record = store_record(clip, pipeline, trace, store)
    publish_record(record, bus)
    return record


def store_record(clip: FoundClip | PackedClip, pipeline: Pipeline, trace: str, store: Store) -> Record:
    """Store the clip's artifact and manifest, unless they are stored already. Raises BadData."""
    if isinstance(clip, PackedClip):
        return store_packed_clip(clip, pipeline, trace, store)
    try:
        return store_packed_clip(PackedClip(clip.sample, pack_source(clip)), pipeline, trace, store)
    except MemoryError as error:  # files that do not fit into memory are a fault of their clip alone
        size = sum(file.stat().st_size for file in dict.fromkeys(clip.files))
        needing = f"{clip.sample.subject}/{clip.sample.clip}: reading its {size} bytes of files"
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

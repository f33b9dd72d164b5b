"""From found clips to their records. Records that the ledger has are not published again."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from services.ingest import source_records
from services.ingest.catalogue.entry import FoundClip
from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.dropped_files import DatasetContents
from services.ingest.inbox.dry_discovery import DroppedClip, clip_fingerprint
from services.ingest.inbox.guarded_reading import GuardedReading
from services.ingest.inbox.ledger import EmittedClip, Ledger
from services.ingest.inbox.video_copy import VideoCopy
from shared.bus import Bus
from shared.errors import BadData
from shared.packed_clips import SOURCE_VERSION, store_packed_file
from shared.records import Dataset, Pipeline, Record, clip_version, json_digest
from shared.store import Store

SAVE_EVERY = 20  # records. After a kill at most this many are published again, or one in a hundred


@dataclass
class RecordPublisher:
    """Publishes the records of one dataset under `pipeline`. Order: artifact, manifest, publish, ledger."""

    dataset: str
    pipeline: Pipeline
    contents: DatasetContents
    inbox: Store
    store: Store
    bus: Bus
    scratch: Path
    trace: str
    ledger: Ledger
    beat: Callable[[], None]
    reading: GuardedReading
    note_progress: Callable[[], None]
    versions: dict[str, str] = field(default_factory=dict)  # of the clips' records, by the sample's identity
    faults: list[str] = field(default_factory=list)
    _unsaved: dict[str, EmittedClip] = field(default_factory=dict)
    _parts: int = 0  # of the ledger, written by this process
    _video: VideoCopy | None = None  # while clips are published

    def publish_clips(self, clips: list[DroppedClip], patience: float, quiet: bool) -> None:
        """Publish the records of all clips. A clip that may lack frames waits until `quiet`: uploads may continue.

        `patience` is the number of seconds without uploads after which a dataset is quiet.
        """
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            self._video = VideoCopy(Path(folder))
            try:
                for clip in clips:
                    self.beat()
                    self._try_clip(clip, patience, quiet)
            finally:
                if self._unsaved:
                    self._append_unsaved()

    def forget_missing_clips(self, dataset: Dataset) -> None:
        """Forget what was published of clips whose features are withdrawn now. If they come back, it is done again."""
        missing = set() if dataset.faults else self.ledger.clips.keys() - dataset.clips.keys()
        if missing:
            for identity in missing:
                del self.ledger.clips[identity]
            self._save_ledger()

    def finish_ledger(self, announced: str) -> None:
        """Store the whole ledger if it has changed. `announced` is the key of the dataset's record."""
        if self._parts or self.ledger.announced != announced:
            self.ledger = self.ledger.model_copy(update={"announced": announced})
            self._save_ledger()

    def _save_ledger(self) -> None:
        ledgers.save_ledger(self.store, self.dataset, self.ledger)
        self._parts = 0

    def _append_unsaved(self) -> None:
        ledgers.append_part(self.store, self.dataset, self._parts, self._unsaved)
        self._parts += 1
        self._unsaved = {}
        self.note_progress()

    def _try_clip(self, clip: DroppedClip, patience: float, quiet: bool) -> None:
        mark, sample = clip_fingerprint(clip, self.contents, SOURCE_VERSION), clip.found.sample
        known = self.ledger.clips.get(sample.identity)
        if clip.missing_part and not quiet and (known is None or known.fingerprint != mark):
            self.faults.append(
                f"{sample.subject}/{sample.clip}: {clip.missing_part}; after {patience:g} s without uploads the clip "
                "is used as it is."
            )
            return
        try:
            recipe = self._ensure_published(clip, mark, known)
            self.versions[sample.identity] = clip_version(recipe, sample.label_digest)
        except BadData as fault:
            self.faults.append(f"{sample.subject}/{sample.clip}: {fault}")

    def _ensure_published(self, clip: DroppedClip, mark: str, known: EmittedClip | None) -> str:
        """The clip's recipe. Publishes its record if it differs from the last one."""
        sample = clip.found.sample
        digests = {"sample": json_digest(sample.model_dump(mode="json")), "pipeline": self.pipeline.digest}
        if known and known == known.model_copy(update={"fingerprint": mark, **digests}):
            return known.recipe
        record = None
        if known and known.fingerprint == mark:
            record = source_records.reuse_record(sample, known.recipe, self.pipeline, self.trace, self.store)
        record = record or self._pack_clip(clip, mark)
        emitted = EmittedClip(fingerprint=mark, recipe=record.recipe, **digests)
        if known is None or known.model_copy(update={"fingerprint": mark}) != emitted:
            source_records.publish_record(record, self.bus)
        self._note_emitted(sample.identity, emitted)
        return record.recipe

    def _pack_clip(self, clip: DroppedClip, mark: str) -> Record:
        """Pack the clip's files and store them. A video's content is that of several clips."""
        if clip.found.kind == "video" and self._video:
            held = self.contents.files[clip.paths[0]]
            file = self._video.fetch_video(clip.paths[0], held, self.inbox)
            return self._store_packed(replace(clip.found, files=(file,)), held.mark)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            return self._store_packed(self._fetch_files(clip, Path(folder)), mark)

    def _store_packed(self, found: FoundClip, mark: str) -> Record:
        """The files are read in the process for strangers' files."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            packed = self.reading.pack_clip(found, Path(folder) / "packed", self.dataset, mark)
            return store_packed_file(packed, found.sample, self.pipeline, self.trace, self.store)

    def _fetch_files(self, clip: DroppedClip, folder: Path) -> FoundClip:
        """The clip with its files in `folder`, under their own names."""
        local_files = {path: folder / PurePosixPath(path).name for path in clip.paths}
        for path, file in local_files.items():
            self.beat()
            self.contents.files[path].fetch_to(self.inbox, file)
        return replace(clip.found, files=tuple(local_files[path] for path in clip.paths))

    def _note_emitted(self, identity: str, emitted: EmittedClip) -> None:
        self.ledger.clips[identity] = self._unsaved[identity] = emitted
        if len(self._unsaved) >= max(SAVE_EVERY, len(self.versions) // 100):
            self._append_unsaved()

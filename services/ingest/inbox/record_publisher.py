"""From the clips that discovery found to their records: what the ledger knows already is not done again."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from services.ingest import source_records
from services.ingest.catalogue.entry import Found
from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.dropped_files import Contents
from services.ingest.inbox.dry_discovery import Clip, fingerprint
from services.ingest.inbox.ledger import Emitted, Ledger
from shared.bus import Bus
from shared.errors import BadData
from shared.records import Pipeline, Record, digest
from shared.store import Store

SAVE_EVERY = 20  # records; killed in between, so many are published again


@dataclass
class Emission:
    """The records of one dataset under `pipeline`. Order: artifact, manifest, publish, ledger."""

    dataset: str
    pipeline: Pipeline
    contents: Contents
    inbox: Store
    store: Store
    bus: Bus
    scratch: Path
    trace: str
    ledger: Ledger
    beat: Callable[[], None]
    recipes: dict[str, str] = field(default_factory=dict)  # by the sample's identity
    faults: list[str] = field(default_factory=list)
    _unsaved: int = 0

    def emit(self, clips: list[Clip], patience: float, quiet: bool) -> None:
        """All of them. One that may lack frames waits until nothing has come for a while: they may be under way."""
        try:
            for clip in clips:
                self.beat()
                self._try(clip, patience, quiet)
        finally:
            if self._unsaved:
                self.save()

    def save(self) -> None:
        ledgers.save(self.store, self.dataset, self.ledger)
        self._unsaved = 0

    def _try(self, clip: Clip, patience: float, quiet: bool) -> None:
        mark, sample = fingerprint(clip, self.contents, source_records.VERSION), clip.found.sample
        known = self.ledger.clips.get(sample.identity)
        if clip.lacks and not quiet and (known is None or known.fingerprint != mark):
            self.faults.append(
                f"{sample.subject}/{sample.clip}: {clip.lacks}; the clip is taken as it lies when nothing has come for "
                f"{patience:g} s."
            )
            return
        try:
            self.recipes[sample.identity] = self._emitted(clip, mark, known)
        except BadData as fault:
            self.faults.append(f"{sample.subject}/{sample.clip}: {fault}")

    def _emitted(self, clip: Clip, mark: str, known: Emitted | None) -> str:
        """The clip's recipe; its record is published if it differs from the last one."""
        sample = clip.found.sample
        about = {"sample": digest(sample.model_dump(mode="json")), "pipeline": self.pipeline.digest}
        if known and known == known.model_copy(update={"fingerprint": mark, **about}):
            return known.recipe
        record = None
        if known and known.fingerprint == mark:
            record = source_records.again(sample, known.recipe, self.pipeline, self.trace, self.store)
        record = record or self._packed(clip)
        emitted = Emitted(fingerprint=mark, recipe=record.recipe, **about)
        if known is None or known.model_copy(update={"fingerprint": mark}) != emitted:
            source_records.publish(record, self.bus)
        self._note(sample.identity, emitted)
        return record.recipe

    def _packed(self, clip: Clip) -> Record:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            found = self._brought(clip, Path(folder))
            return source_records.stored(found, self.pipeline, self.trace, self.store)

    def _brought(self, clip: Clip, folder: Path) -> Found:
        """The clip with its files in `folder`, under their own names."""
        here = {path: folder / PurePosixPath(path).name for path in clip.paths}
        for path, file in here.items():
            self.beat()
            self.contents.files[path].bring(self.inbox, file)
        return replace(clip.found, files=tuple(here[path] for path in clip.paths))

    def _note(self, identity: str, emitted: Emitted) -> None:
        self.ledger.clips[identity] = emitted
        self._unsaved += 1
        if self._unsaved >= SAVE_EVERY:
            self.save()

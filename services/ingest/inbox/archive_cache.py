"""Dropped archives unpacked in the scratch folder, by their etag; what is lost there is unpacked again."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from services.ingest.inbox.archive import ArchiveUnpacker, Heartbeat, UnpackedMember, UnpackingBudget
from shared.errors import BadData
from shared.records import FrozenModel, json_digest
from shared.store import ObjectInfo, ObjectReader

LISTING_NAME = "listing.json"


class ArchiveListing(FrozenModel):
    """What an archive holds, or why it holds nothing."""

    members: tuple[UnpackedMember, ...] = ()
    faults: tuple[str, ...] = ()


class ArchiveCache:
    """Archives of `store`, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path, store: ObjectReader, files: int, size: int, beat: Heartbeat) -> None:
        self.folder, self.store, self.files, self.size, self.beat = folder, store, files, size, beat
        folder.mkdir(parents=True, exist_ok=True)

    def unpacked_contents(self, entry: ObjectInfo) -> tuple[Path, ArchiveListing]:
        """Where the archive's contents lie, and which."""
        place = self._archive_folder(entry)
        try:
            return place, ArchiveListing.model_validate_json((place / LISTING_NAME).read_bytes())
        except (FileNotFoundError, ValidationError):
            self._unpack_archive(entry, place)
        return place, ArchiveListing.model_validate_json((place / LISTING_NAME).read_bytes())

    def keep_only(self, entries: list[ObjectInfo]) -> None:
        """Drop what belongs to none of these."""
        kept = {self._archive_folder(entry) for entry in entries}
        for place in self.folder.iterdir():
            if place not in kept:
                shutil.rmtree(place, ignore_errors=True)

    def _archive_folder(self, entry: ObjectInfo) -> Path:
        return self.folder / json_digest([entry.key, entry.etag, entry.size, self.files, self.size])[:32]

    def _unpack_archive(self, entry: ObjectInfo, place: Path) -> None:
        """Under another name until it is whole."""
        part = place.with_suffix(".part")
        for leftover in (part, place):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
        try:
            self.store.fetch_file(entry.key, part / "archive")
            listing = self._list_archive(part, entry.key)
            (part / "archive").unlink()
            (part / LISTING_NAME).write_text(listing.model_dump_json())
            part.rename(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _list_archive(self, part: Path, name: str) -> ArchiveListing:
        unpacking = ArchiveUnpacker(part / "data", UnpackingBudget(self.files, self.size), self.beat)
        try:
            members = unpacking.unpack_archive(part / "archive", name)
        except BadData as fault:
            shutil.rmtree(part / "data", ignore_errors=True)
            return ArchiveListing(faults=(*unpacking.faults, str(fault)))
        return ArchiveListing(members=tuple(members), faults=tuple(unpacking.faults))

"""Uploaded archives, unpacked in the scratch folder by their etag. A lost folder is unpacked again."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from services.ingest.inbox.archive import ArchiveUnpacker, Heartbeat, UnpackedMember, UnpackingBudget
from shared.errors import BadData
from shared.records import FrozenModel, json_digest
from shared.store import ObjectInfo, ObjectReader

LISTING_NAME = "listing.json"
MOST_RATIO = 100  # of an archive's unpacked size to its own. Dark frames without compression reach 20
FREE_BYTES = 1 << 30  # unpacked size that any archive may have


class ArchiveListing(FrozenModel):
    """The members of an archive, the faults that prevented others, and notes on how names were understood."""

    members: tuple[UnpackedMember, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ArchiveCache:
    """Archives of `store`, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path, store: ObjectReader, files: int, size: int, beat: Heartbeat) -> None:
        self.folder, self.store, self.files, self.size, self.beat = folder, store, files, size, beat
        folder.mkdir(parents=True, exist_ok=True)

    def unpacked_contents(self, entry: ObjectInfo) -> tuple[Path, ArchiveListing]:
        """The folder of the archive's contents, and their list. Unpacks the archive if needed."""
        folder = self._archive_folder(entry)
        try:
            return folder, ArchiveListing.model_validate_json((folder / LISTING_NAME).read_bytes())
        except (FileNotFoundError, ValidationError):
            self._unpack_archive(entry, folder)
        return folder, ArchiveListing.model_validate_json((folder / LISTING_NAME).read_bytes())

    def keep_only(self, entries: list[ObjectInfo]) -> None:
        """Delete the folders of all other archives."""
        kept = {self._archive_folder(entry) for entry in entries}
        for folder in self.folder.iterdir():
            if folder not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _archive_folder(self, entry: ObjectInfo) -> Path:
        return self.folder / json_digest([entry.key, entry.etag, entry.size, self.files, self.size])[:32]

    def _unpack_archive(self, entry: ObjectInfo, folder: Path) -> None:
        """Unpack into a folder of another name, and rename it when it is complete."""
        part = folder.with_suffix(".part")
        for leftover in (part, folder):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
        try:
            self.store.fetch_file(entry.key, part / "archive")
            listing = self._list_archive(part, entry.key)
            (part / "archive").unlink()
            (part / LISTING_NAME).write_text(listing.model_dump_json())
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _list_archive(self, part: Path, name: str) -> ArchiveListing:
        packed = (part / "archive").stat().st_size
        size = min(self.size, FREE_BYTES + MOST_RATIO * packed)
        unpacking = ArchiveUnpacker(part / "data", UnpackingBudget(self.files, size), self.beat)
        try:
            members = unpacking.unpack_archive(part / "archive", name)
        except BadData as fault:
            shutil.rmtree(part / "data", ignore_errors=True)
            return ArchiveListing(faults=(*unpacking.faults, str(fault)))
        return ArchiveListing(members=tuple(members), faults=tuple(unpacking.faults), notes=tuple(unpacking.notes))

"""Uploaded archives, unpacked in the scratch folder by their etag. A lost folder is unpacked again."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from services.ingest.inbox.archive import ArchiveUnpacker, Heartbeat, UnpackedMember, UnpackingBudget
from shared.errors import BadData, Unavailable
from shared.records import FrozenModel, json_digest
from shared.scratch import require_free_bytes
from shared.store import ObjectInfo, ObjectReader

LISTING_NAME = "listing.json"
MOST_RATIO = 100  # of an archive's unpacked size to its own. Dark frames without compression reach 20
FREE_BYTES = 1 << 30  # unpacked size that any archive may have


class ArchiveListing(FrozenModel):
    """The members of an archive, the faults that prevented others, and notes on how names were understood."""

    members: tuple[UnpackedMember, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnpackedArchive:
    """What became of an archive: its listing, or why the disk has no room for it and how many bytes it `required`."""

    listing: ArchiveListing
    no_room: str = ""
    required: int = 0


Unpack = Callable[[Path, ObjectInfo, int, int], UnpackedArchive]  # folder of `archive`, object, limits: files, bytes


def unpack_archive(folder: Path, name: str, files: int, size: int, beat: Heartbeat) -> UnpackedArchive:
    """Unpack the file `archive` in `folder` into `data` beside it: at most `files` files and `size` bytes."""
    unpacking = ArchiveUnpacker(folder / "data", UnpackingBudget(files, size), beat)
    try:
        members = unpacking.unpack_archive(folder / "archive", name)
    except BadData as fault:
        shutil.rmtree(folder / "data", ignore_errors=True)
        return UnpackedArchive(ArchiveListing(faults=(*unpacking.faults, str(fault))))
    except Unavailable as reason:
        return UnpackedArchive(ArchiveListing(), str(reason), unpacking.required)
    return UnpackedArchive(
        ArchiveListing(members=tuple(members), faults=tuple(unpacking.faults), notes=tuple(unpacking.notes))
    )


def unpack_here(folder: Path, entry: ObjectInfo, files: int, size: int) -> UnpackedArchive:
    """Unpack in this process."""
    return unpack_archive(folder, entry.key, files, size, lambda: None)


class ArchiveCache:
    """Archives of `store`, each in a folder of its own below `folder`. `unpack` is called to fill one."""

    def __init__(self, folder: Path, store: ObjectReader, files: int, size: int, unpack: Unpack = unpack_here) -> None:
        self.folder, self.store, self.files, self.size, self.unpack = folder, store, files, size, unpack
        self._required: dict[tuple[str, str], int] = {}  # bytes, by key and etag of archives that had no room
        folder.mkdir(parents=True, exist_ok=True)

    def unpacked_contents(self, entry: ObjectInfo) -> tuple[Path, ArchiveListing]:
        """The folder of the archive's contents, and their list. Unpacks the archive if needed.

        Raises Unavailable if the disk has no room for it.
        """
        folder = self._archive_folder(entry)
        try:
            return folder, ArchiveListing.model_validate_json((folder / LISTING_NAME).read_bytes())
        except (FileNotFoundError, ValidationError):
            self._unpack_archive(entry, folder)
        return folder, ArchiveListing.model_validate_json((folder / LISTING_NAME).read_bytes())

    def keep_only(self, entries: list[ObjectInfo]) -> None:
        """Delete the folders of all other archives."""
        kept = {self._archive_folder(entry) for entry in entries}
        present = {(entry.key, entry.etag) for entry in entries}
        self._required = {archive: size for archive, size in self._required.items() if archive in present}
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
            require_free_bytes(part, self._required.get((entry.key, entry.etag), entry.size), entry.key)
            self.store.fetch_file(entry.key, part / "archive")
            listing = self._list_archive(part, entry)
            (part / "archive").unlink()
            (part / LISTING_NAME).write_text(listing.model_dump_json())
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _list_archive(self, part: Path, entry: ObjectInfo) -> ArchiveListing:
        outcome = self.unpack(part, entry, self.files, min(self.size, FREE_BYTES + MOST_RATIO * entry.size))
        if outcome.no_room:
            self._required[entry.key, entry.etag] = entry.size + outcome.required
            raise Unavailable(outcome.no_room)
        return outcome.listing

"""The files of an uploaded dataset: the objects below its name, and the contents of archives among them."""

import shutil
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from services.ingest.inbox.archive import relocate_members
from services.ingest.inbox.archive_cache import ArchiveCache
from shared.errors import Unavailable
from shared.inbox import names
from shared.scratch import require_free_bytes
from shared.store import ObjectInfo, ObjectReader


@dataclass(frozen=True)
class DroppedFile:
    """A file of the dataset: an object, or a file of an archive. `mark` changes when its content changes."""

    size: int
    mark: str
    key: str
    file: Path | None = None

    def fetch_to(self, store: ObjectReader, target: Path) -> None:
        """Put the file's bytes at `target`. Raises NotStored if the object is gone, Unavailable if the disk is full."""
        if self.file is None:
            require_free_bytes(target.parent, self.size, self.key)
            store.fetch_file(self.key, target)
            return
        if not self.file.is_file():
            shutil.rmtree(self.file.parents[2], ignore_errors=True)  # the archive's folder: unpack it again
            raise Unavailable(f"{self.key}: unpacked files are missing from the scratch folder.")
        target.symlink_to(self.file)


@dataclass
class DatasetContents:
    """Files by path inside the dataset, and a sentence for each file or archive that is left out.

    `notes` are sentences on what was understood although it deviates.
    """

    files: dict[str, DroppedFile]
    faults: list[str]
    notes: list[str] = field(default_factory=list)


def collect_contents(dropped: Iterable[tuple[str, ObjectInfo]], unpacked: ArchiveCache) -> DatasetContents:
    """The contents of a dataset, from (path inside it, object). A plain file replaces one in an archive."""
    found = DatasetContents({}, [])
    archives = []
    for path, entry in dropped:
        if names.is_unreadable(path):
            found.faults.append(f"{entry.key}: expected a .zip or .tar archive; unpack it and upload its contents.")
        elif fault := names.path_fault(path):
            found.faults.append(f"{entry.key!r}: expected a name that a file can have, got {fault}; rename it.")
        elif names.is_archive(path):
            archives.append((path, entry))
        else:
            composed = unicodedata.normalize("NFC", path)  # a Mac writes accents as letters of their own
            if composed in found.files:
                found.faults.append(f"{entry.key}: expected {composed} once, got it in two spellings; rename one.")
            found.files[composed] = DroppedFile(entry.size, entry.etag, entry.key)
    for path, entry in sorted(archives, key=lambda archive: archive[1].key):
        _add_archive(found, path, entry, unpacked)
    _leave_out_files_that_are_folders(found)
    found.faults += [
        f"{path}: expected settings in {names.PLAN}, got this name; rename it."
        for path in found.files
        if names.is_misnamed_plan(PurePosixPath(path).name)
    ]
    return found


def _add_archive(found: DatasetContents, path: str, entry: ObjectInfo, unpacked: ArchiveCache) -> None:
    folder, listing = unpacked.unpacked_contents(entry)
    found.faults += listing.faults
    found.notes += listing.notes
    for member in relocate_members(path, list(listing.members), root=path == entry.key):
        file = DroppedFile(member.size, member.sha256, entry.key, folder / "data" / member.file)
        first = found.files.setdefault(member.path, file)
        if first.file is not None and first.mark != file.mark:
            found.faults.append(
                f"{entry.key}: expected {member.path} once, got another in {first.key}; keep one of them."
            )


def _leave_out_files_that_are_folders(found: DatasetContents) -> None:
    """Leave out `a` if there is `a/b`. A bucket can hold both, a folder cannot."""
    folders = {str(folder) for path in found.files for folder in PurePosixPath(path).parents}
    for path in sorted(folders & found.files.keys()):
        key = found.files.pop(path).key
        found.faults.append(f"{key}: expected a file or a folder of the name {path}, got both; rename one.")

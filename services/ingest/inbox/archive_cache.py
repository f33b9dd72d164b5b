"""Dropped archives unpacked in the scratch folder, by their etag; what is lost there is unpacked again."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from services.ingest.inbox.archive import Beat, Budget, Member, Unpacking
from shared.errors import BadData
from shared.records import Model, digest
from shared.store import Entry, Store

LISTING = "listing.json"


class Listing(Model):
    """What an archive holds, or why it holds nothing."""

    members: tuple[Member, ...] = ()
    faults: tuple[str, ...] = ()


class Unpacked:
    """Archives of `store`, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path, store: Store, files: int, size: int, beat: Beat) -> None:
        self.folder, self.store, self.files, self.size, self.beat = folder, store, files, size, beat
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, entry: Entry) -> tuple[Path, Listing]:
        """Where the archive's contents lie, and which."""
        place = self._place(entry)
        try:
            return place, Listing.model_validate_json((place / LISTING).read_bytes())
        except (FileNotFoundError, ValidationError):
            self._unpack(entry, place)
        return place, Listing.model_validate_json((place / LISTING).read_bytes())

    def keep(self, entries: list[Entry]) -> None:
        """Drop what belongs to none of these."""
        kept = {self._place(entry) for entry in entries}
        for place in self.folder.iterdir():
            if place not in kept:
                shutil.rmtree(place, ignore_errors=True)

    def _place(self, entry: Entry) -> Path:
        return self.folder / digest([entry.key, entry.etag, entry.size, self.files, self.size])[:32]

    def _unpack(self, entry: Entry, place: Path) -> None:
        """Under another name until it is whole."""
        part = place.with_suffix(".part")
        for leftover in (part, place):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
        try:
            self.store.fetch(entry.key, part / "archive")
            listing = self._listing(part, entry.key)
            (part / "archive").unlink()
            (part / LISTING).write_text(listing.model_dump_json())
            part.rename(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _listing(self, part: Path, name: str) -> Listing:
        unpacking = Unpacking(part / "data", Budget(self.files, self.size), self.beat)
        try:
            members = unpacking.unpack(part / "archive", name)
        except BadData as fault:
            shutil.rmtree(part / "data", ignore_errors=True)
            return Listing(faults=(*unpacking.faults, str(fault)))
        return Listing(members=tuple(members), faults=tuple(unpacking.faults))

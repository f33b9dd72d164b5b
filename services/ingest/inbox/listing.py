"""What lies in the inbox, dataset by dataset, without its names: a bucket may hold ten million objects.

A scan asks the store for the names of the datasets. It lists the objects of a dataset only if a notification named it,
or after a pause. The pause grows with the dataset, so that listing costs a small share of the time at any size.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.inbox import names
from shared.store import ObjectInfo, Store

OBJECTS_PER_SECOND = 1000  # a dataset of so many objects is listed again after a second at the earliest
MOST_AHEAD = timedelta(hours=1)  # an object with a later date than that has a wrong one: from a camera, by `cp -a`
BEAT_EVERY = 1000  # objects

DroppedObject = tuple[str, ObjectInfo]  # path inside the dataset, object

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatasetListing:
    """A dataset's objects at one moment. `digest` changes when one of them changes. `newest` ignores wrong dates."""

    digest: str
    count: int
    newest: datetime
    ahead: int  # objects with a wrong date, in the future
    archives: tuple[ObjectInfo, ...]


def is_future(entry: ObjectInfo, now: datetime) -> bool:
    """Whether an object's date lies in the future. A folder keeps the date that a camera or a copy gave a file."""
    return entry.modified > now + MOST_AHEAD


def describe_objects(dropped: Iterable[DroppedObject], now: datetime) -> DatasetListing:
    """The listing of a dataset's objects, in any order. `now` is the time of the clock that dates them."""
    total, count, newest, ahead, archives = 0, 0, datetime.min.replace(tzinfo=UTC), 0, []
    for _, entry in dropped:
        mark = f"{entry.key}\0{entry.etag}\0{entry.size}".encode(errors="surrogatepass")
        total += int.from_bytes(hashlib.sha256(mark).digest())  # a sum: the order of a listing means nothing
        count += 1
        if is_future(entry, now):
            ahead += 1
        elif entry.modified > newest:
            newest = entry.modified
        if names.is_archive(entry.key):
            archives.append(entry)
    digest = f"{total % (1 << 256):064x}"
    return DatasetListing(digest, count, newest, ahead, tuple(sorted(archives, key=lambda entry: entry.key)))


@dataclass(frozen=True)
class _Visit:
    listing: DatasetListing
    top: tuple[ObjectInfo, ...]
    listed: datetime

    def is_fresh(self, top: tuple[ObjectInfo, ...], now: datetime) -> bool:
        pause = timedelta(seconds=self.listing.count // OBJECTS_PER_SECOND)
        return self.top == top and timedelta(0) <= now - self.listed < pause


class InboxListings:
    """The listing of every dataset in `inbox`, kept between scans. `beat` is called during long listings."""

    def __init__(self, inbox: Store, beat: Callable[[], None]) -> None:
        self.inbox, self.beat = inbox, beat
        self._visits: dict[str, _Visit] = {}
        self._changed: set[str] = set()

    def note_change(self, dataset: str) -> None:
        """List this dataset at the next scan, however large it is."""
        self._changed.add(dataset)

    def refresh_listings(self, now: datetime) -> dict[str, DatasetListing]:
        """The listings of all datasets that have objects. Those that are due are made anew."""
        tops = self._list_datasets()
        for name, top in tops.items():
            kept = self._visits.get(name)
            if kept is None or name in self._changed or not kept.is_fresh(top, now):
                self._visits[name] = self._visit(name, top, now)
                self._changed.discard(name)
        self._visits = {name: visit for name, visit in self._visits.items() if name in tops}
        return {name: visit.listing for name, visit in self._visits.items() if visit.listing.count}

    def list_dataset(self, name: str, now: datetime) -> tuple[DatasetListing, list[DroppedObject]]:
        """The objects of one dataset, sorted by key, and their listing, which is the kept one from now on."""
        top = self._list_datasets().get(name, ())
        dropped = sorted(self._iterate(name, top), key=lambda each: each[1].key)
        listing = describe_objects(dropped, now)
        self._visits[name] = _Visit(listing, top, now)
        return listing, dropped

    def list_archives(self) -> list[ObjectInfo]:
        """The archives of all datasets."""
        return [entry for visit in self._visits.values() for entry in visit.listing.archives]

    def _visit(self, name: str, top: tuple[ObjectInfo, ...], now: datetime) -> _Visit:
        listing = describe_objects(self._iterate(name, top), now)
        known = self._visits.get(name)
        if listing.ahead and (known is None or known.listing.ahead != listing.ahead):
            log.warning(
                "%s: %d objects have a date in the future: how long ago they were uploaded is not known, so nothing "
                "waits for others of theirs. Upload them again for a true date",
                *(name, listing.ahead),
                extra={"mer": {"dataset": name}},
            )
        return _Visit(listing, top, now)

    def _list_datasets(self) -> dict[str, tuple[ObjectInfo, ...]]:
        """The objects at the top of each dataset's name: an archive, or nothing if it has a folder only."""
        folders, entries = self.inbox.list_top()
        found: dict[str, tuple[ObjectInfo, ...]] = {name: () for name in folders if not names.is_junk(name)}
        for entry in sorted(entries, key=lambda entry: entry.key):
            if place := names.dataset_and_path(entry.key):
                found[place[0]] = (*found.get(place[0], ()), entry)
        return found

    def _iterate(self, name: str, top: tuple[ObjectInfo, ...]) -> Iterator[DroppedObject]:
        for entry in top:
            yield entry.key, entry
        for number, entry in enumerate(self.inbox.list_objects(f"{name}/")):
            if number % BEAT_EVERY == 0:
                self.beat()
            if place := names.dataset_and_path(entry.key):
                yield place[1], entry

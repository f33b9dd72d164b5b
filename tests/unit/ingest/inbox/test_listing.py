"""What a scan asks of a store: as little as it can, and nothing of a large dataset that nobody named."""

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.inbox import events
from services.ingest.inbox.listing import InboxListings, describe_objects
from shared.store import LocalStore, ObjectInfo
from tests.unit.ingest.inbox.lab import Lab, dataset

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class CountingStore(LocalStore):
    """A bucket that only has names. `listed` are the prefixes that were asked for."""

    def __init__(self, folder: Path, objects: dict[str, int]) -> None:
        super().__init__(folder)
        self.objects, self.listed, self.mark = objects, list[str](), "1"

    def list_top(self) -> tuple[list[str], list[ObjectInfo]]:
        return list(self.objects), []

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self.listed.append(prefix)
        for number in range(self.objects[prefix.rstrip("/")]):
            yield ObjectInfo(f"{prefix}{number}.jpg", 1, self.mark, NOON)


def listing(*entries: tuple[str, str], now: datetime = NOON) -> str:
    dropped = [(key, ObjectInfo(key, 1, etag, NOON)) for key, etag in entries]
    return describe_objects(dropped, now).digest


def test_a_digest_is_that_of_the_objects_and_not_of_their_order() -> None:
    first = listing(("a", "1"), ("b", "2"))
    assert listing(("b", "2"), ("a", "1")) == first
    others = [[("a", "1")], [("a", "2"), ("b", "1")], [("a", "1"), ("b", "2"), ("b", "2")], [("a1", ""), ("b", "2")]]
    assert len({first, *(listing(*each) for each in others)}) == 5


def test_a_large_dataset_is_listed_when_named_or_after_a_pause_that_grows_with_it(tmp_path: Path) -> None:
    store = CountingStore(tmp_path, {"large": 60_000, "small": 10})
    listings = InboxListings(store, lambda: None)
    first = listings.refresh_listings(NOON)
    assert (first["large"].count, first["small"].count) == (60_000, 10)
    store.listed.clear()
    store.mark = "2"
    later = listings.refresh_listings(NOON + timedelta(seconds=59))
    assert store.listed == ["small/"]
    assert (later["large"], later["small"].digest == first["small"].digest) == (first["large"], False)
    listings.note_change("large")
    assert listings.refresh_listings(NOON + timedelta(seconds=59))["large"].digest != first["large"].digest
    store.listed.clear()
    listings.refresh_listings(NOON + timedelta(seconds=59 + 60))
    assert store.listed == ["large/", "small/"]


def test_a_notification_names_the_dataset_that_is_listed(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    lab.scan()
    changed = lab.process.scanner.listings._changed
    lab.process.note_upload(events.Upload("datasets", "d/frames/a/img1.jpg"))
    lab.process.note_upload(events.Upload("datasets", "S 1.zip"))
    lab.process.note_upload(events.Upload("videos", "other/a.jpg"))
    assert changed == {"d", "S 1"}


def test_a_folder_without_files_and_litter_are_no_datasets(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    for key in ("litter/.DS_Store", ".hidden/a.jpg", "readme.txt", "d/a.jpg", "e.zip"):
        store.put(key, b"x")
    found = InboxListings(store, lambda: None)
    assert set(found.refresh_listings(datetime.now(UTC))) == {"d", "e"}
    assert [entry.key for entry in found.list_archives()] == ["e.zip"]


def test_a_file_with_a_date_in_the_future_is_no_reason_to_wait_for_years(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = Lab(tmp_path, inbox_settle_seconds=1000)
    lab.drop("d", dataset("a"))
    long_ago, one_day = datetime.now(UTC).timestamp() - 5000, datetime(2040, 1, 1, tzinfo=UTC).timestamp()
    for file in lab.inbox.folder.rglob("*.*"):
        os.utime(file, (long_ago, long_ago))
    os.utime(lab.inbox.folder / "d" / "clips.csv", (one_day, one_day))
    with caplog.at_level(logging.WARNING):
        assert lab.scan() == float("inf")
    assert lab.only().complete
    assert "1 objects have a date in the future" in caplog.text
    lab.close()


def test_without_any_date_that_can_be_right_nothing_is_waited_for(tmp_path: Path) -> None:
    entry = ObjectInfo("d/a.jpg", 1, "1", NOON + timedelta(days=3650))
    found = describe_objects([("a.jpg", entry)], NOON)
    assert found.ahead == 1
    assert (NOON - found.newest).total_seconds() > 1e9

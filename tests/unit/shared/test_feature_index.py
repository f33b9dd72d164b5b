"""The features in memory: every one is found, none is kept as an object, and old snapshots stay as they were."""

import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.bus import Message
from shared.bus.local import LocalBus
from shared.dataset_progress import measure_progress
from shared.feature_index import FeaturesView, index_features
from shared.records import Dataset, Record
from tests.unit.shared.drawn_features import draw_features


class Place:
    def __init__(self, home: Path) -> None:
        self.bus = LocalBus(home / "bus.sqlite")
        self.view = FeaturesView(self.bus)

    def publish(self, *records: Record) -> None:
        for record in records:
            self.bus.publish("mer.features", record.key, record.encode())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    opened = Place(tmp_path)
    with closing(opened.bus), closing(opened.view):
        yield opened


def test_every_record_is_found_as_it_was_published(place: Place) -> None:
    records = {each.key: each for each in (draw_features("a"), draw_features("b"), draw_features("a", "e"))}
    place.publish(*records.values())
    index = place.view.read_newest()
    assert dict(index) == records
    assert (len(index), set(index)) == (3, set(records))
    absent = draw_features("c").key
    assert (absent in index, index.get(absent), index.find_packed(absent)) == (False, None, None)


def test_no_message_and_no_record_stays_in_memory(place: Place) -> None:
    keys, sizes = set[str](), list[int]()
    for number in range(50):
        record = draw_features(f"clip{number}")
        place.publish(record)
        keys.add(record.key)
        sizes.append(len(record.encode()))
    del record
    index = place.view.read_newest()
    gc.collect()
    alive = [each for each in gc.get_objects() if type(each) in (Message, Record) and each.key in keys]
    assert (len(index), alive) == (50, [])
    packed = [len(value) for group in index.groups.values() for value in group.values()]
    assert sum(packed) < 0.4 * sum(sizes)


def test_a_snapshot_stays_and_groups_without_changes_are_shared(place: Place) -> None:
    place.publish(draw_features("a", "d"), draw_features("a", "e"))
    first = place.view.read_newest()
    assert place.view.read_newest() is first
    place.publish(draw_features("a", "d"))
    assert place.view.read_newest() is first, "the same bytes again"
    place.publish(draw_features("b", "e"))
    second = place.view.read_newest()
    assert (len(first), len(second)) == (2, 3)
    assert second.groups["d"] is first.groups["d"]
    assert second.groups["e"] is not first.groups["e"]
    place.bus.publish("mer.features", draw_features("a", "e").key, None)
    assert set(place.view.read_newest()) == {draw_features("a", "d").key, draw_features("b", "e").key}
    assert draw_features("a", "e").key in second


def test_what_is_no_record_is_left_out_and_replaces_what_was_under_its_key(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish(draw_features("a"), draw_features("b"))
    place.bus.publish("mer.features", "junk", b"")
    place.view.read_newest()
    place.bus.publish("mer.features", draw_features("a").key, b"{}")
    assert list(place.view.read_newest().values()) == [draw_features("b")]
    assert [line.split(":")[0] for line in caplog.messages] == [
        "mer.features junk",
        f"mer.features {draw_features('a').key}",
    ]


def test_records_under_the_shorter_keys_of_older_versions(place: Place) -> None:
    first, second = draw_features("a"), draw_features("a", upload="second")
    for record in (first, second):
        place.bus.publish("mer.features", record.clip_name, record.encode())
        assert dict(place.view.read_newest()) == {record.key: record}, "one record of a clip"
    place.bus.publish("mer.features", second.clip_name, None)
    assert dict(place.view.read_newest()) == {}


def test_progress_is_measured_and_compared_without_a_record_being_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    records, decode = [draw_features(clip) for clip in "abc"], Record.decode
    clips = {each.sample.identity: each.version for each in records}
    dataset, index = Dataset(name="d", clips=clips, complete=True), index_features(records)
    monkeypatch.setattr(Record, "decode", None)
    progress = measure_progress(dataset, index, {})
    assert (progress.is_ready, progress) == (True, measure_progress(dataset, index, {}))
    assert progress != measure_progress(dataset, index_features(records[:2]), {})
    features = progress.features
    assert (len(features), features[1:] == features[1:], features[1:] == features[:2]) == (3, True, False)
    monkeypatch.setattr(Record, "decode", decode)
    assert (list(features), features[-1], features[:1][0]) == (records, records[2], records[0])


def test_records_of_two_views_are_joined() -> None:
    """Each view compresses by a dictionary of its own."""
    views = [{name: draw_features(name)} for name in ("first", "second")]
    packed = []
    for records in views:
        dataset = Dataset(name="lab", clips={r.sample.identity: r.version for r in records.values()}, complete=True)
        index = index_features(records.values())
        packed.append(measure_progress(dataset, index, {}).features)
    assert list(packed[0] + packed[1]) == [record for records in views for record in records.values()]

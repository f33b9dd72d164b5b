"""A dataset is announced whatever its size, and what it replaces is withdrawn."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.bus.local import LocalBus
from shared.dataset_notices import announce_dataset, dataset_view, read_datasets, withdraw_dataset
from shared.records import Dataset
from shared.store import LocalStore

SMALLEST_LIMIT = 100_000  # bytes; a tenth of what a broker accepts in a message by default


class Place:
    def __init__(self, folder: Path) -> None:
        self.bus, self.store = LocalBus(folder / "bus.sqlite"), LocalStore(folder / "store")
        self.announced: dict[str, Dataset] = {}

    def announce(self, dataset: Dataset) -> None:
        announce_dataset(self.bus, self.store, dataset, read_datasets(self.bus, self.store).get(dataset.key))

    def extract(self, dataset: Dataset) -> None:
        for key in dataset.clip_keys.values():
            self.bus.publish("mer.features", key, b"features")

    def features(self) -> set[str]:
        return set(self.bus.read_newest("mer.features"))

    def contents(self) -> list[str]:
        return list(self.store.list_keys("datasets/"))


@pytest.fixture
def place(tmp_path: Path):
    place = Place(tmp_path)
    yield place
    place.bus.close()


def dataset(name: str = "d", faults: tuple[str, ...] = (), **clips: str) -> Dataset:
    versions = {f"{name}/s/{clip}": version for clip, version in clips.items()}
    return Dataset(name=name, clips=versions, faults=faults, complete=True)


@settings(max_examples=12)
@example(clips=50_000, faults=16_000, name="CASME2")
@given(
    clips=st.integers(0, 50_000),
    faults=st.integers(0, 16_000),
    name=st.sampled_from(["CASME2", "面部微表情数据集" * 8, "a b/%"]),
)
def test_a_dataset_of_any_size_is_announced_as_it_is(clips: int, faults: int, name: str) -> None:
    versions = {f"{name}/s/{number}": f"{number:032x}.{number:012x}" for number in range(clips)}
    sentences = tuple(f"{name}/{number}: expected its frames, got none; upload them." for number in range(faults))
    told = Dataset(name=name, clips=versions, faults=sentences, complete=not faults)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        place.announce(told)
        (message,) = place.bus.read_newest("mer.datasets").values()
        assert read_datasets(place.bus, place.store) == {told.key: told}
        place.bus.close()
    assert len(message.value) + len(message.key.encode()) < SMALLEST_LIMIT


def test_equal_datasets_are_one_object_and_a_replaced_one_is_deleted(place: Place) -> None:
    place.announce(dataset(a="1.x"))
    first = place.contents()
    place.announce(dataset(a="1.x"))
    assert place.contents() == first
    place.announce(dataset(a="2.x"))
    assert len(place.contents()) == 1
    assert place.contents() != first


def test_features_of_replaced_versions_are_withdrawn_and_no_others(place: Place) -> None:
    before, after = dataset(same="1.x", changed="1.x", gone="1.x"), dataset(same="1.x", changed="1.y", new="1.x")
    other = dataset("other", a="1.x")
    for each in (before, other):
        place.announce(each)
        place.extract(each)
    place.extract(after)
    place.announce(after)
    assert place.features() == {*after.clip_keys.values(), *other.clip_keys.values()}


def test_clips_that_a_faulty_sheet_lacks_keep_their_features(place: Place) -> None:
    before = dataset(a="1.x", b="1.x")
    place.announce(before)
    place.extract(before)
    place.announce(dataset(faults=("the sheet cannot be read",)))
    assert place.features() == set(before.clip_keys.values())


def test_a_withdrawn_dataset_leaves_what_another_one_names(place: Place) -> None:
    mine = dataset(a="1.x", b="1.x")
    copy = Dataset(name="copy", clips={"d/s/b": "1.x"}, complete=True)
    place.announce(mine)
    place.announce(copy)
    place.extract(mine)
    withdraw_dataset(place.bus, place.store, mine)
    assert place.features() == set(copy.clip_keys.values())
    assert set(read_datasets(place.bus, place.store)) == {copy.key}
    assert len(place.contents()) == 1


@pytest.mark.parametrize("harm", ["deleted", "changed", "older"])
def test_a_dataset_whose_contents_cannot_be_read_is_left_out_until_it_is_announced_again(
    place: Place, harm: str
) -> None:
    place.announce(dataset(a="1.x"))
    with closing(dataset_view(place.bus, place.store)) as view:
        (key,) = place.contents()
        if harm == "deleted":
            place.store.delete(key)
        elif harm == "changed":
            place.store.put(key, place.store.get(key).replace(b"1.x", b"2.x"))
        else:
            place.bus.publish("mer.datasets", dataset().key, b'{"schema": "mer.dataset/1", "name": "d"}')
        assert view.read_newest() == {}
        place.announce(dataset(a="1.x"))
        assert set(view.read_newest()) == {dataset().key}

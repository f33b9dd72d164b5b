"""The ledger: what is appended is there after a kill, and a dataset of any size costs twice its bytes."""

from pathlib import Path

import pytest

from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.ledger import EmittedClip, Ledger
from shared.store import LocalStore
from tests.unit.ingest.inbox.lab import Dead, Lab, dataset


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def emitted(fingerprint: str) -> EmittedClip:
    return EmittedClip(fingerprint=fingerprint, recipe="r", sample="s", pipeline="p")


def test_parts_are_joined_and_the_newest_wins(store: LocalStore) -> None:
    ledgers.save_ledger(store, "d/ü", Ledger(clips={"a": emitted("1"), "b": emitted("1")}, announced="key"))
    ledgers.append_part(store, "d/ü", 0, {"b": emitted("2"), "c": emitted("2")})
    ledgers.append_part(store, "d/ü", 1, {"c": emitted("3")})
    ledgers.append_part(store, "other", 0, {"z": emitted("9")})
    assert ledgers.recorded_datasets(store) == {"d/ü", "other"}
    found = ledgers.load_ledger(store, "d/ü")
    assert {identity: clip.fingerprint for identity, clip in found.clips.items()} == {"a": "1", "b": "2", "c": "3"}
    assert found.announced == "key"
    assert len(list(store.list_keys("inbox/"))) == 2, "the parts of d/ü are in its ledger now"
    assert ledgers.load_ledger(store, "d/ü") == found
    ledgers.delete_ledger(store, "d/ü")
    ledgers.delete_ledger(store, "other")
    assert list(store.list_keys()) == []


def test_a_dataset_named_as_a_file_of_another_has_a_ledger_of_its_own(store: LocalStore) -> None:
    names = {"x", "x.json", "parts", "parts/x"}
    for name in names:
        ledgers.append_part(store, name, 0, {name: emitted("1")})
        ledgers.save_ledger(store, name, ledgers.load_ledger(store, name))
        ledgers.append_part(store, name, 0, {"more": emitted("2")})
    assert ledgers.recorded_datasets(store) == names
    assert all(set(ledgers.load_ledger(store, name).clips) == {name, "more"} for name in names)


def test_what_is_written_is_at_most_twice_the_ledger(lab: Lab) -> None:
    lab.drop("d", dataset(*(f"c{number}" for number in range(90))))
    lab.calls.made.clear()
    lab.scan()
    sizes = [len(data) for key, data in lab.calls.of("put") if key.startswith("inbox/")]
    (whole,) = (entry for entry in lab.store.list_objects("inbox/"))
    assert len(sizes) == 6, "four parts of 20 clips, one of 10, the ledger"
    assert sum(sizes) < 2.1 * whole.size


def test_a_process_that_is_killed_between_parts_publishes_the_rest_alone(lab: Lab) -> None:
    lab.drop("d", dataset(*(f"c{number:02d}" for number in range(45))))

    def die_in_the_second_part() -> None:
        if sum(key.startswith("inbox/parts/") for key, *_ in lab.calls.of("put")) == 2:
            raise Dead

    lab.process.scanner.reconciler.bus._calls.end = die_in_the_second_part  # type: ignore[method-assign]
    with pytest.raises(Dead):
        lab.scan()
    before = len(lab.sources())
    del lab.process.scanner.reconciler.bus._calls.end
    lab.restart()
    lab.scan()
    again = [record.sample.clip for record in lab.sources()[before:]]
    assert (before, again) == (40, [f"c{number:02d}" for number in range(40, 45)])
    assert lab.only().complete

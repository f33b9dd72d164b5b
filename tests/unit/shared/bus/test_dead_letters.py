from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shared.bus import Message
from shared.bus.dead_letters import (
    DeadLetterLimit,
    WorkerHalted,
    bury_message,
    discard_letter,
    read_outstanding_letters,
    replay_letter,
)
from shared.bus.local import LocalBus
from shared.errors import BadData
from shared.letter_replay import ReplayCheck
from shared.store import LocalStore

MESSAGE = Message("mer.magnified", 3, 7, "d/s/c@p", b"\xffjunk", {"from": "abroad"})


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[LocalBus]:
    bus = LocalBus(tmp_path / "bus.sqlite")
    yield bus
    bus.close()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_a_letter_holds_the_original_bytes_and_why(bus: LocalBus, store: LocalStore) -> None:
    bury_message(bus, store, "flow", MESSAGE, "no face", {"attempts": "1"})
    (letter,) = read_outstanding_letters(bus, store, "flow")
    assert (letter.origin, letter.key, letter.value, letter.reason) == (
        "mer.magnified/3@7",
        "d/s/c@p",
        b"\xffjunk",
        "no face",
    )
    assert (letter.headers["attempts"], letter.headers["from"]) == ("1", "abroad")


def test_a_message_that_is_buried_twice_has_one_letter(bus: LocalBus, store: LocalStore) -> None:
    for _ in range(2):
        bury_message(bus, store, "flow", MESSAGE, "no face", {})
    assert len(read_outstanding_letters(bus, store, "flow")) == 1


def test_two_messages_of_one_key_have_a_letter_each(bus: LocalBus, store: LocalStore) -> None:
    bury_message(bus, store, "flow", MESSAGE, "no face", {})
    bury_message(bus, store, "flow", Message("mer.magnified", 3, 8, MESSAGE.key, b"other"), "no frames", {})
    assert [letter.value for letter in read_outstanding_letters(bus, store, "flow")] == [b"\xffjunk", b"other"]


def test_replayed_it_is_back_on_its_topic_and_no_letter_any_more(bus: LocalBus, store: LocalStore) -> None:
    bury_message(bus, store, "flow", MESSAGE, "no face", {"attempts": "1"})
    replay_letter(bus, *read_outstanding_letters(bus, store, "flow"))
    (message,) = bus.read_newest("mer.magnified").values()
    assert (message.key, message.value, message.headers) == (MESSAGE.key, MESSAGE.value, {"from": "abroad"})
    assert read_outstanding_letters(bus, store, "flow") == []


class SmallBus(LocalBus):
    """Takes four bytes a message, as a broker with a limit takes a megabyte."""

    def publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str] | None = None) -> None:
        if value and len(value) > 4:
            raise BadData("too large")
        super().publish(topic, key, value, headers)


def test_what_the_broker_finds_too_large_lies_in_the_store(tmp_path: Path, store: LocalStore) -> None:
    bus = SmallBus(tmp_path / "small.sqlite")
    bury_message(bus, store, "flow", MESSAGE, "r" * 5000, {})
    (letter,) = read_outstanding_letters(bus, store, "flow")
    bus.close()
    assert letter.value == MESSAGE.value
    assert len(letter.reason) == 2000


def test_a_letter_whose_stored_message_is_gone_hides_no_other_and_can_be_discarded(
    tmp_path: Path, store: LocalStore
) -> None:
    bus = SmallBus(tmp_path / "small.sqlite")
    bury_message(bus, store, "flow", MESSAGE, "no face", {})
    bury_message(bus, store, "flow", Message("mer.magnified", 3, 8, MESSAGE.key, b"tiny"), "no frames", {})
    for key in list(store.list_keys("dead-letters/")):
        store.delete(key)
    lost, whole = read_outstanding_letters(bus, store, "flow")
    assert [(each.reason, each.value, each.is_lost) for each in (lost, whole)] == [
        ("no face", b"", True),
        ("no frames", b"tiny", False),
    ]
    assert "what was stored instead is gone" in ReplayCheck(bus, store).explain_refusal(lost)
    discard_letter(bus, lost)
    assert read_outstanding_letters(bus, store, "flow") == [whole]
    bus.close()


def message_of(dataset: str) -> Message:
    return Message("mer.sources", 0, 0, f"{dataset}/s/c@p", b"")


@pytest.mark.parametrize("good_between", [True, False])
def test_the_limit_counts_datasets_until_a_message_is_finished(good_between: bool) -> None:
    limit = DeadLetterLimit(datasets=2)
    for name in ("a", "a", "b"):
        limit.count_message(message_of(name), True)
    limit.check_limit(message_of("b"), "why")
    if good_between:
        limit.count_message(message_of("c"), False)
        limit.check_limit(message_of("c"), "why")
    else:
        with pytest.raises(WorkerHalted, match=r"dead letters of 2 datasets.*why"):
            limit.check_limit(message_of("c"), "why")

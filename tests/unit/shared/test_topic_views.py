"""Views of topics: what is read again, what is kept, and what stays when a read fails."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.bus import Batch, Message, Update
from shared.bus.local import LocalBus
from shared.errors import Unavailable
from shared.topic_views import TopicView

START = Batch(from_start=True, updates=[])


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[LocalBus]:
    with closing(LocalBus(tmp_path / "bus.sqlite")) as opened:
        yield opened


class Script:
    """A follower whose reads are written down. An exception in a read is raised there."""

    def __init__(self, *reads: list[Batch | Exception]) -> None:
        self.reads = list(reads)

    def read_batches(self) -> Iterator[Batch]:
        for each in self.reads.pop(0):
            if isinstance(each, Exception):
                raise each
            yield each

    def close(self) -> None: ...


def batch(*changes: tuple[str, str | None], time: int = 0) -> Batch:
    messages = [(key, value and Message("t", 0, n, key, value.encode())) for n, (key, value) in enumerate(changes)]
    updates = [Update(key, message or None, (time, 0, number)) for number, (key, message) in enumerate(messages)]
    return Batch(from_start=False, updates=updates)


def decode_text(message: Message) -> str:
    return message.value.decode()


def test_a_read_without_news_gives_the_same_object_and_news_another_one(bus: LocalBus) -> None:
    bus.publish("mer.runs", "a", b"1")
    bus.publish("mer.runs", "b", b"2")
    with closing(TopicView(bus.follow("mer.runs"), decode_text)) as view:
        first = view.read_newest()
        assert view.read_newest() is first
        bus.publish("mer.runs", "a", b"3")
        bus.publish("mer.runs", "c", b"4")
        assert list(view.read_newest().items()) == [("b", "2"), ("a", "3"), ("c", "4")], "the newest last"
        assert first == {"a": "1", "b": "2"}, "somebody else may still read it"


def test_only_the_newest_of_what_is_new_is_interpreted() -> None:
    """The contents of a dataset that was announced anew are gone from the store."""
    seen: list[str] = []

    def note_text(message: Message) -> str:
        seen.append(message.value.decode())
        return seen[-1]

    reads: list[list[Batch | Exception]] = [
        [START, batch(("a", "1"), ("b", "2")), batch(("a", "3"), ("b", None), time=1)],
        [batch(("c", "4"), time=2)],
    ]
    view = TopicView(Script(*reads), note_text)
    assert view.read_newest() == {"a": "3"}
    assert view.read_newest() == {"a": "3", "c": "4"}
    assert seen == ["3", "4"]


def test_what_is_left_out_counts_as_a_message() -> None:
    view = TopicView(Script([START, batch(("a", "1"), ("b", "2"))]), lambda message: None)
    assert (view.read_newest(), view.message_count) == ({}, 2)


def test_an_interpretation_that_fails_is_repeated_by_the_next_read() -> None:
    away, seen = {"b"}, list[str]()

    def fetch_text(message: Message) -> str:
        if message.key in away:
            raise Unavailable("no store")
        seen.append(message.key)
        return decode_text(message)

    view = TopicView(Script([START, batch(("a", "1"), ("b", "2"), ("c", "3"))], [], []), fetch_text)
    for _ in range(2):
        with pytest.raises(Unavailable):
            view.read_newest()
    away.clear()
    assert view.read_newest() == {"a": "1", "b": "2", "c": "3"}
    assert sorted(seen) == ["a", "b", "c"]


def test_what_came_before_the_broker_went_is_seen_when_it_is_back() -> None:
    view = TopicView(Script([START], [batch(("a", "1")), Unavailable("no broker")], []), decode_text)
    assert view.read_newest() == {}
    with pytest.raises(Unavailable):
        view.read_newest()
    assert view.read_newest() == {"a": "1"}


@pytest.mark.parametrize("anew", [[], [("b", "3"), ("c", "4")]])
def test_a_topic_that_was_made_anew_is_all_there_is(anew: list[tuple[str, str | None]]) -> None:
    view = TopicView(Script([START, batch(("a", "1"), ("b", "2"))], [START, batch(*anew)]), decode_text)
    view.read_newest()
    assert view.read_newest() == dict(anew)
    assert view.message_count == len(anew)

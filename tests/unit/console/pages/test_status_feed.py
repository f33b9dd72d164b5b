"""The stream of events: what it says, when, and how it ends."""

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from services.console.pages import status_feed
from shared.errors import Unavailable
from tests.unit.console.conftest import CALM, Client, served
from tests.unit.console.drawn_stack import publish_dataset
from tests.unit.console.test_server import Away


@contextmanager
def listen(client: Client) -> Iterator[Iterator[tuple[str, str]]]:
    """The events of a stream as name and data."""
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=CALM)) as connection:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield read_events(answer)


def read_events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    name = ""
    while line := answer.readline().decode():
        kind, _, text = line.rstrip("\n").partition(": ")
        if kind == "event":
            name = text
        elif kind == "data":
            yield name, text


def open_stream(client: Client) -> int:
    """The status of a stream that is left at once."""
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=CALM)) as connection:
        connection.request("GET", "/events")
        return connection.getresponse().status


def test_a_change_is_said_once_and_pages_carry_its_digest(lab) -> None:  # type: ignore[no-untyped-def]
    with served(lab.bus, lab.store) as client, listen(client) as events:
        first = next(events)
        assert first[0] == "changed"
        assert f'data-digest="{first[1]}"' in client.open("/").text
        publish_dataset(lab.bus, lab.store, "new", features=1)
        second = next(events)
        assert second[0] == "changed"
        assert second[1] != first[1]


def test_trouble_is_said_in_words_and_ends(lab, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    bus = Away(lab.bus, "group_progress", trouble=Unavailable("The broker\nis away."))
    with served(bus, lab.store) as client, listen(client) as events:
        assert next(events) == ("trouble", "The broker is away.")
        bus._named = ()
        assert next(events)[0] == "changed"


def test_a_stream_ends_when_the_console_stops(lab) -> None:  # type: ignore[no-untyped-def]
    with served(lab.bus, lab.store) as client, listen(client) as events:
        next(events)
        stopped = events
    assert list(stopped) == []


def test_too_many_streams_are_refused_and_a_closed_one_makes_room(lab, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(status_feed, "MOST_LISTENERS", 1)
    with served(lab.bus, lab.store) as client:
        with listen(client) as events:
            next(events)
            assert "1 pages are open already" in client.open("/events").text
        while open_stream(client) != 200:  # the server notices at its next event that nobody listens
            pass


def test_many_browsers_cost_one_reading(lab, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    reads = []
    real = status_feed.StatusObserver.read_status
    monkeypatch.setattr(status_feed.StatusObserver, "read_status", lambda *given: (reads.append(1), real(*given))[1])
    with served(lab.bus, lab.store, refresh_seconds=CALM) as client:
        for path in ("/", "/runs", "/videos", "/", "/dead-letters"):
            assert client.open(path).status == 200
    assert len(reads) == 1


def test_what_it_follows_is_released_when_the_console_ends(lab, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    closed = []
    for owner in (status_feed.LetterFollower, status_feed.StatusObserver):
        real = owner.close
        monkeypatch.setattr(owner, "close", lambda self, real=real: (closed.append(type(self).__name__), real(self)))
    with served(lab.bus, lab.store) as client:
        assert client.open("/").status == 200
        assert closed == []
    assert closed == ["StatusObserver", "LetterFollower"]

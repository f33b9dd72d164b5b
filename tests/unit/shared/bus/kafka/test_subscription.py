"""What a member says of itself while no broker answers: not ready, and stuck only when its loop stands still."""

import gc
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.bus.kafka.broker import Broker
from shared.bus.kafka.subscription import KafkaSubscription
from shared.bus.kafka.watchdog import WATCHDOG_EXIT_CODE, Watchdog
from shared.errors import Misconfigured
from shared.telemetry import Metrics
from shared.worker import Worker

# The client leaves the socket of a failed connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
PATIENCE_SECONDS = 60


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    gc.collect()


class OneMember:
    """As much of a bus as a worker that takes nothing needs."""

    def __init__(self, member: KafkaSubscription) -> None:
        self.member = member

    def subscribe(self, topic: str, group: str) -> KafkaSubscription:
        return self.member


class Named:
    name, version = "flow", 1


def worker(member: KafkaSubscription) -> Worker:
    bus: Any = OneMember(member)
    task: Any = Named()
    store: Any = None
    return Worker(task, bus, store, metrics=Metrics())


def test_a_loop_that_stands_still_makes_its_worker_stalled_before_the_process_is_ended(silent: str) -> None:
    """The first contact holds the loop up for longer than the watchdog bears."""
    ends: list[int] = []
    with tempfile.TemporaryFile("w+") as stacks:
        watchdog = Watchdog(1.0, ends.append, stacks)
        member = KafkaSubscription(Broker(silent, timeout_seconds=5), "t", "g", watchdog=watchdog)
        stuck = worker(member)
        until(stuck.is_stalled)
        until(lambda: ends)
        assert ends == [WATCHDOG_EXIT_CODE]
        stacks.seek(0)
        assert "subscription.py" in stacks.read(), "the stacks show where the loop stands"
        assert not stuck.is_ready()
        member.close()


def test_a_loop_that_finds_no_broker_turns_and_is_not_stalled(silent: str) -> None:
    watchdog = Turns(PATIENCE_SECONDS)
    member = KafkaSubscription(Broker(silent, timeout_seconds=1), "t", "g", watchdog=watchdog)
    waiting = worker(member)
    until(lambda: watchdog.turns > 2)
    assert member.take_message(0.1) is None
    assert (waiting.is_ready(), waiting.is_stalled()) == (False, False)
    member.close()


class Turns(Watchdog):
    turns = 0

    def heartbeat(self) -> None:
        self.turns += 1
        super().heartbeat()


def test_a_loop_that_ended_is_stalled_and_says_why(silent: str) -> None:
    impossible = Broker(silent, timeout_seconds=0.2)  # less than one fetch may take
    member = KafkaSubscription(impossible, "t", "g")
    until(member.is_stalled)
    with pytest.raises(Misconfigured, match="the broker refuses group g"):
        member.take_message(0)
    member.close()


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)

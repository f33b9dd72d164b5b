"""What can happen to workers on a real broker, and that every record's effect is there once after it."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.kafka_lab import BURIED, CONSUMED, Lab
from tests.servers.kafka import KafkaServer

# The client leaves the socket of a failed connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def open_lab(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    opened: list[Lab] = []

    def open_lab(**options: float) -> Lab:
        opened.append(Lab(kafka_bootstrap, tmp_path, **options))
        return opened[-1]

    yield open_lab
    for lab in opened:
        lab.close()
    gc.collect()


def test_a_worker_killed_in_mid_work_is_replaced(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab(work_seconds=0.4)
    lab.start(workers=2)
    lab.publish(12)
    victim = lab.workers[0]
    lab.until(lambda: lab.in_work(victim))
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    unfinished = lab.in_work(victim)
    lab.until_done()
    lab.every_effect_is_there_once(12)
    assert set(lab.ended()) == set(range(12))
    assert [number for number, times in lab.ended().items() if times > 1 and number not in unfinished] == []


def test_a_broker_that_dies_in_mid_work_delays_and_loses_nothing(
    open_lab: Callable[..., Lab], kafka_broker: KafkaServer | None
) -> None:
    if kafka_broker is None:
        pytest.skip("The broker of MERSTREAM_TEST_KAFKA is not ours to kill; unset it to run this test.")
    lab = open_lab(work_seconds=0.5)
    lab.start()
    lab.publish(8)
    lab.until(lambda: lab.in_work(lab.workers[0]))
    kafka_broker.restart()
    lab.until_done()
    lab.every_effect_is_there_once(8)
    assert lab.ended() == dict.fromkeys(range(8), 1)


def test_what_is_delivered_twice_is_computed_once(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab()
    lab.start(workers=2)
    lab.publish(200)
    lab.publish(200)
    lab.until_done()
    lab.every_effect_is_there_once(200)
    assert lab.ended() == dict.fromkeys(range(200), 1)


def test_a_poison_record_between_good_ones_is_buried_alone(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab()
    lab.publish(5)
    lab.bus.publish(CONSUMED, lab.record(0).key, b"\x00 no record", {"from": "a stranger"})
    lab.publish(5)
    lab.start()
    lab.until_done()
    lab.every_effect_is_there_once(5)
    (dead,) = lab.bus.latest(BURIED).values()
    assert dead.value == b"\x00 no record"
    assert dead.headers["from"] == "a stranger"
    assert "Not a mer.record/1" in dead.headers["reason"]


def test_work_longer_than_the_poll_interval_keeps_its_place(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab(work_seconds=9, session_seconds=6, poll_interval_seconds=3)
    lab.start(workers=2)
    lab.publish(2)
    lab.until_done()
    lab.every_effect_is_there_once(2)
    assert sorted((what, number) for what, number, _ in lab.journal()) == [
        ("began", 0),
        ("began", 1),
        ("ended", 0),
        ("ended", 1),
    ]
    assert "was given to another member" not in lab.logged()

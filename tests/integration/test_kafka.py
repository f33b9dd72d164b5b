"""What can happen to services on a real broker and store, and that every record's effect is there once after it."""

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.kafka_lab import CONSUMED, PRODUCED, Lab
from tests.servers.kafka import KafkaServer
from tests.servers.s3 import Endpoint, S3Server
from tests.servers.s3_servers import NAMES, SharedServers

DOWN_SECONDS = 13.0  # more than two sessions, and two poll intervals, of the lab

# The client leaves the socket of a failed connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
OpenLab = Callable[..., Lab]


@pytest.fixture
def s3(s3_servers: SharedServers) -> Endpoint:
    return s3_servers.endpoint(NAMES[-1])


@pytest.fixture
def open_on(kafka_bootstrap: str, tmp_path: Path) -> Iterator[OpenLab]:
    with ExitStack() as opened:

        def open_on(s3: Endpoint, **options: object) -> Lab:
            store = opened.enter_context(s3.bucket())
            lab = Lab(kafka_bootstrap, s3, store, tmp_path, **options)
            opened.callback(lab.close)
            return lab

        yield open_on
    gc.collect()


@pytest.fixture
def open_lab(open_on: OpenLab, s3: Endpoint) -> OpenLab:
    return lambda **options: open_on(s3, **options)


@pytest.fixture(params=["minio", pytest.param("seaweedfs", marks=pytest.mark.exhaustive)])
def mortal(request: pytest.FixtureRequest, s3_servers: SharedServers) -> S3Server:
    """A store of our own to kill. test_s3.py kills both on the embedded bus."""
    return s3_servers.server(request.param)


def test_a_worker_killed_in_mid_work_is_replaced(open_lab: OpenLab) -> None:
    lab = open_lab(work_seconds=0.4)
    victim, _ = lab.start(2)
    lab.publish(12)
    lab.until(lambda: lab.in_work(victim))
    os.kill(victim.process.pid, signal.SIGKILL)
    victim.process.wait()
    unfinished = lab.in_work(victim)
    lab.until_done()
    lab.every_effect_is_there_once(12)
    assert set(lab.ended()) == set(range(12))
    again = [number for number, times in lab.ended().items() if times > 1 and number not in unfinished]
    assert len(again) <= 1, "only what it was just storing"


def test_a_broker_that_dies_in_mid_work_delays_and_loses_nothing(
    open_lab: OpenLab, kafka_broker: KafkaServer | None
) -> None:
    if kafka_broker is None:
        pytest.skip("The broker of MERSTREAM_TEST_KAFKA is not ours to kill; unset it to run this test.")
    lab = open_lab(work_seconds=0.5, kafka_session_seconds=30)
    (service,) = lab.start()
    lab.publish(8)
    lab.until(lambda: lab.in_work(service))
    kafka_broker.restart()
    lab.until_done()
    lab.every_effect_is_there_once(8)
    assert lab.ended() == dict.fromkeys(range(8), 1)


def test_a_store_that_is_away_delays_and_loses_nothing(mortal: S3Server, open_on: OpenLab) -> None:
    """Longer than a session and than the poll interval: waiting for the store is no reason to leave the group."""
    lab = open_on(mortal.endpoint, work_seconds=0.2)
    late = {lab.record(number).key for number in range(8, 24)}
    services = lab.start(2)
    lab.publish(8)
    lab.until(lab.ended)
    mortal.kill()
    lab.publish(16, first=8)
    lab.until(lambda: "does not answer" in lab.logged())
    time.sleep(DOWN_SECONDS)
    assert not late & set(lab.bus.read_newest(PRODUCED))
    assert [service.health("/livez") for service in services] == [200, 200]
    mortal.start()
    lab.until_done()
    lab.every_effect_is_there_once(24)
    assert lab.buried() == []


def test_what_is_delivered_twice_is_computed_once(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.start(2)
    lab.publish(60)
    lab.publish(60)
    lab.until_done()
    lab.every_effect_is_there_once(60)
    assert lab.ended() == dict.fromkeys(range(60), 1)


def test_a_poison_record_between_good_ones_is_buried_alone(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.publish(5)
    lab.bus.publish(CONSUMED, lab.record(0).key, b"\x00 no record", {"from": "a stranger"})
    lab.publish(5)
    lab.start()
    lab.until_done()
    lab.every_effect_is_there_once(5)
    (dead,) = lab.buried()
    assert dead.value == b"\x00 no record"
    assert dead.headers["from"] == "a stranger"
    assert "Not a mer.record/1" in dead.headers["reason"]


def test_a_dead_letter_replayed_after_the_cause_is_mended_has_its_effect(open_lab: OpenLab) -> None:
    lab = open_lab()
    lost = lab.record(1).artifact.key
    bytes_of_it = lab.store.get(lost)
    lab.store.delete(lost)
    lab.publish(3)
    lab.start()
    lab.until_done()
    assert [dead.value for dead in lab.buried()] == [lab.record(1).encode()]
    assert f"{lost!r}" in lab.mer("dead-letters", "list", "flow")
    lab.store.put(lost, bytes_of_it)
    assert f"{lab.record(1).key} is back on {CONSUMED}" in lab.mer("dead-letters", "replay", "--all", "flow")
    lab.until_done()
    lab.every_effect_is_there_once(3)
    assert lab.buried() == []


def test_a_worker_that_halts_leaves_its_group_and_goes_on_after_a_restart(open_lab: OpenLab) -> None:
    lab = open_lab(dead_letters_datasets=2)
    (halted,) = lab.start()
    lab.until(lambda: halted.health("/readyz") == 200)
    for number in range(3):
        lab.bus.publish(CONSUMED, f"dataset{number}/s/c", b"poison")
    lab.until(lambda: "no message between dead letters of 2 datasets" in lab.logged())
    lab.until(lambda: lab.group()["group_state"] == "Empty")
    assert (halted.health("/livez"), halted.health("/readyz")) == (200, 503)
    assert [dead.value for dead in lab.buried()] == [b"poison", b"poison"]
    assert lab.lag() == 1
    assert lab.end(halted) == 0
    lab.publish(3)
    lab.start()
    lab.until_done()
    lab.every_effect_is_there_once(3)
    assert len(lab.buried()) == 3


def test_work_longer_than_the_poll_interval_keeps_its_place(open_lab: OpenLab) -> None:
    lab = open_lab(work_seconds=9, kafka_session_seconds=6, kafka_poll_interval_seconds=3)
    lab.start(2)
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

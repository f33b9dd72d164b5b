"""A worker over a real S3 server that is killed, frozen or misunderstood in mid-work: each record's effect, once."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shared.bus.local import LocalBus
from shared.errors import Misconfigured, Unavailable
from shared.records import Record, Sample, manifest_key
from shared.settings import Settings
from shared.stage import Arrays, Stage, StageSettings
from shared.store.s3 import S3Store
from shared.worker import Worker
from shared.worker.stage_handler import StageHandler, read_artifact, write_artifact
from tests.background import run_in_background
from tests.servers.s3 import S3Server
from tests.servers.s3_servers import OWN, SharedServers

PATIENCE_SECONDS = 120  # a client without limits of its own would wait for 300
RECORDS = 24
EARLY = 8  # of them while the store is there
DOWN_SECONDS = 3.0  # tests/integration/test_kafka.py has it away for longer, on a real broker
QUICK = Settings(retry_base_seconds=0.05, retry_cap_seconds=0.5)


@pytest.fixture(params=OWN)
def server(request: pytest.FixtureRequest, s3_servers: SharedServers) -> S3Server:
    return s3_servers.server(request.param)


@pytest.fixture
def store(server: S3Server) -> Iterator[S3Store]:
    with server.endpoint.bucket(connect_seconds=1, read_seconds=4) as store:
        yield store


class Lab:
    """A stage that doubles a field of 1 MB, its topics, and as many workers as are asked for."""

    def __init__(self, folder: Path, store: S3Store) -> None:
        self.file, self.store = folder / "bus.sqlite", store
        self.bus = LocalBus(self.file)
        self.stage = Stage(
            "flow", 1, "magnified", ("magnifier",), "flows", {"corrected": StageSettings()}, self.compute
        )
        self.workers: list[Worker] = []

    def compute(self, inputs: dict[str, Arrays], settings: StageSettings) -> Arrays:
        time.sleep(0.05)
        return {"product": inputs["magnifier"]["value"] * 2}

    def send(self, number: int) -> Record:
        record = self.record(number)
        self.publish(record)
        return record

    def publish(self, record: Record) -> None:
        self.bus.publish("mer.magnified", record.key, record.encode())

    def record(self, number: int) -> Record:
        """Its input lies in the store."""
        value = np.random.default_rng(number).random((1 << 17,))
        artifact = write_artifact(self.store, f"magnifier/{number}.npz", {"value": value})
        sample = Sample(dataset="d", subject="s%/ü", clip=str(number), onset=0, offset=2, fps=200)
        return Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t")

    def worker(self, store: S3Store | None = None) -> Worker:
        self.workers.append(
            Worker(StageHandler(self.stage, store or self.store), LocalBus(self.file), store or self.store, QUICK)
        )
        return self.workers[-1]

    def outputs(self) -> list[Record]:
        return [Record.decode(value) for value in self.published("mer.flows")]

    def published(self, topic: str) -> list[bytes]:
        """Every message, repeated ones as well."""
        with self.bus.exclusive_transaction() as database:
            return [value for (value,) in database.execute("SELECT value FROM messages WHERE topic = ?", (topic,))]

    def retries(self) -> float:
        return sum(worker.metrics.retries.labels("flow")._value.get() for worker in self.workers)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
            worker.bus.close()
        self.bus.close()


@pytest.fixture
def lab(tmp_path: Path, store: S3Store) -> Iterator[Lab]:
    made = Lab(tmp_path, store)
    yield made
    made.close()


def test_a_store_killed_in_mid_work_loses_nothing_and_doubles_nothing(lab: Lab, server: S3Server) -> None:
    sent = [lab.record(number) for number in range(RECORDS)]
    one, other = lab.worker(), lab.worker()
    with run_in_background(one.run, one.stopping.set), run_in_background(other.run, other.stopping.set):
        for record in sent[:EARLY]:
            lab.publish(record)
        _wait(lab.outputs)
        server.kill()
        for record in sent[EARLY:]:
            lab.publish(record)
        _wait(lambda: lab.retries() > 0)
        time.sleep(DOWN_SECONDS)
        assert not {record.key for record in sent[EARLY:]} & {record.key for record in lab.outputs()}
        server.start()
        _wait(lambda: lab.bus.group_progress("mer.magnified", "flow").lag == 0)
    _each_once(lab, sent)


def test_what_was_put_is_never_taken_for_absent_while_the_server_comes_back(server: S3Server, store: S3Store) -> None:
    acknowledged, troubles, surprises = ["0"], [], []
    store.put("0", b"v")
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            try:
                assert store.exists(acknowledged[-1])
                assert store.get(acknowledged[-1]) == b"v"
                assert acknowledged[-1] in set(store.list_keys())
                store.put(str(len(acknowledged)), b"v")
                acknowledged.append(str(len(acknowledged)))
            except Unavailable as trouble:
                troubles.append(trouble)
                time.sleep(0.01)
            except Exception as error:
                surprises.append(error)

    def use_has_gone_on(what: list, count: int) -> bool:
        return len(what) >= count or bool(surprises)

    with run_in_background(use, stop.set):
        for _ in range(2):
            _wait(partial(use_has_gone_on, acknowledged, len(acknowledged) + 20))
            server.kill()
            _wait(partial(use_has_gone_on, troubles, len(troubles) + 1))
            server.start()
    assert not surprises
    assert set(acknowledged) <= set(store.list_keys())


def test_a_frozen_store_is_noticed_in_seconds_and_waited_for(lab: Lab, server: S3Server) -> None:
    sent = [lab.send(0)]
    with ExitStack() as working, server.frozen():
        began = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer"):
            lab.store.exists("k")
        assert time.monotonic() - began < PATIENCE_SECONDS
        working.enter_context(run_in_background(lab.worker().step))
        _wait(lambda: lab.retries() > 0)
    _each_once(lab, sent)


def test_an_absent_server_is_noticed_at_once(lab: Lab, server: S3Server) -> None:
    server.kill()
    try:
        began = time.monotonic()
        for ask in (lambda: lab.store.get("k"), lambda: lab.store.put("k", b"v"), lambda: list(lab.store.list_keys())):
            with pytest.raises(Unavailable, match="does not answer"):
                ask()
        assert time.monotonic() - began < PATIENCE_SECONDS
    finally:
        server.start()


@pytest.mark.parametrize("wrong", [{"access_key": "nobody-at-all"}, {"secret_key": "not-the-secret"}])
def test_wrong_credentials_stop_the_worker_and_commit_nothing(lab: Lab, server: S3Server, wrong: dict) -> None:
    lab.send(0)
    refused = server.endpoint.store(lab.store.bucket, **wrong)
    with pytest.raises(Misconfigured, match="refuses these credentials"):
        lab.worker(refused).step()
    assert lab.bus.group_progress("mer.magnified", "flow").committed == 0
    assert not lab.published("mer.flow.dlq")
    refused.close()


def test_a_bucket_that_is_not_there_is_named_and_not_made(server: S3Server) -> None:
    store = server.endpoint.store("mer-absent")
    asked = [
        lambda: store.exists("k"),
        lambda: store.get("k"),
        lambda: store.put("k", b"v"),
        lambda: list(store.list_keys()),
    ]
    for ask in asked:
        with pytest.raises(Misconfigured, match="'mer-absent': there is no such bucket"):
            ask()
    store.close()


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: b""]
)
def test_a_changed_object_is_refused_by_its_digest(lab: Lab, spoil) -> None:
    record = lab.send(0)
    lab.store.put(record.artifact.key, spoil(lab.store.get(record.artifact.key)))
    lab.worker().step()
    with lab.bus.exclusive_transaction() as database:
        rows = database.execute("SELECT value, headers FROM messages WHERE topic = 'mer.flow.dlq'").fetchall()
    ((value, headers),) = rows
    assert value == record.encode()
    assert "it was changed after it was written" in headers
    assert not lab.published("mer.flows")


def test_a_second_delivery_costs_no_work(lab: Lab) -> None:
    record = lab.send(0)
    worker = lab.worker()
    worker.step()
    written = {entry.key: entry.modified for entry in lab.store.list_objects("flow/")}
    lab.bus.publish("mer.magnified", record.key, record.encode())
    worker.step()
    assert {entry.key: entry.modified for entry in lab.store.list_objects("flow/")} == written
    assert len(lab.outputs()) == 2
    assert lab.outputs()[0] == lab.outputs()[1]


def _each_once(lab: Lab, sent: list[Record]) -> None:
    outputs = {record.sample.clip: record for record in lab.outputs()}
    assert len(lab.outputs()) == len(outputs) == len(sent)
    assert not lab.published("mer.flow.dlq")
    for record in sent:
        output = outputs[record.sample.clip]
        value = read_artifact(lab.store, record.artifact, "input")["value"]
        assert np.array_equal(read_artifact(lab.store, output.artifact, "output")["product"], value * 2)
        manifest = Record.decode(lab.store.get(manifest_key(output.artifact.key)))
        assert manifest.model_copy(update={"provenance": None}) == output
    assert len(list(lab.store.list_keys("flow/"))) == 2 * len(sent)


def _wait(until) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)

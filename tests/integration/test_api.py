"""Consoles and a trainer as containers start them, on a real Kafka and a real S3: a run is asked for, trained and
fetched, the broker goes away and comes back, SIGTERM ends it."""

import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from merstream.stack.api_client import StackApi
from shared.connect import open_bus, open_store
from shared.errors import Misconfigured, Unavailable
from shared.records import Sample
from shared.settings import Settings
from shared.stage import Arrays
from tests.integration.trainer_lab import Trainer, clips, drop, environment, wait
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port

__all__ = ["clips", "environment"]
# The client leaves the socket of a failed connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

RUN = {"datasets": ["toy"], "model": "fmer-lite", "settings": {"epochs": 2, "batch": 3}}


@pytest.fixture
def replicas(environment: None, tmp_path: Path) -> Iterator[list[tuple[Trainer, StackApi]]]:
    """Two consoles, with a trainer that does everything behind them."""
    ports = [free_port(), free_port()]
    started = [Trainer(tmp_path / f"{port}.log", module="services.console", MER_API_PORT=str(port)) for port in ports]
    trainer = Trainer(tmp_path / "trainer.log")
    yield [(one, StackApi(f"http://127.0.0.1:{port}")) for one, port in zip(started, ports, strict=True)]
    assert trainer.end() == 0
    for one in started:
        one.process.kill()
        one.process.wait()


def test_a_run_is_asked_for_trained_and_fetched_whatever_happens_to_the_broker(
    clips: list[tuple[Sample, Arrays]],
    replicas: list[tuple[Trainer, StackApi]],
    kafka_broker: KafkaServer | None,
    tmp_path: Path,
) -> None:
    trainers, (one, other) = [trainer for trainer, _ in replicas], [api for _, api in replicas]
    store = open_store(Settings())
    wait(lambda: all(trainer.ready() for trainer in trainers), trainers)
    with pytest.raises(Misconfigured, match="No dataset 'toy' was dropped; there are none"):
        one.post("/runs", RUN)
    with closing(open_bus(Settings())) as bus:
        drop(clips, bus, store, {"model": "majority"})
    run = one.post("/runs", RUN)
    assert other.post("/runs", RUN)["id"] == other.get(run["url"])["id"] == run["id"]
    assert run["folds"]["total"] == 9, "three learners, three subjects"
    wait(lambda: one.get(run["url"])["state"] == "done", trainers)
    done = other.get(run["url"])
    assert done == one.get(run["url"])
    assert set(done["figures"]) == {"fmer-lite", "linear", "majority"}
    (key,) = [key for key in store.list_keys("reports/") if key.endswith(f"{run['id']}/report.html")]
    other.download_file(done["files"]["report.html"], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == store.get(key)
    wait(lambda: len(one.get("/runs")) == 2, trainers)  # the dataset's own run starts when two polls found the same
    assert sorted(each["model"] for each in one.get("/runs")) == ["fmer-lite", "majority"]
    if kafka_broker is not None:
        kafka_broker.kill()
        for api in (one, other):
            with pytest.raises(Unavailable):  # 503 within the client's patience
                api.get(run["url"])
        kafka_broker.start()
        wait(lambda: answers(one, run["url"]) and answers(other, run["url"]), trainers)
    assert [trainer.end() for trainer in trainers] == [0, 0]
    gc.collect()


def answers(api: StackApi, url: str) -> bool:
    try:
        return bool(api.get(url)["state"] == "done")
    except Unavailable:
        return False

"""Trainers as containers start them, on a real Kafka and a real S3, and a dataset whose features are there.

Whoever uses its fixtures imports them by name: `clips` and `environment`.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from merstream.single_thread import THREAD_COUNT_VARIABLES
from shared.bus import Bus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import topic_by_short_name
from shared.dataset_notices import announce_dataset
from shared.records import (
    Artifact,
    Dataset,
    FoldResult,
    Record,
    RunResult,
    Sample,
    artifact_key,
    clip_version,
    json_digest,
)
from shared.stage import Arrays
from shared.store import Store
from shared.worker.stage_handler import write_artifact
from tests.servers.process import free_port
from tests.servers.s3_servers import NAMES, SharedServers

PATIENCE_SECONDS = 600
TRAIN = {"model": "fmer-lite", "epochs": 4, "batch": 3}
SUBJECTS = 3
RECIPE = "0" * 32
Result = TypeVar("Result", FoldResult, RunResult)


@pytest.fixture
def environment(
    kafka_bootstrap: str, s3_servers: SharedServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What a container is given; topics and an empty bucket are there. A member that is killed is missed soon."""
    prefix = f"trainer-{uuid.uuid4().hex[:8]}."
    ensure_topics(kafka_bootstrap, prefix=prefix)
    server = s3_servers.endpoint(NAMES[-1])
    with server.bucket() as store:
        given = {
            "MER_KAFKA_SERVERS": kafka_bootstrap,
            "MER_KAFKA_PREFIX": prefix,
            "MER_KAFKA_SESSION_SECONDS": "6",
            "MER_S3_ENDPOINT": server.address,
            "MER_S3_TLS": "false",
            "MER_S3_BUCKET": store.bucket,
            "MER_S3_ACCESS_KEY": server.access_key,
            "MER_S3_SECRET_KEY": server.secret_key,
            "MER_TRAIN_POLL_SECONDS": "3",
            "MER_SCRATCH": str(tmp_path),
            "MER_DEVICE": "cpu",
            "MER_PORT": "0",
            **dict.fromkeys(THREAD_COUNT_VARIABLES, "1"),
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def clips() -> list[tuple[Sample, Arrays]]:
    """Three emotions by each subject, told apart by which ROIs move."""
    rng, made = np.random.default_rng(0), []
    for number in range(3 * SUBJECTS):
        who, which = divmod(number, 3)
        patches = rng.normal(0, 0.1, (1, 9, 2, 30, 7, 7)).astype(np.float32)
        patches[:, :, 0, 10 * which : 10 * which + 10] += 0.5
        sample = Sample(
            dataset="toy", subject=f"s{who}", clip=f"c{which}", emotion="abc"[which], onset=0, offset=9, fps=200
        )
        arrays = {
            "patches": patches,
            "clip": np.zeros((16, 144, 144, 3), np.uint8),
            "maps": np.zeros((1, 3, 28, 28), "f"),
        }
        made.append((sample, {**arrays, "factors": [2.0]}))
    return [(sample, {name: np.asarray(array) for name, array in arrays.items()}) for sample, arrays in made]


class Trainer:
    """A process `python -m services.trainer`, or of another service, asked over its own port."""

    def __init__(self, log: Path, *part: str, module: str = "services.trainer", **settings: str) -> None:
        self.port = free_port()
        given = {**os.environ, "MER_PORT": str(self.port), **settings}
        with log.open("wb") as file:
            command = [sys.executable, "-m", module, *part]
            self.process = subprocess.Popen(command, env=given, stderr=file)

    def says(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def ready(self) -> bool:
        return self.says("/readyz")[0] == 200

    def training(self) -> bool:
        """Whether it has come through an epoch of a fold of the model."""
        return 'mer_train_epoch_loss{model="fmer-lite"}' in self.says("/metrics")[1]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_SECONDS)


def drop(clips: Sequence[tuple[Sample, Arrays]], bus: Bus, store: Store, train: Mapping[str, Any] = TRAIN) -> None:
    """As if the image stages had made the features of a dropped dataset."""
    for sample, arrays in clips:
        artifact = write_artifact(store, artifact_key("roi-au", sample, RECIPE), arrays)
        source = Artifact(key=artifact_key("source", sample, RECIPE), sha256=json_digest(sample.identity), size=1)
        record = Record(
            sample=sample, stage="roi-au", artifact=artifact, inputs={"source": source}, recipe=RECIPE, trace="drop"
        )
        bus.publish(topic_by_short_name("features").name, record.key, record.encode())
    versions = {sample.identity: clip_version(RECIPE, sample.label_digest) for sample, _ in clips}
    announce_dataset(bus, store, Dataset(name="toy", train=dict(train), clips=versions, complete=True))


def results(bus: Bus, kind: type[Result]) -> list[Result]:
    """Of folds, or of runs."""
    told = bus.read_newest(topic_by_short_name("results").name).values()
    return [kind.decode(each.value) for each in told if ("/" in each.key) == (kind is FoldResult)]


def wait(until: Callable[[], bool], trainers: Sequence[Trainer]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not until():
        assert all(trainer.process.poll() is None for trainer in trainers), "a trainer has ended"
        assert time.monotonic() < deadline
        time.sleep(0.2)

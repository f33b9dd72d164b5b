"""A tiny stage on a real broker, in processes that can be killed. As a program: one worker of that stage."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from shared.errors import Unavailable
from shared.kafka_bus import KafkaBus
from shared.kafka_topics import ensure_topics
from shared.processing import StageTask, write_artifact
from shared.records import Record, Sample
from shared.service import stop_on_signals
from shared.settings import Settings
from shared.stage import Arrays, Stage, StageSettings
from shared.store import LocalStore
from shared.telemetry import log_to_stderr
from shared.topics import TOPICS
from shared.worker import Worker

PATIENCE_SECONDS = 180
CONSUMED, PRODUCED, BURIED = "mer.magnified", "mer.flows", "mer.flow.dlq"
PARTITIONS = 4


@dataclass(frozen=True)
class Place:
    """What a worker process needs to know."""

    bootstrap: str
    folder: str
    prefix: str
    work_seconds: float = 0.0
    session_seconds: float = 6.0
    poll_interval_seconds: float = 6.0

    def bus(self) -> KafkaBus:
        return KafkaBus(
            self.bootstrap,
            prefix=self.prefix,
            session_seconds=self.session_seconds,
            poll_interval_seconds=self.poll_interval_seconds,
        )


class Gain(StageSettings):
    gain: float = 2.0


def stage(place: Place) -> Stage[Gain]:
    """Doubles an array, and notes in a journal when it began and when it was done."""

    def compute(inputs: Mapping[str, Arrays], settings: Gain) -> Arrays:
        value = inputs["magnifier"]["value"]
        note(place, "began", int(value))
        time.sleep(place.work_seconds)
        note(place, "ended", int(value))
        return {"value": value * settings.gain}

    return Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": Gain()}, compute)


def note(place: Place, what: str, number: int) -> None:
    line = json.dumps([what, number, os.getpid()]) + "\n"
    journal = os.open(Path(place.folder) / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, line.encode())  # one write to an appended file: lines of several processes do not mix
    os.close(journal)


class Lab:
    """The stage's topics and store, the records put in, and what came of them."""

    def __init__(self, bootstrap: str, folder: Path, **options: float) -> None:
        self.place = Place(bootstrap, str(folder), f"{uuid.uuid4().hex[:8]}.", **options)
        topics = [replace(TOPICS[name], partitions=PARTITIONS) for name in (CONSUMED, PRODUCED)]
        self.topics = ensure_topics(bootstrap, [*topics, TOPICS[BURIED]], prefix=self.place.prefix)
        self.store = LocalStore(folder / "store")
        self.bus = self.place.bus()
        self.workers: list[subprocess.Popen[bytes]] = []

    def publish(self, count: int) -> None:
        for number in range(count):
            record = self.record(number)
            self.bus.publish(CONSUMED, record.key, record.encode())

    def record(self, number: int) -> Record:
        sample = Sample(dataset="d", subject="s", clip=f"c{number}", onset=0, offset=1, fps=200)
        artifact = write_artifact(self.store, f"magnifier/{sample.identity}/r.npz", {"value": np.array(float(number))})
        return Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t")

    def start(self, workers: int = 1) -> None:
        """Returns when the group has handed out its partitions to all of them."""
        for _ in range(workers):
            command = [sys.executable, "-m", "tests.integration.kafka_lab", json.dumps(asdict(self.place))]
            with (Path(self.place.folder) / "workers.log").open("ab") as log:
                self.workers.append(subprocess.Popen(command, stdout=log, stderr=log))
        self.until(lambda: self.members() == workers)

    def members(self) -> int:
        """Members of the stage's group that hold partitions, 0 while it rebalances."""
        name = f"{self.place.prefix}flow"
        with closing(KafkaAdminClient(bootstrap_servers=self.place.bootstrap)) as admin:
            try:
                group = admin.describe_groups([name])[name]
            except KafkaError:  # no group yet, or its coordinator is just being chosen
                return 0
        holding = [member for member in group["members"] if str(self.place.prefix) in str(member["member_assignment"])]
        return len(holding) if group["group_state"] == "Stable" else 0

    def until(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, self.logged()[-5000:]
            assert all(worker.poll() in (None, -9) for worker in self.workers), "a worker ended by itself"
            time.sleep(0.2)

    def logged(self) -> str:
        """What the worker processes had to warn of."""
        return (Path(self.place.folder) / "workers.log").read_text()

    def until_done(self) -> None:
        self.until(lambda: self.lag() == 0)

    def lag(self) -> int | None:
        try:
            return self.bus.depth(CONSUMED, "flow").lag
        except Unavailable:
            return None

    def journal(self) -> list[tuple[str, int, int]]:
        file = Path(self.place.folder) / "journal"
        return [tuple(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []

    def ended(self) -> Counter[int]:
        """How often the computation of each record was done to its end."""
        return Counter(number for what, number, _ in self.journal() if what == "ended")

    def in_work(self, worker: "subprocess.Popen[bytes]") -> set[int]:
        mine = [(what, number) for what, number, pid in self.journal() if pid == worker.pid]
        return {number for what, number in mine if what == "began" and ("ended", number) not in mine}

    def every_effect_is_there_once(self, count: int) -> None:
        manifests = [key for key in self.store.keys("flow/") if key.endswith(".json")]
        assert len(manifests) == count
        outputs = {key: Record.decode(message.value) for key, message in self.bus.latest(PRODUCED).items()}
        assert set(outputs) == {self.record(number).key for number in range(count)}
        for number in range(count):
            output = outputs[self.record(number).key]
            with np.load(Path(self.place.folder) / "store" / output.artifact.key, allow_pickle=False) as arrays:
                assert arrays["value"] == 2 * number

    def close(self) -> None:
        for worker in self.workers:
            worker.terminate()
        codes = [worker.wait(PATIENCE_SECONDS) for worker in self.workers]
        self.bus.close()
        with closing(KafkaAdminClient(bootstrap_servers=self.place.bootstrap)) as admin:
            admin.delete_topics(self.topics)
        assert set(codes) <= {0, -9}


def main() -> None:
    place = Place(**json.loads(sys.argv[1]))
    log_to_stderr(os.environ.get("LAB_LOG", "WARNING"))
    stopping = threading.Event()
    stop_on_signals(stopping, grace_seconds=20)
    settings = Settings(retry_base_seconds=0.1, retry_cap_seconds=1)
    bus = place.bus()
    store = LocalStore(Path(place.folder) / "store")
    worker = Worker(StageTask(stage(place), store), bus, store, settings)
    worker.stopping = stopping
    worker.run()
    bus.close()


if __name__ == "__main__":
    main()

"""A tiny stage over a real broker and a real store, as services that can be killed. As a program: one such service."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from shared.bus import Message
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS
from shared.errors import Unavailable
from shared.records import Record, Sample
from shared.stage import Arrays, Stage, StageSettings
from shared.store.s3 import S3Store
from shared.worker import Worker
from shared.worker.process import serve_loops
from shared.worker.stage_handler import StageHandler, read_artifact, write_artifact
from tests.servers.process import free_port
from tests.servers.s3 import Endpoint

PATIENCE_SECONDS = 600
CONSUMED, PRODUCED, BURIED = "mer.magnified", "mer.flows", "mer.flow.dlq"
PARTITIONS = 4
ALIVE_OR_KILLED = (None, -9)


class Gain(StageSettings):
    gain: float = 2.0


def stage(folder: Path, work_seconds: float) -> Stage[Gain]:
    """Doubles an array, and notes in a journal when it began and when it was done."""

    def compute(inputs: Mapping[str, Arrays], settings: Gain) -> Arrays:
        value = inputs["magnifier"]["value"]
        note(folder, "began", int(value))
        time.sleep(work_seconds)
        note(folder, "ended", int(value))
        return {"value": value * settings.gain}

    return Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": Gain()}, compute)


def note(folder: Path, what: str, number: int) -> None:
    line = json.dumps([what, number, os.getpid()]) + "\n"
    journal = os.open(folder / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, line.encode())  # one write to an appended file: lines of several processes do not mix
    os.close(journal)


@dataclass
class Service:
    """A worker's process and where its health is told."""

    process: "subprocess.Popen[bytes]"
    port: int

    def health(self, path: str) -> int:
        """HTTP status of /livez or /readyz."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


class Lab:
    """The stage's topics and an empty bucket, the records put in, and what came of them.

    `settings` are those of the services, as `shared.settings` names them.
    """

    def __init__(
        self, bootstrap: str, s3: Endpoint, store: S3Store, folder: Path, work_seconds: float = 0.0, **settings: object
    ) -> None:
        self.bootstrap, self.store, self.folder = bootstrap, store, folder
        self.prefix = f"{uuid.uuid4().hex[:8]}."
        topics = [replace(TOPICS[name], partitions=PARTITIONS) for name in (CONSUMED, PRODUCED)]
        # What a replay compares letters with.
        announced = [TOPICS[f"mer.{name}"] for name in ("datasets", "videos", "spotted")]
        self.topics = ensure_topics(bootstrap, [*topics, TOPICS[BURIED], *announced], prefix=self.prefix)
        self.bus = KafkaBus(bootstrap, prefix=self.prefix)
        quick = {"retry_base_seconds": 0.1, "retry_cap_seconds": 1, "log_level": "WARNING", "grace_seconds": 20}
        quick |= {"kafka_session_seconds": 6, "kafka_poll_interval_seconds": 6}
        where = {
            "kafka_servers": bootstrap,
            "kafka_prefix": self.prefix,
            "s3_endpoint": s3.address,
            "s3_tls": s3.secure,
        }
        where |= {"s3_bucket": store.bucket, "s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key}
        self.environment = {f"MER_{name.upper()}": str(value) for name, value in (quick | where | settings).items()}
        self._lab = {"LAB_FOLDER": str(folder), "LAB_WORK_SECONDS": str(work_seconds)}
        self._records: dict[int, Record] = {}
        self.services: list[Service] = []

    def publish(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count):
            record = self.record(number)
            self.bus.publish(CONSUMED, record.key, record.encode())

    def record(self, number: int) -> Record:
        """The same each time; its input lies in the store."""
        if number not in self._records:
            sample = Sample(dataset="d", subject="s", clip=f"c{number}", onset=0, offset=1, fps=200)
            key, arrays = f"magnifier/{sample.identity}/r.npz", {"value": np.array(float(number))}
            artifact = write_artifact(self.store, key, arrays)
            self._records[number] = Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t")
        return self._records[number]

    def start(self, services: int = 1) -> list[Service]:
        """Returns when the group has handed out its partitions to all of them."""
        started = [self._start() for _ in range(services)]
        self.services += started
        self.until(lambda: self.members() == services)
        return started

    def _start(self) -> Service:
        port = free_port()
        environment = {**os.environ, **self.environment, **self._lab, "MER_PORT": str(port)}
        with (self.folder / "services.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.integration.kafka_lab"]
            return Service(subprocess.Popen(command, stdout=log, stderr=log, env=environment), port)

    def end(self, service: Service) -> int:
        """As an orchestrator does; its exit code."""
        self.services.remove(service)
        service.process.terminate()
        return service.process.wait(PATIENCE_SECONDS)

    def mer(self, *arguments: str) -> str:
        """What the `mer` command prints, given this stack's settings. Raises CalledProcessError."""
        command = [sys.executable, "-m", "merstream", *arguments]
        environment = {**os.environ, **self.environment, "COLUMNS": "200"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def group(self) -> dict[str, Any]:
        """The stage's group as the broker sees it; empty while its coordinator is just being chosen."""
        name = f"{self.prefix}flow"
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            try:
                return dict(admin.describe_groups([name])[name])
            except KafkaError:
                return {"members": [], "group_state": "Unknown"}

    def members(self) -> int:
        """Members that hold partitions, 0 while the group rebalances."""
        group = self.group()
        holding = [member for member in group["members"] if self.prefix in str(member["member_assignment"])]
        return len(holding) if group["group_state"] == "Stable" else 0

    def until(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, self.logged()[-5000:]
            codes = [service.process.poll() for service in self.services]
            assert all(code in ALIVE_OR_KILLED for code in codes), f"a service ended by itself: {self.logged()[-5000:]}"
            time.sleep(0.2)

    def logged(self) -> str:
        """What the services had to warn of."""
        return (self.folder / "services.log").read_text()

    def until_done(self) -> None:
        self.until(lambda: self.lag() == 0)

    def lag(self) -> int | None:
        try:
            return self.bus.group_progress(CONSUMED, "flow").lag
        except Unavailable:
            return None

    def journal(self) -> list[tuple[str, int, int]]:
        file = self.folder / "journal"
        return [tuple(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []

    def ended(self) -> Counter[int]:
        """How often the computation of each record was done to its end."""
        return Counter(number for what, number, _ in self.journal() if what == "ended")

    def in_work(self, service: Service) -> set[int]:
        mine = [(what, number) for what, number, pid in self.journal() if pid == service.process.pid]
        return {number for what, number in mine if what == "began" and ("ended", number) not in mine}

    def buried(self) -> list[Message]:
        return list(self.bus.read_newest(BURIED).values())

    def every_effect_is_there_once(self, count: int) -> None:
        manifests = [key for key in self.store.list_keys("flow/") if key.endswith(".json")]
        assert len(manifests) == count
        outputs = {key: Record.decode(message.value) for key, message in self.bus.read_newest(PRODUCED).items()}
        assert set(outputs) == {self.record(number).key for number in range(count)}
        for number in range(count):
            output = outputs[self.record(number).key]
            assert read_artifact(self.store, output.artifact, output.key)["value"] == 2 * number

    def close(self) -> None:
        for service in self.services:
            service.process.terminate()
        codes = [service.process.wait(PATIENCE_SECONDS) for service in self.services]
        self.bus.close()
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.delete_topics(self.topics)
        assert set(codes) <= {0, -9}


def main() -> None:
    made = stage(Path(os.environ["LAB_FOLDER"]), float(os.environ["LAB_WORK_SECONDS"]))
    serve_loops(
        lambda settings, bus, store, metrics, stopping: [
            Worker(StageHandler(made, store), bus, store, settings, metrics, stopping)
        ]
    )


if __name__ == "__main__":
    main()

"""The cost of carrying a record: a stage that computes nothing, over Kafka and S3 and over the embedded bus and store.

    PYTHONPATH=. python benchmarks/bus.py           # a minute; writes benchmarks/results/bus.json

The script starts a broker and an S3 server (tests/servers), or uses MERSTREAM_TEST_KAFKA and MERSTREAM_TEST_S3. One
worker processes records one after another:

- `computed`: GET manifest (404), GET input, PUT array, PUT manifest, publish, commit
- `redelivered`: the same records again; GET manifest, publish, commit
- `idle hop`: from the publication of one record, for which a worker waits, to its commit

Times are wall times per record, median of the rounds. Each part is the time that the worker waited for that call. The
carriers alternate, so that other work on the machine affects both.
"""

import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaAdminClient

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from shared.bus import Bus
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.local import LocalBus
from shared.bus.topics import TOPICS
from shared.records import Record, Sample
from shared.stage import Arrays, Stage, StageSettings
from shared.store import LocalStore, Store
from shared.worker import Worker
from shared.worker.stage_handler import StageHandler, write_artifact
from tests.servers.kafka import KafkaServer, external
from tests.servers.s3_servers import NAMES, SharedServers

CONSUMED_TOPIC, PRODUCED_TOPIC = "mer.magnified", "mer.flows"
PATIENCE_SECONDS = 60.0
TIMED_CALLS = {"bus": ("publish",), "subscription": ("take_message", "commit"), "store": ("get", "put")}


def compute_nothing(inputs: Any, settings: StageSettings) -> Arrays:
    return {"value": inputs["magnifier"]["value"]}


STAGE = Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": StageSettings()}, compute_nothing)


class Carrier:
    """A bus and a store with one worker; adds up its waiting seconds by call."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.bus, self.store, self.waited = bus, store, defaultdict(float)
        self.rounds = 0
        self.worker = Worker(StageHandler(STAGE, store), bus, store)
        for owner, calls in TIMED_CALLS.items():
            for call in calls:
                self._time_calls(self.worker.subscription if owner == "subscription" else getattr(self, owner), call)

    def _time_calls(self, owner: Any, call: str) -> None:
        inner: Callable[..., Any] = getattr(owner, call)

        def timed_call(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                self.waited[call] += time.perf_counter() - began

        setattr(owner, call, timed_call)

    def new_records(self, count: int) -> list[Record]:
        """New records with their input in the store; each round has its own subject."""
        self.rounds += 1
        made = []
        for number in range(count):
            sample = Sample(dataset="d", subject=f"s{self.rounds}", clip=str(number), onset=0, offset=1, fps=200)
            artifact = write_artifact(self.store, f"magnifier/{sample.identity}/r.npz", {"value": np.array(number)})
            made.append(Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t"))
        return made

    def publish_records(self, records: list[Record]) -> None:
        for record in records:
            self.bus.publish(CONSUMED_TOPIC, record.key, record.encode())

    def process_records(self, count: int) -> dict[str, float]:
        """Milliseconds per record: in all, of CPU, and of waiting by call."""
        self.waited.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            if not self.worker.step(PATIENCE_SECONDS):
                raise TimeoutError(f"A published record did not arrive within {PATIENCE_SECONDS:g} s.")
        spent = {"all": time.perf_counter() - wall, "CPU of the process": time.process_time() - cpu}
        parts = {call: self.waited[call] for calls in TIMED_CALLS.values() for call in calls}
        return {name: 1000 * seconds / count for name, seconds in (spent | parts).items()}

    def measure_idle_hops(self, records: list[Record]) -> dict[str, float]:
        hops = []
        for record in records:
            began = time.perf_counter()
            self.publish_records([record])
            self.process_records(1)
            hops.append(1000 * (time.perf_counter() - began))
        return {"all": statistics.median(hops), "longest": max(hops)}

    def measure_round(self, count: int) -> dict[str, dict[str, float]]:
        records = self.new_records(count)
        self.publish_records(records)
        computed = self.process_records(count)
        self.publish_records(records)
        redelivered = self.process_records(count)
        return {
            "computed": computed,
            "redelivered": redelivered,
            "idle hop": self.measure_idle_hops(records[: count // 10]),
        }

    def close(self) -> None:
        self.bus.close()


@contextmanager
def clustered_carrier(folder: Path) -> Iterator[Carrier]:
    prefix = f"bench{os.getpid()}."
    with ExitStack() as opened:
        server = external() or opened.enter_context(_running_broker(folder))
        servers = opened.enter_context(SharedServers(folder / "s3"))
        store = opened.enter_context(servers.endpoint(NAMES[0]).bucket())
        topics = ensure_topics(server, [TOPICS[CONSUMED_TOPIC], TOPICS[PRODUCED_TOPIC]], prefix=prefix)
        carrier = Carrier(KafkaBus(server, prefix=prefix), store)
        yield carrier
        carrier.close()
        admin = KafkaAdminClient(bootstrap_servers=server)
        admin.delete_topics(topics)
        admin.close()


@contextmanager
def _running_broker(folder: Path) -> Iterator[str]:
    server = KafkaServer(folder)
    server.start()
    yield server.bootstrap
    server.stop()


@contextmanager
def embedded_carrier(folder: Path) -> Iterator[Carrier]:
    carrier = Carrier(LocalBus(folder / "bus.sqlite"), LocalStore(folder / "store"))
    yield carrier
    carrier.close()


def measure_carriers(carriers: dict[str, Carrier], rounds: int, count: int) -> dict[str, Any]:
    """Medians over the rounds by carrier and kind of record, after one warm-up round."""
    found: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in carriers}
    for number in range(rounds + 1):
        for name, carrier in carriers.items():
            result = carrier.measure_round(count if number else max(10, count // 10))
            if number:
                found[name].append(result)
    return {
        name: {
            kind: {part: round(statistics.median(r[kind][part] for r in results), 3) for part in results[0][kind]}
            for kind in results[0]
        }
        for name, results in found.items()
    }


def main() -> None:
    parser = argument_parser(__doc__, result_file("bus"))
    parser.add_argument("--records", type=int, default=200, help="per round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        clustered_carrier(Path(folder)) as far,
        embedded_carrier(Path(folder)) as near,
    ):
        found = measure_carriers({"kafka + s3": far, "embedded": near}, options.rounds, options.records)
    kinds = found["embedded"]
    ratios = {kind: round(found["kafka + s3"][kind]["all"] / kinds[kind]["all"], 2) for kind in kinds}
    rates = {name: {kind: round(1000 / by[kind]["all"], 1) for kind in by} for name, by in found.items()}
    report = {
        "benchmark": "bus",
        "machine": describe_machine("kafka-python", "minio"),
        "records x rounds": [options.records, options.rounds],
        "records per second": rates,
        "ms per record": found,
        "ratio kafka + s3 / embedded": ratios,
    }
    write_result(options.out, report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

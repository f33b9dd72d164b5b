"""What the child process of a service costs: a stage that computes nothing, over the embedded bus and store.

    PYTHONPATH=. python benchmarks/child_cost.py    # half a minute; writes benchmarks/results/child_cost.json

Workers take turns, record by record, so that other work on the machine affects all of them: one that works in its own
process, one with a child, and one with a child and marks of attempts. Times are wall times per record, medians. An
array of 20 MB goes in and out, as between the magnifier and the flow. `replacement`: from the death of a child to the
answer of the next one.
"""

import statistics
import tempfile
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from shared.connect import open_bus, open_store
from shared.records import Record, Sample
from shared.settings import Settings
from shared.stage import Arrays, Stage, StageSettings
from shared.telemetry import Metrics
from shared.worker import Worker
from shared.worker.child import Child, ChildLimits, ChildSide
from shared.worker.child_handler import ChildHandler, build_stage_handler
from shared.worker.process import build_service_worker
from shared.worker.stage_handler import StageHandler, write_artifact

ARRAY_BYTES = 20_000_000


def pass_on(inputs: Any, settings: StageSettings) -> Arrays:
    """The input, uint8 [bytes]."""
    return {"value": inputs["magnifier"]["value"]}


STAGE = Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": StageSettings()}, pass_on)


def build_echo(side: ChildSide) -> tuple[str, Any]:
    return "ready", lambda request: request


def open_worker(home: Path, kind: str) -> Worker:
    settings, metrics, stopping = Settings(home=home), Metrics(), threading.Event()
    bus, store = open_bus(settings), open_store(settings)
    if kind == "own process":
        return Worker(StageHandler(STAGE, store), bus, store, settings, metrics, stopping)
    module = "benchmarks.child_cost"
    handler = ChildHandler("flow", partial(build_stage_handler, module), settings, metrics, stopping, [module])
    if kind == "child":
        return Worker(handler, bus, store, settings, metrics, stopping)
    return build_service_worker(handler, bus, store, settings, metrics, stopping)


def measure_record(worker: Worker, number: int) -> float:
    """Milliseconds from the take of a record to its commit."""
    sample = Sample(dataset="d", subject="s", clip=str(number), emotion="o", onset=0, apex=1, offset=2, fps=200)
    artifact = write_artifact(
        worker.store, f"magnifier/{number}.npz", {"value": np.full(ARRAY_BYTES, number, np.uint8)}
    )
    record = Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t")
    worker.bus.publish("mer.magnified", record.key, record.encode())
    began = time.perf_counter()
    worker.step()
    return 1000 * (time.perf_counter() - began)


def measure_replacement() -> float:
    """Milliseconds from the death of a child to the answer of the next one."""
    with closing(Child(build_echo, ChildLimits(60), ["benchmarks.child_cost"])) as child:
        child.ask("warm up")
        process = child._process
        assert process is not None
        process.kill()
        process.join()
        began = time.perf_counter()
        child.ask("again")
        return 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = argument_parser(__doc__, result_file("child_cost"))
    parser.add_argument("--records", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kinds = ("own process", "child", "child and marks")
        workers = {kind: open_worker(Path(folder) / kind.replace(" ", "-"), kind) for kind in kinds}
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(given.records):
            for kind, worker in workers.items():
                found[kind].append(measure_record(worker, number))
        for worker in workers.values():
            worker.close()
            worker.bus.close()
    milliseconds = {kind: round(statistics.median(each[1:]), 2) for kind, each in found.items()}
    milliseconds["replacement"] = round(statistics.median(measure_replacement() for _ in range(9)), 2)
    report = {"machine": describe_machine(), "records": given.records, "median milliseconds": milliseconds}
    write_result(given.out, report)
    print(report)


if __name__ == "__main__":
    main()

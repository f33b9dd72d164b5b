"""The start of a run over many clips: CPU seconds and memory of the console's process.

    PYTHONPATH=. python benchmarks/scale_run.py     # minutes; writes benchmarks/results/scale-run.json

Drawn datasets with all feature records are published on an embedded bus. `python -m services.console` serves them, and
`POST /runs` starts a leave-one-subject-out run of the model fmer-lite with its baselines on the first of them, which
has 656 people. `other clips` are of further datasets, whose records the console holds too. `planner bytes a clip` is
the memory that the planner takes to list the folds of that run.
"""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.drawn_features import draw_dataset, draw_record
from shared.bus.local import LocalBus
from shared.bus.topics import FEATURES, RUNS
from shared.dataset_notices import announce_dataset
from shared.records import Run
from shared.store import LocalStore
from shared.topic_views import record_view
from shared.training import definition

CLIPS = ((7_500, 0), (7_500, 22_500), (30_000, 0))  # of the run, and others beside them
SECONDS_TO_START = 300


def publish_clips(home: Path, number: int, clips: int) -> None:
    """Announce a complete dataset of so many clips, and publish their features."""
    bus, store = LocalBus(home / "bus.sqlite"), LocalStore(home / "store")
    announce_dataset(bus, store, draw_dataset(number, clips).model_copy(update={"complete": True}))
    for clip in range(clips):
        record = draw_record(number, clip)
        bus.publish(FEATURES.name, record.key, record.encode())
    bus.close()


@contextlib.contextmanager
def serve_console(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process of a console that answers, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as api, socket.create_server(("127.0.0.1", 0)) as health:
        ports = {"MER_API_PORT": api.getsockname()[1], "MER_PORT": health.getsockname()[1]}
    variables = {"MER_HOME": home, "MER_DEVICE": "cpu", **ports}
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    process = subprocess.Popen([sys.executable, "-m", "services.console"], env=environment)
    address, deadline = f"http://127.0.0.1:{ports['MER_API_PORT']}", time.monotonic() + SECONDS_TO_START
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/datasets", timeout=SECONDS_TO_START).read()
                break
            except URLError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield process, address
    finally:
        process.terminate()
        process.wait()


def read_memory(process: int, field: str) -> int:
    """MB of a process: `VmRSS`, the present memory, or `VmHWM`, its peak."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000)


def read_cpu_seconds(process: int) -> float:
    """Those that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_start(clips: int, others: int) -> dict[str, Any]:
    """Figures by name."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for number, count in enumerate((clips, others)):
            publish_clips(home, number, count)
        with serve_console(home) as (process, address):
            figures = {"clips": clips, "other clips": others, "MB before": read_memory(process.pid, "VmRSS")}
            figures["MB at the peak before"] = read_memory(process.pid, "VmHWM")
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak is that of the request alone
            body = json.dumps({"datasets": ["dataset000"], "model": "fmer-lite"}).encode()
            started = read_cpu_seconds(process.pid)
            answer, tries = start_run(f"{address}/runs", body)
            figures |= {
                "folds": answer["folds"]["total"],
                "requests": tries,
                "cpu s": round(read_cpu_seconds(process.pid) - started, 2),
                "MB at the peak": read_memory(process.pid, "VmHWM"),
            }
        (run,) = record_view(LocalBus(home / "bus.sqlite"), RUNS.name, lambda key: Run).read_newest().values()
        tracemalloc.start()
        definition.list_stored_folds(LocalStore(home / "store"), run)
        planner_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return {**figures, "planner bytes a clip": round(planner_bytes / clips)}


def start_run(url: str, body: bytes) -> tuple[dict[str, Any], int]:
    """The answer to a request that is repeated as long as the console asks for this, and the number of requests."""
    for tries in itertools.count(1):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            return json.load(urllib.request.urlopen(request, timeout=SECONDS_TO_START)), tries
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
    raise AssertionError


def main() -> None:
    options = argument_parser(__doc__, result_file("scale-run")).parse_args()
    starts = []
    for clips, others in CLIPS:
        starts.append(measure_start(clips, others))
        print(starts[-1], flush=True)
    write_result(options.out, {"machine": describe_machine(), "starts": starts})


if __name__ == "__main__":
    main()

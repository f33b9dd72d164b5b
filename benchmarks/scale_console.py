"""The console's pages at 10,000 clips and 1,000 runs beside those of a stack with one of each, and an hour of updates.

    PYTHONPATH=. python benchmarks/scale_console.py   # minutes; writes benchmarks/results/scale-console.json

Two consoles are served, each in a process of its own. The small one has one clip, run, video and dead letter. The large
one has 10,000 clips, 1,000 runs with 36 folds each, 1,000 videos and 10,000 dead letters. Every page reads the state
anew, as in the worst moment: a stack does so every 2 s. A page is opened five times, and the fastest counts.

Then 1,000,000 records of features arrive in 1,800 parts: so often does a page look for changes in an hour. Each
part is read by a page. Records are drawn while they are read, so memory and time are without those of a Kafka client.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.common import describe_machine, result_file, time_call, write_result
from benchmarks.drawn_features import DrawnTopic, draw_dataset, draw_record
from benchmarks.scale_run import read_cpu_seconds, read_memory
from services.console.server import ConsoleServer
from shared.bus import Follower, Message
from shared.bus.dead_letters import bury_message
from shared.bus.local import LocalBus
from shared.bus.topics import FEATURES, RESULTS, SOURCES, VIDEOS
from shared.dataset_notices import announce_dataset
from shared.pipeline_state import PipelineState
from shared.records import Figures, FoldResult, Record, RunResult
from shared.settings import Settings
from shared.store import LocalStore
from shared.video_records import Video

RECORDS, PARTS = 1_000_000, 1_800
FOLDS, LEARNERS = 12, ("fmer-lite", "linear", "majority")
STARTED = datetime(2026, 3, 1, 9, tzinfo=UTC)
DATASET = "dataset000"
LIMIT_SECONDS = 300


@dataclass(frozen=True)
class StackSize:
    """Numbers of what the stack has."""

    clips: int
    runs: int
    videos: int
    letters: int


SIZES = {"small": StackSize(1, 1, 1, 1), "large": StackSize(10_000, 1_000, 1_000, 10_000)}


class DrawnBus(LocalBus):
    """An embedded bus whose features and results are drawn."""

    def __init__(self, file: Path, size: StackSize) -> None:
        super().__init__(file)
        self.features = DrawnTopic(draw_record(0, clip) for clip in range(size.clips))
        self._drawn = {FEATURES.name: self.features, RESULTS.name: DrawnTopic(draw_results(size.runs))}

    def follow(self, topic: str) -> Any:
        drawn: Follower | None = self._drawn.get(topic)
        return drawn or super().follow(topic)


def draw_results(runs: int) -> Iterator[FoldResult | RunResult]:
    for number in range(runs):
        run, seed = f"{number:032x}", number
        common = {"run": run, "dataset": DATASET, "pipeline": draw_dataset(0, 1).pipeline.digest, "seed": seed}
        for learner in LEARNERS:
            for fold in range(FOLDS):
                yield FoldResult(
                    learner=learner,
                    held_out=f"{DATASET}/s{fold:04d}",
                    trained_on=9_000,
                    tested_on=1_000,
                    accuracy=0.5,
                    seconds=12.5,
                    outcome=f"folds/{run}/{learner}/{fold}.json",
                    **common,
                )
        figures = dict.fromkeys(LEARNERS, Figures(uf1=0.5, uar=0.5, accuracy=0.5, au_f1=0.5))
        files = {name: f"reports/{DATASET}/{run}/{name}" for name in ("predictions.csv", "report.html", "report.json")}
        created = STARTED + timedelta(minutes=number)
        yield RunResult(status="done", figures=figures, files=files, created=created, model="fmer-lite", **common)


def fill_stack(bus: LocalBus, store: LocalStore, size: StackSize) -> None:
    """Publish what is not drawn, and store the curves of the folds of the newest run."""
    announce_dataset(bus, store, draw_dataset(0, size.clips))
    for result in draw_results(1):
        if isinstance(result, FoldResult):
            epochs = [{"number": n, "loss": 2 / (n + 1), "uf1": n / 60} for n in range(60)]
            store.put(result.outcome, json.dumps({"epochs": epochs}).encode())
    for number in range(size.videos):
        video = Video(name=f"interviews/video {number:05d}.mp4", mark="m", size=1, trace="t", created=STARTED)
        bus.publish(VIDEOS.name, video.key, video.encode())
    for number in range(size.letters):
        record = draw_record(1, number)
        message = Message(SOURCES.name, 0, number, record.key, record.encode())
        bury_message(bus, store, "ingest", message, f"{record.sample.identity}: no face in frame 1.", {})


def serve_stack(name: str, folder: Path) -> None:
    """Serve a console and print its port. Then read numbers of records to draw, until the input ends."""
    bus, store = DrawnBus(folder / "bus.sqlite", SIZES[name]), LocalStore(folder / "store")
    fill_stack(bus, store, SIZES[name])
    stopping = threading.Event()
    server = ConsoleServer(PipelineState(bus, store), Settings(api_port=0), stopping, LIMIT_SECONDS, refresh_seconds=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    print(server.port, flush=True)
    clips = count()
    for line in sys.stdin:
        numbers = [next(clips) % SIZES[name].clips for _ in range(int(line))]
        bus.features.waiting = map(redraw_record, numbers)
        print(bus.features.drawing_seconds, flush=True)
    stopping.set()
    thread.join()
    bus.close()


def redraw_record(clip: int) -> Record:
    """The features of a clip as they are published once more: other bytes under the same key."""
    record = draw_record(0, clip)
    return record.model_copy(update={"trace": hashlib.sha256(os.urandom(8)).hexdigest()[:32]})


class ServedConsole:
    """A console in a process of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        command = [sys.executable, __file__, name, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.pool = urllib3.HTTPConnectionPool("127.0.0.1", int(self.process.stdout.readline()), timeout=LIMIT_SECONDS)

    def open_page(self, path: str) -> str:
        answer = self.pool.request("GET", path, headers={"Accept": "text/html"}, redirect=False)
        assert answer.status == 200, (path, answer.status, answer.data)
        return str(answer.data.decode())

    def draw_records(self, count: int) -> float:
        """Let so many records of features arrive at the next read. Returns the CPU seconds of drawing so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(count, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(LIMIT_SECONDS)


def list_paths(console: ServedConsole) -> dict[str, str]:
    """Addresses by what they show. Those of a letter and of a video are read from the lists."""
    (letter, *_) = re.findall('href="(/dead-letters/[0-9a-f]{8})"', console.open_page("/dead-letters"))
    (video, *_) = re.findall('href="(/videos/[0-9a-f]{16})"', console.open_page("/videos"))
    return {
        "home": "/",
        "datasets": "/datasets",
        "a dataset": f"/datasets/{DATASET}",
        "clips": f"/datasets/{DATASET}/clips",
        "clips, a search": f"/datasets/{DATASET}/clips?search=clip",
        "a clip": f"/datasets/{DATASET}/clips/s0000/clip00000",
        "runs": "/runs",
        "a run": f"/runs/{0:032x}",
        "a form for a run": "/runs/new",
        "videos": "/videos",
        "a video": video,
        "dead letters": "/dead-letters",
        "a dead letter": letter,
        "uploads": "/uploads",
        "HTTP API": "/docs",
    }


def time_pages(console: ServedConsole) -> dict[str, float]:
    """Milliseconds of each page."""
    return {name: 1000 * time_page(console, path) for name, path in list_paths(console).items()}


def time_page(console: ServedConsole, path: str) -> float:
    console.open_page(path)
    return time_call(lambda: console.open_page(path), runs=5).wall_seconds


def follow_updates(console: ServedConsole) -> dict[str, Any]:
    """Memory before, in the midst of and after the records of an hour, and what reading them costs."""
    drawn, used = console.draw_records(0), read_cpu_seconds(console.process.pid)
    memory = [read_memory(console.process.pid, "VmRSS")]
    for part in range(PARTS):
        console.draw_records(RECORDS * (part + 1) // PARTS - RECORDS * part // PARTS)
        console.open_page("/datasets")
        if (part + 1) % (PARTS // 6) == 0:
            memory.append(read_memory(console.process.pid, "VmRSS"))
    drawn, used = console.draw_records(0) - drawn, read_cpu_seconds(console.process.pid) - used
    return {
        "records": RECORDS,
        "parts": PARTS,
        "MB by sixths": memory,
        "cpu ms of a part": round(1000 * (used - drawn) / PARTS, 1),
    }


def measure_consoles(folder: Path) -> dict[str, Any]:
    pages, figures = {}, {}
    for name in SIZES:
        (folder / name).mkdir()
        console = ServedConsole(name, folder / name)
        pages[name] = time_pages(console)
        figures[f"MB of the {name} console"] = read_memory(console.process.pid, "VmRSS")
        if name == "large":
            figures["updates"] = follow_updates(console)
        console.end()
    rows = {
        page: {
            "small ms": round(small, 1),
            "large ms": round(pages["large"][page], 1),
            "ratio": round(pages["large"][page] / small, 1),
        }
        for page, small in pages["small"].items()
    }
    return {"pages": rows, **figures}


def main() -> None:
    if len(sys.argv) == 3:
        serve_stack(sys.argv[1], Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_consoles(Path(folder))
    result = {"machine": describe_machine(), "sizes": {name: asdict(size) for name, size in SIZES.items()}, **figures}
    print(json.dumps(result, indent=1))
    write_result(result_file("scale-console"), result)


if __name__ == "__main__":
    main()

"""`mer run` end to end: where the time goes, one process against two, memory per worker, what is stored.

    python benchmarks/end_to_end.py                  # 16 clips; writes benchmarks/results/end-to-end.json
    python benchmarks/end_to_end.py --size casme2    # and reckons CASME II (255 clips) from them, and says so
    python benchmarks/end_to_end.py --long           # one clip of 2,000 frames at 1280x720 instead

Clips are drawn by `mer synth` (seed 0) at CASME II's size and rate, 640x480 and 200 fps, and go through all stages at
their defaults, training left out. Time per stage: with one process a record's time is what passed since the process
logged the one before. Memory: the most that a worker process ever held (VmHWM), the interpreter and torch included.
"""

import argparse
import io
import itertools
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import describe_machine
from merstream import synth
from merstream.embedded.pipeline import StageRun, run_stages
from merstream.embedded.run_folder import Workspace
from merstream.stages import STAGES
from shared.records import Record
from shared.store import npz

RESULTS = Path(__file__).parent / "results"
CASME2_CLIPS = 255  # clips
LONG_CLIP = (2000, 720, 1280)  # frames, rows, columns
SAMPLE_SECONDS = 0.1


class MemoryPeaks:
    """The most memory that each worker process has held, MB, by the number of clips that had features then."""

    def __init__(self) -> None:
        self.finished, self.seen = 0, defaultdict[int, dict[int, float]](dict)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_memory, daemon=True)

    def __enter__(self) -> "MemoryPeaks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample_memory(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for child in multiprocessing.active_children():
                if child.pid and (peak := peak_memory_mb(child.pid)):
                    self.seen[self.finished][child.pid] = peak

    def peak_after(self, clips: int) -> float:
        """Of the worker that held most, until so many clips were done."""
        return max((mb for done, by in self.seen.items() if done <= clips for mb in by.values()), default=0.0)


def peak_memory_mb(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def time_run(dataset: Path, out: Path, jobs: int) -> tuple[float, MemoryPeaks, list[Record]]:
    """Wall seconds of the image stages, the workers' memory, and the features."""
    with MemoryPeaks() as peaks:

        def count_finished(tally: Any) -> None:
            peaks.finished = tally.done.get("roi-au", 0)

        start = time.perf_counter()
        outcome = run_stages(StageRun(dataset), Workspace(out), jobs=jobs, on_tally=count_finished)
        seconds = time.perf_counter() - start
    assert not outcome.failures, outcome.failures
    return seconds, peaks, outcome.features


def seconds_by_stage(out: Path) -> dict[str, list[float]]:
    """Seconds of each record by stage, from the manifests of a run with one process."""
    store = Workspace(out).open_store()
    manifests = [Record.decode(store.get(key)) for key in store.list_keys("") if key.endswith(".json")]
    done = sorted((record.created, record.stage) for record in manifests if record.stage != "source")
    seconds: dict[str, list[float]] = {stage.name: [] for stage in STAGES}
    for (before, _), (now, stage) in itertools.pairwise(done):
        seconds[stage].append((now - before).total_seconds())
    return seconds


def stored_megabytes(records: list[Record]) -> dict[str, float]:
    """MB per clip of each stage's artifact, compression not applied."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for record in records:
        for name, artifact in {**record.inputs, record.stage: record.artifact}.items():
            sizes[name].append(artifact.size)
    return {name: round(statistics.mean(each) / 1e6, 2) for name, each in sizes.items()}


def measure_compression(records: list[Record], out: Path) -> list[dict[str, Any]]:
    """What deflate at its fastest would save, and what it would cost: the choice is to store as it is."""
    store, rows = Workspace(out).open_store(), []
    for name, artifact in {**records[0].inputs, records[0].stage: records[0].artifact}.items():
        if name == "source":
            continue  # JPEG already
        data = store.get(artifact.key)
        start = time.process_time()
        small = len(deflate_arrays(npz.unpack_arrays(data)))
        seconds = time.process_time() - start
        rows.append({"artifact": name, "MB": len(data) / 1e6, "deflated MB": small / 1e6, "CPU s": seconds})
    return [{key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()} for row in rows]


def deflate_arrays(arrays: dict[str, Any]) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def measure_sample(clips: int, size: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        synth.write_dataset(place / "drawn", subjects=4, clips=max(1, clips // 4), seed=0, jobs=2, truth=False)
        one, peaks, records = time_run(place / "drawn", place / "one", 1)
        two, _, _ = time_run(place / "drawn", place / "two", 2)
        seconds = seconds_by_stage(place / "one")
        steady = {name: statistics.median(each) for name, each in seconds.items()}
        whole = sum(steady.values())
        result: dict[str, Any] = {
            "clips": len(records),
            "frames per clip": statistics.mean(record.sample.offset - record.sample.onset + 1 for record in records),
            "s per clip": {name: round(value, 3) for name, value in steady.items()},
            "share": {name: round(value / whole, 3) for name, value in steady.items()},
            "wall s": {"1 process": round(one, 1), "2 processes": round(two, 1), "ratio": round(one / two, 2)},
            "peak MB per worker": {str(k): round(peaks.peak_after(k)) for k in (len(records) // 4, len(records))},
            "MB stored per clip": stored_megabytes(records),
            "deflate": measure_compression(records, place / "one"),
        }
    if size == "casme2":
        result["CASME II, reckoned from this sample"] = {
            "clips": CASME2_CLIPS,
            "core hours": round(whole * CASME2_CLIPS / 3600, 2),
            "GB stored, all": round(sum(result["MB stored per clip"].values()) * CASME2_CLIPS / 1000, 1),
            "GB stored, features only": round(
                sum(result["MB stored per clip"][name] for name in ("source", "roi-au")) * CASME2_CLIPS / 1000, 1
            ),
        }
    return result


def measure_long_clip() -> dict[str, Any]:
    """One clip of 2,000 frames at 1280x720, as a video; its apex in the middle."""
    frames, rows, columns = LONG_CLIP
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        synth.write_dataset(place / "drawn", subjects=1, clips=1, seed=0, size=(rows, columns), truth=False)
        pictures = sorted((place / "drawn").rglob("img*.jpg"))
        (place / "long").mkdir()
        video = cv2.VideoWriter(str(place / "long" / "long.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 200, (columns, rows))
        faces = [cv2.imread(str(picture)) for picture in pictures]
        there_and_back = [*range(len(faces)), *range(len(faces) - 2, 0, -1)]
        for number in range(frames):
            video.write(faces[there_and_back[number % len(there_and_back)]])
        video.release()
        row = f"d,s,long,long.mp4,0,{frames // 2},{frames - 1},200,happiness,12"
        (place / "long" / "clips.csv").write_text(
            f"dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus\n{row}\n"
        )
        seconds, peaks, records = time_run(place / "long", place / "out", 1)
        return {
            "frames": frames,
            "rows x columns": f"{rows} x {columns}",
            "wall s": round(seconds, 1),
            "peak MB of the worker": round(peaks.peak_after(1)),
            "MB stored": stored_megabytes(records),
        }


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--clips", type=int, default=16)
    asked.add_argument("--size", choices=("sample", "casme2"), default="sample")
    asked.add_argument("--long", action="store_true")
    asked.add_argument("--out", type=Path)
    args = asked.parse_args()
    result = measure_long_clip() if args.long else measure_sample(args.clips, args.size)
    print(json.dumps(result, indent=2))
    out = args.out or RESULTS / ("long-clip.json" if args.long else "end-to-end.json")
    out.write_text(
        json.dumps(result | describe_machine("numpy", "opencv-python-headless", "torch", "numba"), indent=2) + "\n"
    )


if __name__ == "__main__":
    main()

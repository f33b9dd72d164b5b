"""`mer run` end to end: time by stage, one process against two, memory per worker, size of the store.

    PYTHONPATH=. python benchmarks/end_to_end.py                  # 16 clips; writes benchmarks/results/end-to-end.json
    PYTHONPATH=. python benchmarks/end_to_end.py --size casme2    # also extrapolates to CASME II (255 clips)
    PYTHONPATH=. python benchmarks/end_to_end.py --long           # one clip of 2,000 frames at 1280x720; long-clip.json

Clips are drawn by `mer synth` (seed 0) at CASME II's size and rate, 640x480 and 200 fps, and go through all stages at
their defaults, without training. Time per stage is measured with one process: a record's time is that since the record
before. Memory is the peak of a worker process (VmHWM), with the interpreter and torch.
"""

import io
import itertools
import json
import multiprocessing
import statistics
import tempfile
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from merstream import synth
from merstream.embedded.pipeline import StageRun, run_stages
from merstream.embedded.run_folder import Workspace
from merstream.stages import STAGES
from shared.records import Record
from shared.store import npz

CASME2_CLIPS = 255  # clips
LONG_CLIP = (2000, 720, 1280)  # frames, rows, columns
SAMPLE_SECONDS = 0.1  # s between two samples of memory


class MemoryPeaks:
    """Peak memory of each worker process, MB, by the number of clips that had features at that time."""

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
        """The largest peak of a worker, MB, until so many clips were done."""
        return max((mb for done, by in self.seen.items() if done <= clips for mb in by.values()), default=0.0)


def peak_memory_mb(pid: int) -> float | None:
    """Peak resident memory of a process, MB; None if the process has ended."""
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

        timed = time_call(lambda: run_stages(StageRun(dataset), Workspace(out), jobs=jobs, on_tally=count_finished))
    assert not timed.result.failures, timed.result.failures
    return timed.wall_seconds, peaks, timed.result.features


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
    """MB per clip of each stage's artifact, uncompressed."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for record in records:
        for name, artifact in {**record.inputs, record.stage: record.artifact}.items():
            sizes[name].append(artifact.size)
    return {name: round(statistics.mean(each) / 1e6, 2) for name, each in sizes.items()}


def measure_compression(records: list[Record], out: Path) -> list[dict[str, Any]]:
    """Size and CPU seconds of deflate: the figures behind the choice to store uncompressed."""
    store, rows = Workspace(out).open_store(), []
    for name, artifact in {**records[0].inputs, records[0].stage: records[0].artifact}.items():
        if name == "source":
            continue  # JPEG already
        data = store.get(artifact.key)
        timed = time_call(lambda data=data: len(deflate_arrays(npz.unpack_arrays(data))))
        sizes = {"MB": len(data) / 1e6, "deflated MB": timed.result / 1e6}
        rows.append({"artifact": name, **sizes, "CPU s": timed.cpu_seconds})
    return [{key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()} for row in rows]


def deflate_arrays(arrays: dict[str, Any]) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def measure_sample(clips: int, size: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        synth.write_dataset(root / "drawn", subjects=4, clips=max(1, clips // 4), seed=0, jobs=2, truth=False)
        one, peaks, records = time_run(root / "drawn", root / "one", 1)
        two, _, _ = time_run(root / "drawn", root / "two", 2)
        seconds = seconds_by_stage(root / "one")
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
            "deflate": measure_compression(records, root / "one"),
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
    """One clip of 2,000 frames at 1280x720, as a video, with its apex in the middle."""
    frames, rows, columns = LONG_CLIP
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        synth.write_dataset(root / "drawn", subjects=1, clips=1, seed=0, size=(rows, columns), truth=False)
        pictures = sorted((root / "drawn").rglob("img*.jpg"))
        (root / "long").mkdir()
        video = cv2.VideoWriter(str(root / "long" / "long.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 200, (columns, rows))
        faces = [cv2.imread(str(picture)) for picture in pictures]
        there_and_back = [*range(len(faces)), *range(len(faces) - 2, 0, -1)]
        for number in range(frames):
            video.write(faces[there_and_back[number % len(there_and_back)]])
        video.release()
        row = f"d,s,long,long.mp4,0,{frames // 2},{frames - 1},200,happiness,12"
        (root / "long" / "clips.csv").write_text(
            f"dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus\n{row}\n"
        )
        seconds, peaks, records = time_run(root / "long", root / "out", 1)
        return {
            "frames": frames,
            "rows x columns": f"{rows} x {columns}",
            "wall s": round(seconds, 1),
            "peak MB of the worker": round(peaks.peak_after(1)),
            "MB stored": stored_megabytes(records),
        }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--size", choices=("sample", "casme2"), default="sample")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = measure_long_clip() if options.long else measure_sample(options.clips, options.size)
    print(json.dumps(result, indent=2))
    out = options.out or result_file("long-clip" if options.long else "end-to-end")
    write_result(out, result | describe_machine("numpy", "opencv-python-headless", "torch", "numba"))


if __name__ == "__main__":
    main()

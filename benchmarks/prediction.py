"""What `mer predict` costs: seconds to the result, CPU seconds and memory, first and second call, and by length.

    PYTHONPATH=. python benchmarks/prediction.py --seconds 30 120
    # minutes; writes benchmarks/results/prediction.json

Drawn videos (`merstream.synth`, 640x480, 30 frames/s, seed 7) go through the command in a process of its own. Memory is
that of the largest process at its peak. Wall seconds mean something on an idle machine alone, so `load` is stored too.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from merstream import synth
from merstream.prediction.files import read_prediction

SEED, FPS = 7, 30.0


def measure_command(arguments: list[str]) -> dict[str, Any]:
    """Wall and CPU seconds and peak memory (MB) of `mer` with these arguments, in a process of its own."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "merstream", *arguments]
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    child = os.posix_spawn(sys.executable, command, dict(os.environ), file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    return {
        "exit code": os.waitstatus_to_exitcode(status),
        "wall s": round(time.perf_counter() - started, 1),
        "CPU s": round(used.ru_utime + used.ru_stime, 1),
        "peak MB of the largest process": used.ru_maxrss // 1024,
    }


def measure_video(seconds: float, folder: Path, jobs: int) -> dict[str, Any]:
    """The costs of a drawn video of this length: first call, second call."""
    (truth,) = synth.write_long_videos(folder / f"{seconds:g}", subjects=1, seed=SEED, seconds=seconds, fps=FPS)
    video, out = truth.with_suffix(".mp4"), folder / f"out{seconds:g}"
    arguments = ["predict", str(video), "--out", str(out), "--jobs", str(jobs)]
    first, second = measure_command(arguments), measure_command(arguments)
    found = read_prediction(out / video.stem)
    shutil.rmtree(out)
    return {
        "seconds": seconds,
        "frames": found.video.frames,
        "events": len(found.events),
        "first call": first,
        "second call": second,
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[30.0, 120.0], help="lengths of the videos")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure_video(seconds, Path(folder), given.jobs) for seconds in given.seconds]
    write_result(
        result_file("prediction"),
        {"machine": describe_machine("opencv-python-headless", "torch"), "jobs": given.jobs, "videos": rows},
    )


if __name__ == "__main__":
    main()

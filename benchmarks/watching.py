"""What the pass over a recording costs: CPU per frame of reading, following and measuring, and memory.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/watching.py [--long VIDEO]

Drawn persons (`mer synth --long`, seed 41) speak, blink and show expressions at 30 frames/s; the video is H.264.
Larger frames are the same ones enlarged. Each figure is CPU ms a frame of one process with one thread. "memory" is the
resident memory, MB, of a pass over VIDEO, or the drawn 640x480 one, at the end of each quarter.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from merstream.synth.long_video import compose_long_video, draw_long_video
from services.spotter.face_following import FaceFollower
from services.spotter.recording import open_recording
from services.spotter.watch_store import WatchPlace
from services.spotter.watching import watch_recording

SEED, RATE = 41, 30
SIZES = {"640x480": (640, 480), "1280x720": (1280, 720), "1920x1080": (1920, 1080)}
Pixels = NDArray[np.uint8]


def draw_frames(seconds: float, subject: int) -> list[Pixels]:
    """Frames [480, 640, 3] of a drawn person."""
    return list(draw_long_video(compose_long_video(SEED, subject, seconds=seconds, fps=RATE)))


def enlarge_frames(frames: list[Pixels], size: tuple[int, int]) -> Iterator[Pixels]:
    """The frames at another size (columns, rows), cut above and below."""
    columns, rows = size
    for frame in frames:
        large = cv2.resize(frame, None, fx=columns / 640, fy=columns / 640, interpolation=cv2.INTER_CUBIC)
        top = (large.shape[0] - rows) // 2
        yield np.asarray(large[top : top + rows], np.uint8)


def write_video(file: Path, frames: Iterator[Pixels]) -> Path:
    """An H.264 video of frames [H, W, 3], as a phone or a webcam writes it."""
    with av.open(str(file), "w") as target:
        stream = None
        for pixels in frames:
            if stream is None:
                stream = target.add_stream("libx264", rate=RATE, options={"crf": "20"})
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        if stream is not None:
            target.mux(stream.encode())
    return file


def write_videos(folder: Path, seconds: float) -> dict[str, Path]:
    """Videos by what they show, drawn here so that their frames are in memory no longer than this."""
    one, other = (draw_frames(seconds, subject) for subject in (1, 2))
    shown = {name: enlarge_frames(one, size) for name, size in SIZES.items()}
    shown["1280x480, two faces"] = (np.concatenate(pair, axis=1) for pair in zip(one, other, strict=True))
    return {name: write_video(folder / f"{number}.mp4", frames) for number, (name, frames) in enumerate(shown.items())}


def time_pass(file: Path) -> dict[str, float]:
    """CPU ms a frame of reading alone, of reading and following, and of the whole pass."""
    recording = open_recording(file)

    def read() -> int:
        return sum(1 for _ in recording.read_frames())

    def follow() -> list[Any]:
        follower = FaceFollower()
        return [follower.follow_frame(frame.pixels, frame.seconds) for frame in recording.read_frames()]

    spent = [time_call(work).cpu_seconds for work in (read, follow, lambda: watch_recording(recording))]
    reading, following, whole = (1e3 * each / recording.facts.frames for each in spent)
    parts = {"read": reading, "follow": following - reading, "measure": whole - following, "whole pass": whole}
    return {name: round(value, 1) for name, value in parts.items()}


def measure_memory(file: Path) -> list[float]:
    """Resident memory, MB, of this process at the end of each quarter of a pass that stores every minute."""
    recording = open_recording(file)
    found: list[float] = []

    def report(done: float, whole: float) -> None:
        if done >= (len(found) + 1) / 4 * (whole - 2 / RATE):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found.append(round(pages * 4096 / 1e6))

    with tempfile.TemporaryDirectory() as folder:
        watch_recording(recording, place=WatchPlace(Path(folder)), on_progress=report)
    return found


def main() -> None:
    parser = argument_parser(__doc__, out=result_file("watching"))
    parser.add_argument("--seconds", type=float, default=8.0, help="of each video; default: %(default)s")
    parser.add_argument("--long", type=Path, help="a long video whose pass shows what memory does")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    result: dict[str, Any] = {
        "machine": describe_machine("opencv-python-headless", "av", "numpy"),
        "seconds": arguments.seconds,
        "ms a frame": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        files = write_videos(Path(folder), arguments.seconds)
        for name, file in files.items():
            result["ms a frame"][name] = time_pass(file)
        long = arguments.long or files["640x480"]
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # without what the videos before left in memory
            memory = fresh.submit(measure_memory, long).result()
        result["memory"] = {"seconds": open_recording(long).facts.seconds, "MB": memory}
    write_result(arguments.out, result)


if __name__ == "__main__":
    main()

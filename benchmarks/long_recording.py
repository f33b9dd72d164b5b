"""What memory does over a long recording: `mer predict` with page and overlay, and what it holds of hours.

    OMP_NUM_THREADS=1 PYTHONPATH=. nice python benchmarks/long_recording.py [--minutes 5]

A drawn minute of 320x240 at 25 frames/s with one micro-expression is repeated by its packets, without another encoding.
"MB" is the largest resident memory of the process in each part of its work. The pass is shown by quarters of the
recording. "hours" has the page's curves of two hours of motion at 60 frames/s in segments of ten minutes, the longest
that there are, and the spotter's artifact of it. The worker of the stages is another process and is not counted.
"""

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from merstream.prediction.outputs import OutputChoice, write_outputs
from merstream.prediction.predictor import PredictionOptions, predict_recording
from merstream.synth import write_long_videos
from merstream.synth.long_events import LongVideoSettings
from services.spotter.motion_artifact import FaceArrays
from shared.prediction.page.motion_curves import plot_face_curves
from shared.spotting.face_motion import FaceMotion
from shared.spotting.regions import REGION_NAMES
from shared.spotting.spotting import spot_events
from shared.store.npz import write_arrays

SEED, RATE, SIZE = 43, 25, (240, 320)
CALM = LongVideoSettings(
    micro=1, macro=0, blink=4, speech=0, posture=0, light=0, in_macro=0, in_speech=0, in_posture=0, with_blink=0
)
SEGMENT, HOURS_RATE = 600.0, 60


def repeat_video(source: Path, file: Path, times: int) -> Path:
    """The video so many times in a row: its packets with later time stamps."""
    with av.open(str(file), "w") as target:
        stream, start = None, 0
        for _ in range(times):
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                end = start
                for packet in container.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, start + packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + start, packet.dts + start
                    packet.stream = stream
                    target.mux(packet)
                start = end
    return file


def read_memory() -> float:
    """Resident memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


class PeakMeter:
    """The largest resident memory of each part of a work, MB, looked at ten times a second."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}
        self.part = ""
        self._ended = threading.Event()

    @contextmanager
    def watch(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        yield
        self._ended.set()
        thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            if self.part:
                self.peaks[self.part] = max(self.peaks.get(self.part, 0.0), round(read_memory()))


def draw_recording(folder: Path, minutes: int) -> Path:
    """The drawn minute, so many times."""
    (truth,) = write_long_videos(folder, 1, 1, seed=SEED, seconds=60, size=SIZE, fps=RATE, settings=CALM)
    return repeat_video(truth.with_suffix(".mp4"), folder / "long.mp4", minutes)


def measure_prediction(video: Path) -> dict[str, Any]:
    """MB of each part of `mer predict --html --overlay` on a video."""
    meter = PeakMeter()

    def show_seconds(done: float, whole: float) -> None:
        meter.part = f"pass, quarter {min(int(4 * done / whole), 3) + 1}"

    def show_tally(tally: object) -> None:
        meter.part = "spotting and stages"

    with tempfile.TemporaryDirectory() as name, meter.watch():
        folder = Path(name)
        found = predict_recording(video, folder, PredictionOptions(), show_seconds, show_tally)
        meter.part = "page"
        write_outputs(found, OutputChoice(html=True))
        meter.part = "overlay"
        write_outputs(found, OutputChoice(overlay=True))
        page = (folder / "prediction.html").stat().st_size / 1e6
    facts, segments = found.recording.facts, [facts for face in found.faces for facts in face.segments.facts]
    return {
        "seconds": round(facts.seconds),
        "frames": facts.frames,
        "events": len(found.prediction.events),
        "longest segment, s": round(max(each.last - each.first for each in segments)),
        "page, MB": round(page, 1),
        "MB": meter.peaks,
    }


@dataclass(frozen=True)
class DrawnSegment:
    """A stretch of noise as the pass would have measured it."""

    motion: FaceMotion
    frames: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]
    boxes: np.ndarray[Any, Any]
    scores: np.ndarray[Any, Any]


@dataclass(frozen=True)
class DrawnHours:
    """A face over hours, made a segment at a time."""

    hours: float
    id: int = 1

    @property
    def segments(self) -> "DrawnHours":
        return self

    def __len__(self) -> int:
        return round(self.hours * 3600 / SEGMENT)

    def __getitem__(self, number: int) -> DrawnSegment:
        rng, count = np.random.default_rng(number), round(SEGMENT * HOURS_RATE)
        times = number * SEGMENT + np.arange(count) / HOURS_RATE
        moved = rng.normal(0, 0.002, (count, len(REGION_NAMES), 2))
        motion = FaceMotion(
            times,
            REGION_NAMES,
            moved,
            np.full(len(REGION_NAMES), 0.002),
            rng.normal(0, 0.01, (count, 5)),
            0.3 + rng.normal(0, 0.01, (count, 2)),
            rng.normal(0, 0.01, count),
            100 + rng.normal(0, 1, count),
            80.0,
        )
        return DrawnSegment(motion, np.arange(count), times, np.zeros((count, 4)), np.ones(count))


@dataclass(frozen=True)
class DrawnMotions:
    """The motions of the same, as often as they are asked for."""

    face: DrawnHours

    def __iter__(self) -> Iterator[FaceMotion]:
        return (self.face[number].motion for number in range(len(self.face)))


def measure_hours(part: str, hours: float) -> float:
    """MB that a part of the work adds for so many hours of motion."""
    meter, face = PeakMeter(), DrawnHours(hours)
    before, meter.part = read_memory(), part
    with meter.watch():
        if part == "curves":
            plot_face_curves(1, DrawnMotions(face), 3600 * hours)
        elif part == "spotting":
            for motion in DrawnMotions(face):
                spot_events(motion)
        else:
            with tempfile.TemporaryFile() as stream:
                write_arrays(stream, FaceArrays([face]))  # type: ignore[list-item]
    return round(meter.peaks[part] - before)


def main() -> None:
    parser = argument_parser(__doc__, out=result_file("long-recording"))
    parser.add_argument("--minutes", type=int, default=5, help="of the recording; default: %(default)s")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": describe_machine("opencv-python-headless", "av", "numpy"), "hours": {}}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        for part in ("curves", "spotting", "artifact"):
            added = {f"{hours} h": fresh.submit(measure_hours, part, hours).result() for hours in (0.5, 2)}
            result["hours"][part] = added
        write_result(arguments.out, result)
        with tempfile.TemporaryDirectory() as folder:
            video = fresh.submit(draw_recording, Path(folder), arguments.minutes).result()
            result["prediction"] = fresh.submit(measure_prediction, video).result()
    write_result(arguments.out, result)


if __name__ == "__main__":
    main()

"""Spotting on drawn long videos, scored as in the MEGC: by frame rate and noise, against a public rule and the old one.

    PYTHONPATH=. python -m benchmarks.spotting --seeds 251-260               # 30 frames/s, and the two other rules
    PYTHONPATH=. python -m benchmarks.spotting --seeds 251-253 --fps 60 --peers 0
    PYTHONPATH=. python -m benchmarks.spotting --seeds 251-253 --noise 3 --peers 0

Videos are those of `mer synth --long` (640x480, one person a seed, H.264 of crf 10). Above 70 frames/s only the frames
that the meter measures are drawn, without a codec. What is measured of each video is kept in `--cache`, so that a
second call spots only. Each call adds a row to the result's file.

Seeds 7 to 9, 201 to 210, 213, 221 to 228 and 231 to 250 were looked at while something was chosen. Those from 251 on
were looked at once, after that. docs/explanation/stages/spotting.md says what was chosen on which.

"False a minute" counts unflagged events that match none of the true expressions of their kind.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.spotting_scores import Interval, SpottingCounts, count_hits, match_intervals
from merstream.synth.difficulty import DEFAULT_DIFFICULTY
from merstream.synth.long_dataset import LongVideoOrder, write_long_video
from merstream.synth.long_events import DEFAULT_SETTINGS, VideoEvent
from merstream.synth.long_video import LongVideo, compose_long_video
from shared.face_mesh import MeshTracker
from shared.spotting.events import SpottedEvent
from shared.spotting.motion_meter import FASTEST, MotionMeter, join_rows, pack_rows, unpack_rows
from shared.spotting.spotting import spot_events
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings

KINDS = ("micro", "macro")
Frames = Iterator[tuple[float, NDArray[np.uint8]]]


@dataclass(frozen=True)
class DrawnVideo:
    """Which drawn video: its first subject's first one."""

    seed: int
    fps: float = 30.0
    noise: float = DEFAULT_DIFFICULTY.noise
    seconds: float = 60.0

    @property
    def name(self) -> str:
        return f"s{self.seed}-f{self.fps:g}-n{self.noise:g}-{self.seconds:g}s"

    def compose(self) -> LongVideo:
        """The video with its true events."""
        difficulty = DEFAULT_DIFFICULTY.model_copy(update={"noise": self.noise})
        return compose_long_video(self.seed, 1, 1, seconds=self.seconds, fps=self.fps, difficulty=difficulty)

    def read_frames(self, cache: Path) -> Frames:
        """Seconds and pixels of the frames; a file is drawn into `cache` unless it is there."""
        video = self.compose()
        if self.fps > FASTEST:
            step = int(np.ceil(self.fps / FASTEST - 1e-9))
            for index in range(0, video.frame_count, step):
                yield video.seconds_of(index), video.draw_frame(index)
            return
        order = LongVideoOrder(
            cache / self.name,
            self.seed,
            1,
            1,
            self.seconds,
            self.fps,
            (480, 640),
            video.difficulty,
            DEFAULT_SETTINGS,
            10,
            False,
        )
        yield from read_file(write_long_video(order).with_suffix(".mp4"))


def read_file(file: Path) -> Frames:
    """Seconds and pixels of a video file's frames."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            yield float((frame.pts or 0) * Fraction(stream.time_base or 1)), frame.to_ndarray(format="rgb24")


def measure_frames(frames: Frames) -> MotionMeter:
    """The motion of the face in frames that all show one."""
    tracker, meter = MeshTracker(), MotionMeter()
    for seconds, pixels in frames:
        mesh = tracker.follow_face(pixels)
        if mesh:
            meter.add_frame(pixels, mesh, seconds)
    return meter


def load_events(drawn: DrawnVideo, cache: Path, settings: SpottingSettings) -> list[SpottedEvent]:
    """The events of a drawn video; what is measured of it is kept."""
    file = cache / f"{drawn.name}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, **pack_rows(measure_frames(drawn.read_frames(cache)).rows))
    with np.load(file) as arrays:
        return spot_events(join_rows(unpack_rows(arrays)), settings)


def true_intervals(events: list[VideoEvent], kind: str) -> list[Interval]:
    return [Interval(event.onset, event.offset) for event in events if event.kind == kind]


@dataclass
class Tally:
    """Counts by kind over videos of so many seconds."""

    counts: dict[str, SpottingCounts]
    seconds: float = 0.0

    @classmethod
    def start(cls) -> "Tally":
        return cls({kind: SpottingCounts() for kind in KINDS})

    def add(self, spotted: dict[str, list[Interval]], events: list[VideoEvent], seconds: float) -> None:
        """Count one video."""
        for kind in KINDS:
            self.counts[kind] += count_hits(spotted[kind], true_intervals(events, kind))
        self.seconds += seconds

    def summarise(self) -> dict[str, Any]:
        total = sum(self.counts.values(), SpottingCounts())
        row = {
            kind: {"F1": round(c.f1, 3), "hits": c.hits, "false": c.false, "missed": c.missed}
            for kind, c in self.counts.items()
        }
        return row | {"all F1": round(total.f1, 3), "false a minute": round(60 * total.false / self.seconds, 2)}


def sort_unflagged(events: list[SpottedEvent]) -> dict[str, list[Interval]]:
    """Intervals of the events without a flag, by kind."""
    return {kind: [Interval(e.onset, e.offset) for e in events if e.kind == kind and not e.flags] for kind in KINDS}


def spread_over_videos(scores: list[float]) -> dict[str, float]:
    """Mean, standard deviation and lowest of the videos' own F1."""
    return {
        "mean": round(float(np.mean(scores)), 3),
        "sd": round(float(np.std(scores)), 3),
        "lowest": round(float(min(scores)), 3),
    }


def score_videos(videos: list[DrawnVideo], spot: Callable[[DrawnVideo], dict[str, list[Interval]]]) -> dict[str, Any]:
    """The pooled figures of a rule that gives a video's intervals, and the spread over the videos."""
    tally, each = Tally.start(), []
    for drawn in videos:
        events = list(drawn.compose().events)
        spotted = spot(drawn)
        one = Tally.start()
        for which in (one, tally):
            which.add(spotted, events, drawn.seconds)
        each.append(sum(one.counts.values(), SpottingCounts()).f1)
        print(drawn.name, one.summarise(), flush=True)
    return tally.summarise() | {"all F1 of a video": spread_over_videos(each)}


def list_misses(videos: list[DrawnVideo], cache: Path, settings: SpottingSettings) -> dict[str, Any]:
    """True expressions that no unflagged event matches: what they are, and what else happens then."""
    found = []
    for drawn in videos:
        events = list(drawn.compose().events)
        spotted = load_events(drawn, cache, settings)
        for kind in KINDS:
            mine = [e for e in spotted if e.kind == kind and not e.flags]
            true = [event for event in events if event.kind == kind]
            pairs = match_intervals([Interval(e.onset, e.offset) for e in mine], true_intervals(events, kind))
            hit = {other for _, other in pairs}
            for at, event in enumerate(true):
                if at in hit:
                    continue
                near = [e for e in spotted if min(e.offset, event.offset) > max(e.onset, event.onset)]
                found.append(
                    {
                        "video": drawn.name,
                        "kind": kind,
                        "onset": round(event.onset, 2),
                        "seconds": round(event.offset - event.onset, 2),
                        "units px": {unit: round(peak, 1) for unit, peak in event.units},
                        "meanwhile": [
                            e.kind
                            for e in events
                            if e is not event and min(e.offset, event.offset) > max(e.onset, event.onset)
                        ],
                        "spotted there": [
                            f"{e.kind} {e.onset:.2f}-{e.offset:.2f} {'/'.join(f.name for f in e.flags)}".strip()
                            for e in near
                        ],
                    }
                )
    return {"misses": found}


def parse_seeds(text: str) -> list[int]:
    """ "7,9,201-203" -> 7, 9, 201, 202, 203."""
    spans = [part.partition("-") for part in text.split(",")]
    return [seed for first, _, last in spans for seed in range(int(first), int(last or first) + 1)]


def read_options() -> argparse.Namespace:
    parser = argument_parser(__doc__, result_file("spotting"))
    parser.add_argument("--seeds", default="251-260", help="such as 7,9,201-203")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--noise", type=float, default=DEFAULT_DIFFICULTY.noise, help="grey levels")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--peers", type=int, default=4, help="videos on which the other rules run, too")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/spotting-cache"))
    return parser.parse_args()


def main() -> None:
    cv2.setNumThreads(1)
    options = read_options()
    videos = [DrawnVideo(seed, options.fps, options.noise, options.seconds) for seed in parse_seeds(options.seeds)]
    row = {
        "fps": options.fps,
        "noise": options.noise,
        "seconds": options.seconds,
        "seeds": options.seeds,
        "videos": len(videos),
        "merstream": score_videos(videos, lambda v: sort_unflagged(load_events(v, options.cache, DEFAULT_SPOTTING))),
    }
    if options.peers:
        from benchmarks.spotting_peers import RULES

        some = videos[: options.peers]
        row["the same videos"] = {
            "videos": len(some),
            "merstream": score_videos(some, lambda v: sort_unflagged(load_events(v, options.cache, DEFAULT_SPOTTING))),
        }
        for name, rule in RULES.items():
            row["the same videos"][name] = score_videos(some, lambda v, rule=rule: rule(v, options.cache))
    row |= list_misses(videos, options.cache, DEFAULT_SPOTTING)
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    rows = [r for r in known.get("rows", []) if any(r[key] != row[key] for key in ("fps", "noise", "seconds", "seeds"))]
    write_result(options.out, {"rows": [*rows, row]} | describe_machine("opencv-python-headless", "numpy"))


if __name__ == "__main__":
    main()

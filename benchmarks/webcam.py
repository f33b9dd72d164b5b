"""How long after its end an event is announced and recognised live, and what watching costs.

    PYTHONPATH=. python -m benchmarks.webcam --seeds 301-302              # replay: times of frames, CPU times
    PYTHONPATH=. python -m benchmarks.webcam --seeds 301 --live           # real processes, the computer's clock

Videos are those of `mer synth --long` (640x480, 30 frames/s, one person a seed, H.264 of crf 10). An event counts if it
matches a true expression by an intersection over union of 0.5 or more, and delays count from the true offset.

The replay gives every frame its turn, so its delays are those of a computer that keeps up, without its time for the
last frames. `cpu_ms_per_frame` at 30 frames/s says whether one does: 33 ms is a whole core. The replay also spots once
over the whole video, as `mer predict` does, to show what the rolling window loses. `--live` plays the video as a camera
and needs a quiet machine of two cores: the result has its load.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.spotting_scores import Interval, SpottingCounts, count_hits, match_intervals
from merstream.live.clip_recognition import DirectRecogniser
from merstream.live.event_board import LiveEvent
from merstream.live.frame_sources import SourceOrder
from merstream.live.live_view import LiveView
from merstream.live.session import LiveSession
from merstream.live.watch_live import LiveOptions, watch_live
from merstream.synth.difficulty import DEFAULT_DIFFICULTY
from merstream.synth.long_dataset import LongVideoOrder, write_long_video
from merstream.synth.long_events import DEFAULT_SETTINGS
from merstream.synth.long_truth import read_truth
from services.spotter.recording import open_recording
from services.trainer.recogniser.loading import load_recogniser
from shared.spotting.events import SpottedEvent
from shared.spotting.motion_meter import MotionRow, join_rows
from shared.spotting.spotting import spot_events

KINDS = ("micro", "macro")
FPS, SIZE = 30.0, (480, 640)


def draw_video(folder: Path, seed: int, seconds: float) -> tuple[Path, dict[str, list[Interval]]]:
    """A drawn video's file, drawn once, and its true expressions by kind."""
    order = LongVideoOrder(
        folder / f"{seed}-{seconds:g}", seed, 1, 1, seconds, FPS, SIZE, DEFAULT_DIFFICULTY, DEFAULT_SETTINGS, 10, False
    )
    truth_file = write_long_video(order)
    truth = read_truth(truth_file)
    true = {
        kind: [Interval(event.onset_seconds, event.offset_seconds) for event in truth.events if event.kind == kind]
        for kind in KINDS
    }
    return truth_file.with_suffix(".mp4"), true


def score_events(events: Iterable[SpottedEvent], true: dict[str, list[Interval]]) -> SpottingCounts:
    """Hits, false alarms and misses of unflagged events, of both kinds together."""
    plain = [event for event in events if not event.flags]
    return sum(
        (
            count_hits([Interval(event.onset, event.offset) for event in plain if event.kind == kind], true[kind])
            for kind in KINDS
        ),
        SpottingCounts(),
    )


def find_true_offsets(events: Sequence[SpottedEvent], true: dict[str, list[Interval]]) -> dict[int, float]:
    """The true offset of each event that matches an expression, by its place in `events`."""
    expressions = [*true["micro"], *true["macro"]]
    spotted = [Interval(event.onset, event.offset) for event in events]
    return {place: expressions[at].offset for place, at in match_intervals(spotted, expressions)}


def replay_video(file: Path, true: dict[str, list[Interval]]) -> dict[str, Any]:
    """Every frame of a video through a session: delays in s of the frames' own time, CPU in s of this process."""
    session = LiveSession(file.name, DirectRecogniser(load_recogniser()))
    rows: list[MotionRow] = []
    first: list[tuple[SpottedEvent, float]] = []
    watching: list[float] = []
    recognising: list[float] = []
    for frame in open_recording(file).read_frames():
        started, known = time.process_time(), len(session.recognitions)
        first += [(event.spotted, event.announced) for event in session.add_frame(frame) if not event.revision]
        spent = time.process_time() - started
        # The recogniser of a session is a process beside it. Here it is this one, and its frames are left out.
        (recognising if len(session.recognitions) > known else watching).append(spent)
        watch = next((face.watch for face in session.faces.values() if face.watch), None)
        if watch and watch._rows and (not rows or watch._rows[-1].seconds > rows[-1].seconds):
            rows.append(watch._rows[-1])
    session.finish()
    offsets = find_true_offsets([event for event, _ in first], true)
    return {
        "delays": [first[place][1] - offset for place, offset in offsets.items()],
        "live": score_events((event.spotted for event in session.events), true),
        "whole": score_events(spot_events(join_rows(rows)), true),
        "watching": watching,
        "recognising": recognising,
    }


def summarise_replays(replays: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures of all videos together."""
    watching = np.concatenate([replay["watching"] for replay in replays])
    recognising = [spent for replay in replays for spent in replay["recognising"]]
    live, whole = (sum((replay[name] for replay in replays), SpottingCounts()) for name in ("live", "whole"))
    return {
        "announced_after_s": summarise_delays([delay for replay in replays for delay in replay["delays"]]),
        "cpu_ms_per_frame": {"mean": 1000 * float(watching.mean()), "median": 1000 * float(np.median(watching))},
        "cpu_share_of_a_core_at_30_fps": FPS * float(watching.mean()),
        "recognition_cpu_s": summarise_delays(recognising),
        "f1_live": live.f1,
        "f1_whole_recording": whole.f1,
        "false_live": live.false,
    }


def summarise_delays(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"n": 0}
    return {"n": len(values), "median": float(np.median(values)), "max": float(np.max(values))}


def play_video(file: Path, true: dict[str, list[Interval]]) -> dict[str, Any]:
    """A video as a camera, in real time: delays in s of the clock, CPU of all processes, frames dropped."""
    announced: list[tuple[SpottedEvent, float, float]] = []  # event, s over by its own offset, clock
    recognised: dict[int, float] = {}

    def note_event(event: LiveEvent, over: float) -> None:
        if not event.revision:
            announced.append((event.spotted, over, event.number))

    def note_view(view: LiveView, pixels: object) -> None:
        now = view.seconds + view.behind  # of the recording, at this moment of the clock
        for event in view.events:
            if event.recognition and event.id not in recognised:
                recognised[event.id] = now

    load, started = os.getloadavg()[0], time.monotonic()
    prediction = watch_live(LiveOptions(SourceOrder(file=file)), note_view, note_event)
    wall = time.monotonic() - started
    offsets = find_true_offsets([event for event, _, _ in announced], true)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    delays = [announced[place][1] + announced[place][0].offset - offset for place, offset in offsets.items()]
    numbers = {announced[place][2]: offset for place, offset in offsets.items()}
    later = [recognised[key] - offset for key, offset in numbers.items() if key in recognised]
    return {
        "announced_after_s": summarise_delays(delays),
        "recognised_after_s": summarise_delays(later),
        "frames_per_second": prediction.video.fps,
        "cores": sum(each.ru_utime + each.ru_stime for each in used) / wall,
        "memory_mb": used[0].ru_maxrss / 1024,
        "load_before_and_after": [load, os.getloadavg()[0]],
    }


def parse_seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argument_parser(__doc__, result_file("webcam"))
    parser.add_argument("--seeds", type=parse_seeds, default=[301, 302])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/webcam-videos"))
    parser.add_argument("--live", action="store_true")
    arguments: argparse.Namespace = parser.parse_args()
    videos = [draw_video(arguments.cache, seed, arguments.seconds) for seed in arguments.seeds]
    if arguments.live:
        result: dict[str, Any] = play_video(*videos[0])
    else:
        result = summarise_replays([replay_video(*video) for video in videos])
    machine = describe_machine("opencv-python-headless")
    about = {"seeds": arguments.seeds, "seconds": arguments.seconds, "machine": machine}
    file = arguments.out.with_stem(f"{arguments.out.stem}-live") if arguments.live else arguments.out
    write_result(file, {**result, **about})
    print(file.read_text())


if __name__ == "__main__":
    main()

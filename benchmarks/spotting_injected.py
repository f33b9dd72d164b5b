"""Injected expressions in a real recording: which amplitude is found, and what is spotted where nothing was added.

    PYTHONPATH=. python -m benchmarks.spotting_injected --video smile.mp4 --rest 0 14 --rest 31 45

Resting stretches of a recording are short, so each is shown to and fro again and again: a long video of a face at
rest, with the camera's noise, compression, light and head motion. An action unit of `merstream.synth` is added once in
every four seconds (`real_camera.py` says how), for 0.2 to 0.45 s; amplitudes are px at the eyes' distance that is
stated. An injected expression is found if an unflagged event overlaps it by half. Every other unflagged event counts
as false, in the minutes with and without injection. The repository holds no recording.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.real_camera import RestingStretch, read_stretches, unit_sides, warp_frame
from benchmarks.spotting import measure_frames
from benchmarks.spotting_scores import Interval, match_intervals
from merstream.synth.action_units import displacement_field
from shared.spotting.events import SpottedEvent
from shared.spotting.spotting import spot_events

AMPLITUDES = (0.5, 1.0, 1.5, 2.0, 3.0)
EXPRESSIONS = ("12", "4", "1+2", "14L", "15", "9")
SECONDS_EACH = 4.0
LENGTHS = (0.2, 0.3, 0.45)  # s


def play_to_and_fro(stretch: RestingStretch, count: int) -> list[int]:
    """Indices of `count` frames: forwards, backwards, forwards, ..."""
    last = len(stretch.frames) - 1
    return [last - abs(last - index % (2 * last)) for index in range(count)]


def plan_injections(amplitude: float) -> list[tuple[str, Interval, float]]:
    """Expressions with their intervals, s, and amplitudes, px."""
    plan = []
    for number, expression in enumerate(EXPRESSIONS):
        onset = SECONDS_EACH * (number + 0.5)
        plan.append((expression, Interval(onset, onset + LENGTHS[number % len(LENGTHS)]), amplitude))
    return plan


def show_frames(
    stretch: RestingStretch, plan: list[tuple[str, Interval, float]], seconds: float
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Seconds and pixels of the stretch, to and fro, with the planned expressions."""
    size = stretch.frames.shape[1:3]
    for number, index in enumerate(play_to_and_fro(stretch, round(seconds * stretch.fps))):
        at, frame = number / stretch.fps, stretch.frames[index]
        for expression, (onset, offset), amplitude in plan:
            if not onset < at < offset:
                continue
            level = amplitude * (1 - np.cos(2 * np.pi * (at - onset) / (offset - onset))) / 2
            landmarks = stretch.landmarks_at(index)
            units = [(int(unit.rstrip("LR")), unit.lstrip("0123456789")) for unit in unit_sides(expression)]
            field = sum(displacement_field(landmarks, number, side, size) for number, side in units)
            frame = warp_frame(frame, level * np.asarray(field, np.float64))
        yield at, frame


def spot_stretch(
    stretch: RestingStretch, plan: list[tuple[str, Interval, float]], seconds: float
) -> list[SpottedEvent]:
    """The unflagged events."""
    return [
        event for event in spot_events(measure_frames(show_frames(stretch, plan, seconds)).finish()) if not event.flags
    ]


def score_injections(stretches: list[RestingStretch], amplitudes: tuple[float, ...]) -> dict[str, Any]:
    """Found shares by amplitude and by expression, and false events a minute."""
    seconds = SECONDS_EACH * len(EXPRESSIONS)
    quiet = [len(spot_stretch(stretch, [], seconds)) for stretch in stretches]
    found: dict[str, Any] = {
        "eye distance px": [round(stretch.eye_distance, 1) for stretch in stretches],
        "minutes at rest": round(len(stretches) * seconds / 60, 2),
        "false a minute at rest": round(60 * sum(quiet) / (len(stretches) * seconds), 2),
        "amplitudes": {},
    }
    for amplitude in amplitudes:
        hits: dict[str, list[bool]] = {expression: [] for expression in EXPRESSIONS}
        false = 0
        for stretch in stretches:
            plan = plan_injections(amplitude)
            events = spot_stretch(stretch, plan, seconds)
            pairs = match_intervals([Interval(e.onset, e.offset) for e in events], [each for _, each, _ in plan])
            false += len(events) - len(pairs)
            for at, (expression, _, _) in enumerate(plan):
                hits[expression].append(any(other == at for _, other in pairs))
        each = {expression: round(float(np.mean(which)), 2) for expression, which in hits.items()}
        share = round(float(np.mean([one for which in hits.values() for one in which])), 2)
        row = {
            "found": share,
            "by expression": each,
            "false a minute": round(60 * false / (len(stretches) * seconds), 2),
        }
        found["amplitudes"][f"{amplitude:g} px"] = row
        print(amplitude, row, flush=True)
    return found


def main() -> None:
    cv2.setNumThreads(1)
    parser = argument_parser(__doc__, result_file("spotting-injected"))
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--rest", type=int, nargs=2, action="append", required=True, metavar=("FIRST", "LAST"))
    options = parser.parse_args()
    stretches = read_stretches(options.video, [(first, last) for first, last in options.rest])
    result = {"video": options.video.name, "stretches": options.rest} | score_injections(stretches, AMPLITUDES)
    write_result(options.out, result | describe_machine("opencv-python-headless", "numpy"))


if __name__ == "__main__":
    main()

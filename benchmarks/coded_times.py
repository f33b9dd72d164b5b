"""How much of the motion at the apex a map holds, from the coded times of real clips alone.

    PYTHONPATH=. python benchmarks/coded_times.py    # seconds; writes benchmarks/results/coded-times.json

No picture is needed. An expression rises from onset to apex and falls to the offset as raised cosines, from 0 to 1 and
back. The product's own timeline, window of recorded frames, temporal filter and choice of the apex frame read its
course. The result is the change from the first frame that has a flow to the frame nearest the apex: 1 is all of the
motion, 0 none, and below 0 the map shows the way back. At factor 2 the nominal change is 3.

The coded times are those of a population like part A of CAS(ME)^3 (30 frames/s, 659 clips with onset < apex <= offset).
Its annotations are licensed and not here. So clips are drawn from quantiles that were measured on them: the place of
the apex (share of the clip) and the duration (s), independent of each other. Between the quantiles the share is linear
and the duration geometric. Both go on beyond the outermost ones as in the segment before. With `--times` the clips of a
CSV file (columns onset, apex, offset, fps: frames and Hz) are measured instead.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, result_file, write_result
from services.interpolator.timeline import clip_positions, shown_frame_rate
from services.interpolator.window import plan_means
from services.magnifier.evm import filter_changes
from shared.stage_settings.interpolator import InterpolatorSettings
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES, MagnifierSettings

Doubles = NDArray[np.float64]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
APEX_SHARES = (0.03, 0.19, 0.30, 0.43, 0.59)  # of the clip, CAS(ME)^3 part A
DURATIONS = (0.27, 0.43, 0.67, 1.07, 2.33)  # s
CLIPS, FPS = 659, 30.0
CODED_FACTOR = 2.0


@dataclass(frozen=True)
class CodedClip:
    """A clip's apex and offset in frames after its onset, and its frame rate in Hz."""

    apex: int
    offset: int
    fps: float

    def draw_course(self) -> Doubles:
        """The strength [T] of the expression in each recorded frame: 0 at the onset, 1 at the apex, 0 at the offset."""
        marks, phases = [0, self.apex, self.offset], [-np.pi, 0, np.pi]
        if self.apex == self.offset:
            marks, phases = marks[:2], phases[:2]
        course: Doubles = (1 + np.cos(np.interp(np.arange(self.offset + 1), marks, phases))) / 2
        return course


@dataclass(frozen=True)
class MapRule:
    """A way from a clip to its map: the interpolator's settings, the lower cut-off, and where the flows begin."""

    interpolator: InterpolatorSettings
    magnifier: MagnifierSettings
    first: int  # the shown frame at which the flows begin


CORRECTED = MAGNIFIER_PROFILES["corrected"]
CAUSAL_FROM_HALF_HZ, CAUSAL_FROM_ZERO = (
    CORRECTED.model_copy(update={"temporal_filter": "causal", "fl": cutoff}) for cutoff in (0.5, 0.0)
)
ELEVEN_EVEN = InterpolatorSettings(timeline="uniform", flow_frames=11, window=0)
APEX_SHOWN = InterpolatorSettings(window=0)
MAP_RULES = {
    "second of 11 even frames, causal filter from 0.5 Hz": MapRule(ELEVEN_EVEN, CAUSAL_FROM_HALF_HZ, 1),
    "onset, 11 even frames, causal filter from 0.5 Hz": MapRule(ELEVEN_EVEN, CAUSAL_FROM_HALF_HZ, 0),
    "onset, frame at the apex, causal filter from 0.5 Hz": MapRule(APEX_SHOWN, CAUSAL_FROM_HALF_HZ, 0),
    "onset, frame at the apex, causal filter from 0": MapRule(APEX_SHOWN, CAUSAL_FROM_ZERO, 0),
    "onset, frame at the apex, spline": MapRule(APEX_SHOWN, CORRECTED, 0),
    "profile corrected: onset, frame at the apex, spline, window": MapRule(InterpolatorSettings(), CORRECTED, 0),
}
LENGTHS = (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)  # s
APEX_SHARE = 0.4


def extend_quantiles(values: tuple[float, ...]) -> Callable[[Doubles], Doubles]:
    """The quantile function of shares [N]: linear between `values` at `QUANTILES`, and on as in the end segments."""
    first, last = (values[1] - values[0]) / 0.2, (values[-1] - values[-2]) / 0.2
    known = [values[0] - 0.05 * first, *values, values[-1] + 0.05 * last]
    return lambda shares: np.interp(shares, [0, *QUANTILES, 1], known)


def draw_coded_clips(seed: int, count: int = CLIPS) -> list[CodedClip]:
    """Clips with the quantiles above; the apex is at least one frame after the onset and at most at the offset."""
    rng = np.random.default_rng(seed)
    shares = extend_quantiles(APEX_SHARES)(rng.random(count))
    log_durations = extend_quantiles(tuple(np.log(DURATIONS)))(rng.random(count))
    offsets = np.maximum(np.rint(np.exp(log_durations) * FPS), 2).astype(int)
    apexes = np.clip(np.rint(shares * offsets), 1, offsets).astype(int)
    return [CodedClip(int(apex), int(offset), FPS) for apex, offset in zip(apexes, offsets, strict=True)]


def read_coded_clips(file: Path) -> list[CodedClip]:
    """The clips of a CSV file with onset < apex <= offset; others have no motion to an apex and are left out."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        rows = [
            {name: float(row[name]) for name in ("onset", "apex", "offset", "fps")} for row in csv.DictReader(lines)
        ]
    return [
        CodedClip(int(row["apex"] - row["onset"]), int(row["offset"] - row["onset"]), row["fps"])
        for row in rows
        if row["onset"] < row["apex"] <= row["offset"]
    ]


def show_course(clip: CodedClip, settings: InterpolatorSettings) -> tuple[list[float], Doubles]:
    """Positions [N] of the shown frames and the strength [N] of the expression in them."""
    course = clip.draw_course()
    positions = clip_positions(settings.timeline, 0, clip.apex, clip.offset, settings.flow_frames, None)
    numbers = np.arange(len(course), dtype=np.float64)
    means = plan_means(positions, clip.apex, settings.window, numbers)
    blended = np.interp(positions, numbers, course)
    shown = [
        float(mean.weights @ course[mean.first : mean.first + len(mean.weights)]) if mean else float(at)
        for mean, at in zip(means, blended, strict=True)
    ]
    return positions, np.array(shown)


def measure_map(clip: CodedClip, rule: MapRule, factor: float) -> float:
    """The change of the expression between the first and the last frame of a clip's map, magnified by a factor."""
    positions, shown = show_course(clip, rule.interpolator)
    times = np.array(positions) / clip.fps
    passed = filter_changes(shown, rule.magnifier, shown_frame_rate(positions, clip.fps), times)
    changed = shown + factor * np.append(0, passed)
    apart = np.abs(np.array(positions[rule.first :]) - clip.apex)
    last = max(1, int(apart.argmin()))
    return float(changed[rule.first + last] - changed[rule.first])


def summarise_maps(clips: list[CodedClip], rule: MapRule) -> dict[str, Any]:
    """Quantiles of the share of the motion, and the share of clips that lack much of it, by factor."""
    table = {}
    for factor in (0.0, CODED_FACTOR):
        held = np.array([measure_map(clip, rule, factor) for clip in clips])
        share = held / (1 + factor)
        table[f"factor {factor:g}"] = {
            "5, 25, 50, 75, 95 %": np.round(np.quantile(held, QUANTILES), 2).tolist(),
            "least and most": [round(float(held.min()), 2), round(float(held.max()), 2)],
            "sd/mean": round(float(held.std() / held.mean()), 3),
            "clips reversed": round(float((held <= 0).mean()), 3),
            "clips under half": round(float((share < 0.5).mean()), 3),
            "clips under 0.9": round(float((share < 0.9).mean()), 3),
        }
    return table


def measure_filter(seconds: float, settings: MagnifierSettings) -> dict[str, float]:
    """The share of a factor that passes at the apex of a clip this long, and what is left at its end, where nothing is.

    Ten frames are shown, four steps before the apex and five after it, at the apex of a fine raised cosine.
    """
    fine = CodedClip(round(APEX_SHARE * 1000), 1000, 1000 / seconds)
    positions = clip_positions("apex-halves", 0, fine.apex, fine.offset, 10, None)
    course = np.interp(positions, np.arange(1001), fine.draw_course())
    rate = shown_frame_rate(positions, fine.fps)
    passed = filter_changes(course, settings, rate, np.array(positions) / fine.fps)
    at_apex = positions.index(fine.apex) - 1
    return {"apex": round(float(passed[at_apex]), 3), "end": round(float(passed[-1]), 3)}


def main() -> None:
    parser = argument_parser(__doc__, result_file("coded-times"))
    parser.add_argument("--times", type=Path, help="CSV file with columns onset, apex, offset, fps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[51, 52, 53], help="default: 51 52 53")
    options = parser.parse_args()
    if options.times:
        populations = {options.times.name: read_coded_clips(options.times)}
    else:
        populations = {f"seed {seed}": draw_coded_clips(seed) for seed in options.seeds}
    results = {
        name: {rule_name: summarise_maps(clips, rule) for rule_name, rule in MAP_RULES.items()}
        for name, clips in populations.items()
    }
    filters = {
        name: {f"{seconds:g} s": measure_filter(seconds, settings) for seconds in LENGTHS}
        for name, settings in (("causal from 0.5 Hz", CAUSAL_FROM_HALF_HZ), ("spline", CORRECTED))
    }
    print(json.dumps(results | filters, indent=1))
    report = {"benchmark": "coded_times", "clips": {name: len(clips) for name, clips in populations.items()}}
    write_result(options.out, {**report, "factor": CODED_FACTOR, "results": results, "filters": filters})


if __name__ == "__main__":
    main()

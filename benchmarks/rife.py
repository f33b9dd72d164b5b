"""Interpolation of clips: the shared search against one bisection per position, and RIFE against a plain blend.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/rife.py    # writes benchmarks/results/rife-cpu.json

Forwards: the number of forward passes for each clip's flow frames and action-unit frames by the paper's rule (10 and
16). One side bisects position by position as the original does, the other is `frames_at` with profile `paper`. Both
must give identical frames. `corrected` is measured too (10 and 16, with its means of recorded frames). CPU time is
that of one run after a warm-up.

Quality: a face whose brows and mouth corners move by a known number of px between two frames (bytes, with the camera's
noise). Figures are the PSNR where it moves (dB), the error of the shown position (% of the interval), and forwards.
`adaptive` is the default: RIFE until the measured motion allows a blend.
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.data import astronaut

from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from services.interpolator.bisection import frames_at
from services.interpolator.rife import Rife, unpack_frames
from services.interpolator.stage import compute
from services.interpolator.timeline import frame_positions
from shared import weights
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES, InterpolatorSettings

FACE = astronaut()[40:200, 130:322].astype(float)
ROWS, COLUMNS = np.mgrid[0:160, 0:192].astype(float)
# Moving parts of the drawn face: centre x, y, displacement (x, y) at an amplitude of 1 px, spread (x, y), all px
BUMPS = ((70, 48, 0, -1, 14, 8), (122, 51, 0, -1, 14, 8), (71, 100, -0.8, -0.6, 10, 10), (115, 101, 0.8, -0.6, 10, 10))
CLIPS = {  # name: (frames, apex, px at the apex)
    "200 fps, 61 frames": (61, 30, 3.0),
    "reference, 9 frames": (9, 5, 3.0),
    "25 fps, 7 frames": (7, 3, 3.0),
    "two recorded frames": (2, 1, 3.0),
}
MOTIONS = (0.1, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
INTERPOLATION_WAYS = {
    "blend": InterpolatorSettings(blend_below=1e9),
    "rife": InterpolatorSettings(blend_below=0),
    "adaptive": InterpolatorSettings(),
}


def displacement_field() -> NDArray[np.float64]:
    """Displacement (x, y) [2, H, W] per px of amplitude."""
    total = np.zeros((2, *ROWS.shape))
    for x, y, dx, dy, sx, sy in BUMPS:
        bump = np.exp(-(((COLUMNS - x) / sx) ** 2 + ((ROWS - y) / sy) ** 2) / 2)
        total += np.array([dx, dy])[:, None, None] * bump
    return total


FACE_FIELD = displacement_field()
MOVING_MASK = np.hypot(*FACE_FIELD) > 0.3


def moved_face(amplitude: float) -> NDArray[np.float64]:
    at = (ROWS - amplitude * FACE_FIELD[1], COLUMNS - amplitude * FACE_FIELD[0])
    return np.stack([map_coordinates(FACE[..., c], at, order=3, mode="nearest") for c in range(3)], -1)


def noisy_face(amplitude: float, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    shown = moved_face(amplitude)
    return np.clip(np.rint(shown + rng.normal(0, noise, shown.shape)), 0, 255).astype(np.uint8)


def bisect_position(frames: NDArray[np.uint8], position: float, net: Rife) -> NDArray[np.uint8]:
    """The frame [H, W, 3] at one position as the original finds it: halve, at most 8 times, until within 0.005."""
    low = min(int(position), len(frames) - 2)
    ratio, bounds = position - low, [0.0, 1.0]
    ends = [net.pack_frames(frames[low : low + 1]), net.pack_frames(frames[low + 1 :][:1])]
    if ratio <= 0.005 or ratio >= 0.995:
        return frames[low + int(ratio >= 0.995)]
    for _ in range(8):
        middle, at = net.packed_midpoints([ends[0][0]], [ends[1][0]]), sum(bounds) / 2
        if abs(at - ratio) <= 0.005:
            break
        side = int(ratio < at)  # the end that the midpoint replaces
        ends[side], bounds[side] = middle, at
    return (unpack_frames(middle, *frames.shape[1:3])[0] * np.float32(255)).astype(np.uint8)


def shown_positions(settings: InterpolatorSettings, apex: int, offset: int) -> list[float]:
    """Positions of all frames that the stage shows of a clip: those for the flow, then those for the action units."""
    counts = (settings.flow_frames, settings.au_frames)
    return [position for count in counts for position in frame_positions(settings.timeline, 0, apex, offset, count)]


def measure_call(interpolate: Callable[[], NDArray[np.uint8]], net: Rife) -> tuple[NDArray[np.uint8], int, float]:
    """The frames of a call, and its forwards and CPU seconds."""
    before = net.forwards
    timed = time_call(interpolate)
    return timed.result, net.forwards - before, timed.cpu_seconds


def compare_forwards(net: Rife, count: int, apex: int, px: float) -> dict[str, float | int | bool]:
    rng, last = np.random.default_rng(1), count - 1
    amplitudes = np.interp(np.arange(count), [0, apex, last], [0, px, 0]) if apex < last else np.array([0, px])
    frames = np.stack([noisy_face(amplitude, 1, rng) for amplitude in amplitudes])
    at = shown_positions(INTERPOLATOR_PROFILES["paper"], apex, last)
    plain, calls, seconds = measure_call(lambda: np.stack([bisect_position(frames, p, net) for p in at]), net)
    ours, our_calls, our_seconds = measure_call(lambda: frames_at(frames, at, net, INTERPOLATOR_PROFILES["paper"]), net)
    clip = {"frames": frames, "onset": 0, "apex": apex, "offset": last, "fps": 200.0}
    inputs = {"ingest": {name: np.asarray(value) for name, value in clip.items()}}
    _, new_calls, new_seconds = measure_call(
        lambda: compute(inputs, INTERPOLATOR_PROFILES["corrected"], net)["frames"], net
    )
    return {
        "identical": bool(np.array_equal(plain, ours)),
        "original_forwards": calls,
        "paper_forwards": our_calls,
        "corrected_forwards": new_calls,
        "original_cpu_s": round(seconds, 2),
        "paper_cpu_s": round(our_seconds, 2),
        "corrected_cpu_s": round(new_seconds, 2),
        "forwards_ratio": round(our_calls / calls, 3),
        "cpu_ratio": round(our_seconds / seconds, 3),
    }


def measure_quality(net: Rife, px: float, noise: float) -> dict[str, dict[str, float]]:
    """Means over three positions between two frames for each method: PSNR (dB), position error (%), forwards."""
    rng, rows = np.random.default_rng(2), {way: [] for way in INTERPOLATION_WAYS}
    pair = np.stack([noisy_face(0.4, noise, rng), noisy_face(0.4 + px, noise, rng)])
    for position in (0.25, 0.4, 0.7):
        truth = moved_face(0.4 + px * position)
        slope = (moved_face(0.4 + px * (position + 0.05)) - moved_face(0.4 + px * (position - 0.05)))[MOVING_MASK] / 0.1
        for way, settings in INTERPOLATION_WAYS.items():
            shown, calls, _ = measure_call(lambda s=settings, p=position: frames_at(pair, [p], net, s)[0], net)
            wrong = (shown - truth)[MOVING_MASK]
            shifted = np.sum(wrong * slope) / np.sum(slope**2)
            rows[way].append((10 * np.log10(255**2 / np.mean(wrong**2)), 100 * abs(shifted), calls))
    return {
        way: dict(zip(("psnr_db", "position_error_percent", "forwards"), np.mean(r, 0).round(2).tolist(), strict=True))
        for way, r in rows.items()
    }


def main() -> None:
    options = argument_parser(__doc__, result_file("rife-cpu")).parse_args()
    torch.set_num_threads(1)
    net = Rife(weights.weights_path(weights.RIFE))
    net.midpoint(*np.stack([noisy_face(0, 0, np.random.default_rng(0))] * 2))
    clips, table = {}, {}
    for name, clip in CLIPS.items():
        clips[name] = compare_forwards(net, *clip)
        print(name, clips[name], sep=": ")
    for noise, px in itertools.product((0.0, 1.5), MOTIONS):
        table[f"{px} px, noise {noise}"] = ways = measure_quality(net, px, noise)
        print(
            px,
            "px, noise",
            noise,
            *(f"| {way} {' '.join(map(str, figures.values()))}" for way, figures in ways.items()),
        )
    machine = {**describe_machine("torch", "numpy"), "threads": 1, "frame": "160 x 192"}
    write_result(options.out, {"machine": machine, "clips": clips, "quality": table})
    if not all(row["identical"] for row in clips.values()):
        raise SystemExit("The shared search and the bisection of each position gave different frames.")


if __name__ == "__main__":
    main()

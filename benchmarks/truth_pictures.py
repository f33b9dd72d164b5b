"""The pictures of docs/: what the stages make of one drawn clip, and its flow beside the true one.

OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/truth_pictures.py      # a minute; writes docs/images/*.png
"""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from truth import MeasuredClip, TrueClip, draw_clips, measure_clip, profile_settings

from merstream.commands import show
from merstream.synth import Difficulty
from services.interpolator import stage as interpolator
from services.interpolator.timeline import frame_positions, shown_frame_rate
from services.magnifier import evm
from services.magnifier.ops import NUMPY_OPS
from services.roi_au.landmarks import detect
from services.trainer.report.flow_colour import colour_flow, draw_colour_wheel

IMAGES_FOLDER = Path(__file__).parents[1] / "docs" / "images"
FACTOR = 3.0
Picture = NDArray[np.uint8]


def liveliest_clip(clips: list[TrueClip]) -> TrueClip:
    """The clip whose ROIs move furthest from onset to apex, beyond what the head moves."""

    def expression_motion(clip: TrueClip) -> float:
        moved = clip.mean_around_rois(clip.true_flows([(0.0, float(clip.apex))]))[0]
        head = np.median(moved, axis=1)
        return float(np.hypot(*(moved - head[:, None])).max() - np.hypot(*head))

    return max(clips, key=expression_motion)


def shrink_picture(picture: NDArray[Any], scale: float) -> Picture:
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def magnified_strip(clip: TrueClip) -> Picture:
    """Rows: interpolated, magnified by both profiles; every second frame of nine, brows and eyes."""
    rows = []
    for name in ("corrected", "paper"):
        positions = frame_positions("uniform", 0, clip.apex, clip.offset, 11)
        frames = interpolator.interpolate(
            clip.frames, 0, clip.apex, clip.offset, 11, profile_settings("corrected")["interpolator"]
        )
        out = NUMPY_OPS.quantise_frames(evm.magnify(frames, [FACTOR], name, shown_frame_rate(positions, clip.fps))[0])
        if not rows:
            rows.append(strip_row(frames[1:], "frame", clip))
        rows.append(strip_row(out, f"{name} x{FACTOR:g}", clip))
    return np.concatenate(rows)


def strip_row(frames: Picture, title: str, clip: TrueClip) -> Picture:
    top, bottom = int(clip.landmarks[17:27, 1].min()) - 40, int(clip.landmarks[48:68, 1].max()) + 20
    return show._join_row(
        [
            show._add_title(shrink_picture(frame[top:bottom], 0.5), f"{title} {k}")
            for k, frame in enumerate(frames, 1)
            if k % 2
        ]
    )


def draw_flow_picture(runs: dict[str, MeasuredClip]) -> Picture:
    """Onset to apex, summed over pairs: the truth, with the head and without, then each profile without and with
    magnification."""
    best = runs["corrected"]
    last = int(np.argmin(np.abs(np.array(best.positions) - best.clip.apex)))
    true = best.true_flows[:last].sum(0)
    full = float(np.percentile(np.hypot(*true), 99.8))
    expression = best.true_magnified[:last].sum(0)
    pictures = [
        show._add_title(shrink_picture(colour_flow(motion, full), 0.8), title)
        for motion, title in ((true, f"true, {full:.1f} px"), (expression, "true, head steadied"))
    ]
    for name, run in runs.items():
        last = int(np.argmin(np.abs(np.array(run.positions) - run.clip.apex)))
        for index, title in ((0, ""), (1, f" x{FACTOR:g}")):
            moved = run.flows[index, :last].sum(0)
            pictures.append(show._add_title(shrink_picture(colour_flow(moved, full), 0.8), f"{name}{title}"))
    key = np.full_like(pictures[0][:, :100], 255)
    key[20:116, 2:98] = draw_colour_wheel(96)
    return show._join_row([*pictures, key])


def draw_pipeline_picture(clip: TrueClip, run: MeasuredClip) -> Picture:
    """Onset, apex, apex magnified, flow to the apex, ROIs; one height."""
    last = int(np.argmin(np.abs(np.array(run.positions) - clip.apex)))
    frames = interpolator.interpolate(clip.frames, 0, clip.apex, clip.offset, 11)
    at = shown_frame_rate(frame_positions("uniform", 0, clip.apex, clip.offset, 11), clip.fps)
    strong = NUMPY_OPS.quantise_frames(evm.magnify(frames, [FACTOR], fps=at)[0])[last]
    moved = run.flows[1, :last].sum(0)
    flow = {"flows": run.flows[1:], "factors": np.array([FACTOR])}
    rois = show._rois_picture({"frames": frames}, flow, {"landmarks": detect(frames[0])})
    shown = [("onset", frames[0]), ("apex", frames[last + 1]), (f"apex, factor {FACTOR:g}", strong)]
    shown.append(("flow onset to apex", colour_flow(moved, float(np.percentile(np.hypot(*moved), 99.5)))))
    shown.append(("30 ROIs", shrink_picture(rois[show.CAPTION_HEIGHT :, :-4], 1 / 3)))
    return show._join_row([show._add_title(shrink_picture(picture, 0.7), title) for title, picture in shown])


def main() -> None:
    IMAGES_FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        clip = liveliest_clip(draw_clips(Path(folder), 3, 3, 7, Difficulty()))
    runs = {name: measure_clip(clip, profile_settings(name), (FACTOR,)) for name in ("corrected", "paper")}
    show._write_png(IMAGES_FOLDER / "pipeline.png", draw_pipeline_picture(clip, runs["corrected"]))
    show._write_png(IMAGES_FOLDER / "magnified.png", magnified_strip(clip))
    show._write_png(IMAGES_FOLDER / "flow.png", draw_flow_picture(runs))


if __name__ == "__main__":
    main()

"""The pictures of docs/: one drawn clip after each stage, and its flow beside the true one.

OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/truth_pictures.py      # a minute; writes docs/images/*.png
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser
from benchmarks.truth import MeasuredClip, TrueClip, draw_clips, interpolate_clip, measure_clip, profile_settings
from merstream.synth import Difficulty
from services.roi_au.landmarks import detect_landmarks
from shared.images.clip_pictures import CAPTION_HEIGHT, Picture, add_title, draw_roi_motion, join_row, write_png
from shared.images.flow_colour import colour_flow, draw_colour_wheel
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES

IMAGES_FOLDER = Path(__file__).parents[1] / "docs" / "images"
FACTOR = 3.0


def liveliest_clip(clips: list[TrueClip]) -> TrueClip:
    """The clip whose ROIs move most from onset to apex, compared with the head's motion."""

    def expression_motion(clip: TrueClip) -> float:
        moved = clip.mean_around_rois(clip.true_flows([(0.0, float(clip.apex))]))[0]
        head = np.median(moved, axis=1)
        return float(np.hypot(*(moved - head[:, None])).max() - np.hypot(*head))

    return max(clips, key=expression_motion)


def shrink_picture(picture: NDArray[Any], scale: float) -> Picture:
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def magnified_strip(clip: TrueClip) -> Picture:
    """Rows: interpolated, magnified by both profiles; every second frame after the onset, from brows to mouth."""
    shown = interpolate_clip(clip, profile_settings("corrected")["interpolator"])
    rows = [strip_row(dict(enumerate(shown.frames)), "frame", clip)]
    for name, settings in MAGNIFIER_PROFILES.items():
        magnified = shown.magnify(settings.model_copy(update={"append_raw_last": False}), (FACTOR,))
        numbered = dict(zip(shown.magnified_numbers(magnified), magnified["frames"][0], strict=True))
        rows.append(strip_row(numbered, f"{name} x{FACTOR:g}", clip))
    return np.concatenate(rows)


def strip_row(frames: dict[int, Picture], title: str, clip: TrueClip) -> Picture:
    top, bottom = int(clip.landmarks[17:27, 1].min()) - 40, int(clip.landmarks[48:68, 1].max()) + 20
    numbered = [(number, frame) for number, frame in frames.items() if number % 2]
    return join_row([add_title(shrink_picture(frame[top:bottom], 0.5), f"{title} {n}") for n, frame in numbered])


def draw_flow_picture(runs: dict[str, MeasuredClip]) -> Picture:
    """Motion from onset to apex, summed over pairs.

    First the truth with the head's motion and without, then each profile without and with magnification.
    """
    best = runs["corrected"]
    true = best.true_flows[: best.apex_pair].sum(0)
    full = float(np.percentile(np.hypot(*true), 99.8))
    titled = [(f"true, {full:.1f} px", true), ("true, head steadied", best.true_magnified[: best.apex_pair].sum(0))]
    for name, run in runs.items():
        titled += [(f"{name}{of}", run.flows[i, : run.apex_pair].sum(0)) for i, of in ((0, ""), (1, f" x{FACTOR:g}"))]
    pictures = [add_title(shrink_picture(colour_flow(motion, full), 0.8), title) for title, motion in titled]
    key = np.full_like(pictures[0][:, :100], 255)
    key[20:116, 2:98] = draw_colour_wheel(96)
    return join_row([*pictures, key])


def draw_pipeline_picture(clip: TrueClip, run: MeasuredClip) -> Picture:
    """Onset, apex, apex magnified, flow to the apex, ROIs; one height."""
    last = run.apex_pair
    shown = interpolate_clip(clip, profile_settings("corrected")["interpolator"])
    frames = shown.frames
    magnified = shown.magnify(MAGNIFIER_PROFILES["corrected"], (FACTOR,))
    strong, apex = magnified["frames"][0, last], frames[shown.magnified_numbers(magnified)[last]]
    moved = run.flows[1, :last].sum(0)
    flow = {"flows": run.flows[1:], "factors": np.array([FACTOR]), "frame_numbers": magnified["frame_numbers"]}
    interpolated = {"frames": frames, "positions": np.array(shown.positions), "apex": np.array(float(clip.apex))}
    rois = draw_roi_motion(interpolated, flow, {"landmarks": detect_landmarks(frames[0])})
    pictures = [("onset", frames[0]), ("apex", apex), (f"apex, factor {FACTOR:g}", strong)]
    pictures.append(("flow onset to apex", colour_flow(moved, float(np.percentile(np.hypot(*moved), 99.5)))))
    pictures.append(("30 ROIs", shrink_picture(rois[CAPTION_HEIGHT:, :-4], 1 / 3)))
    return join_row([add_title(shrink_picture(picture, 0.7), title) for title, picture in pictures])


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES_FOLDER, help="folder of the pictures")
    out = parser.parse_args().out
    out.mkdir(exist_ok=True)
    clip = liveliest_clip(draw_clips(3, 3, 7, Difficulty()))
    runs = {name: measure_clip(clip, profile_settings(name), (FACTOR,)) for name in ("corrected", "paper")}
    write_png(out / "pipeline.png", draw_pipeline_picture(clip, runs["corrected"]))
    write_png(out / "magnified.png", magnified_strip(clip))
    write_png(out / "flow.png", draw_flow_picture(runs))


if __name__ == "__main__":
    main()

"""The pictures of docs/: what the stages make of one drawn clip, and its flow beside the true one.

OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/truth_pictures.py      # a minute; writes docs/images/*.png
"""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from truth import Clip, Measured, drawn, measured, profile

from merstream.commands import show
from merstream.synth import Difficulty
from services.interpolator import stage as interpolator
from services.interpolator.timeline import chosen, rate
from services.magnifier import evm
from services.roi_au.landmarks import detect
from services.trainer.report.flow_colour import colours, wheel

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FACTOR = 3.0
Picture = NDArray[np.uint8]


def liveliest(clips: list[Clip]) -> Clip:
    """The clip whose ROIs move furthest from onset to apex, beyond what the head moves."""

    def liveliness(clip: Clip) -> float:
        moved = clip.around_rois(clip.flows([(0.0, float(clip.apex))]))[0]
        head = np.median(moved, axis=1)
        return float(np.hypot(*(moved - head[:, None])).max() - np.hypot(*head))

    return max(clips, key=liveliness)


def small(picture: NDArray[Any], scale: float) -> Picture:
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def strip(clip: Clip) -> Picture:
    """Rows: interpolated, magnified by both profiles; every second frame of nine, brows and eyes."""
    rows = []
    for name in ("corrected", "paper"):
        positions = chosen("uniform", 0, clip.apex, clip.offset, 11)
        frames = interpolator.interpolate(
            clip.frames, 0, clip.apex, clip.offset, 11, profile("corrected")["interpolator"]
        )
        out = evm.quantised(evm.magnify(frames, [FACTOR], name, rate(positions, clip.fps))[0])
        if not rows:
            rows.append(row(frames[1:], "frame", clip))
        rows.append(row(out, f"{name} x{FACTOR:g}", clip))
    return np.concatenate(rows)


def row(frames: Picture, title: str, clip: Clip) -> Picture:
    top, bottom = int(clip.landmarks[17:27, 1].min()) - 40, int(clip.landmarks[48:68, 1].max()) + 20
    return show._row(
        [show._titled(small(frame[top:bottom], 0.5), f"{title} {k}") for k, frame in enumerate(frames, 1) if k % 2]
    )


def flow_picture(runs: dict[str, Measured]) -> Picture:
    """Onset to apex, summed over pairs: the truth, with the head and without, then each profile without and with
    magnification."""
    best = runs["corrected"]
    last = int(np.argmin(np.abs(np.array(best.positions) - best.clip.apex)))
    true = best.true[:last].sum(0)
    full = float(np.percentile(np.hypot(*true), 99.8))
    expression = best.true_magnified[:last].sum(0)
    pictures = [
        show._titled(small(colours(motion, full), 0.8), title)
        for motion, title in ((true, f"true, {full:.1f} px"), (expression, "true, head steadied"))
    ]
    for name, run in runs.items():
        last = int(np.argmin(np.abs(np.array(run.positions) - run.clip.apex)))
        for index, title in ((0, ""), (1, f" x{FACTOR:g}")):
            moved = run.flows[index, :last].sum(0)
            pictures.append(show._titled(small(colours(moved, full), 0.8), f"{name}{title}"))
    key = np.full_like(pictures[0][:, :100], 255)
    key[20:116, 2:98] = wheel(96)
    return show._row([*pictures, key])


def pipeline(clip: Clip, run: Measured) -> Picture:
    """Onset, apex, apex magnified, flow to the apex, ROIs; one height."""
    last = int(np.argmin(np.abs(np.array(run.positions) - clip.apex)))
    frames = interpolator.interpolate(clip.frames, 0, clip.apex, clip.offset, 11)
    at = rate(chosen("uniform", 0, clip.apex, clip.offset, 11), clip.fps)
    strong = evm.quantised(evm.magnify(frames, [FACTOR], fps=at)[0])[last]
    moved = run.flows[1, :last].sum(0)
    flow = {"flows": run.flows[1:], "factors": np.array([FACTOR])}
    rois = show._rois({"frames": frames}, flow, {"landmarks": detect(frames[0])})
    shown = [("onset", frames[0]), ("apex", frames[last + 1]), (f"apex, factor {FACTOR:g}", strong)]
    shown.append(("flow onset to apex", colours(moved, float(np.percentile(np.hypot(*moved), 99.5)))))
    shown.append(("30 ROIs", small(rois[show.CAPTION :, :-4], 1 / 3)))
    return show._row([show._titled(small(picture, 0.7), title) for title, picture in shown])


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        clip = liveliest(drawn(Path(folder), 3, 3, 7, Difficulty()))
    runs = {name: measured(clip, profile(name), (FACTOR,)) for name in ("corrected", "paper")}
    show._write(IMAGES / "pipeline.png", pipeline(clip, runs["corrected"]))
    show._write(IMAGES / "magnified.png", strip(clip))
    show._write(IMAGES / "flow.png", flow_picture(runs))


if __name__ == "__main__":
    main()

"""How near the spotted apex comes to the drawn one: by flow magnitude, and by frame differences in the same run.

    python benchmarks/apex.py                       # some 20 minutes; writes benchmarks/results/apex.json

Clips are drawn by `mer synth` (seed 0; 200 fps, 0.2 to 0.5 s, motion of 0.5 to 2.5 px in 640x480) and cropped by the
ingest stage. Each is taken as drawn and with a disturbance more. Frame differences: mean |f(t) - onset| + mean
|f(t) - offset| over the same mask, brightness normalised, Gaussian of 3 px: what was used before.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from merstream import synth
from services.ingest import apex_spotting, clip_cropping, source_reading
from services.ingest.catalogue.entry import Found
from services.ingest.discover import discover
from services.ingest.facial_motion import motion
from services.ingest.settings import PROFILES
from services.ingest.source_packing import pack

SETTINGS = PROFILES["corrected"]
Frames = NDArray[np.uint8]


def drift(frames: Frames) -> Frames:
    """3 px to the right and 1.5 down, steadily."""
    return _moved(frames, lambda s: _shift(3 * s, 1.5 * s))


def nod(frames: Frames) -> Frames:
    """Forth and back by 2 px."""
    return _moved(frames, lambda s: _shift(1.5 * np.sin(1.8 * np.pi * s), 2 * np.sin(1.4 * np.pi * s)))


def turn(frames: Frames) -> Frames:
    """Forth and back by 1.5 degrees, 1 % nearer."""
    return _moved(frames, lambda s: cv2.getRotationMatrix2D((112, 140), 1.5 * np.sin(0.8 * np.pi * s), 1 + 0.01 * s))


def light(frames: Frames) -> Frames:
    """6 % brighter, and a gradient of 8 grey levels from the left to the right."""
    ramp = np.linspace(0, 8, frames.shape[2])[:, None]
    lit = [frame * (1 + 0.06 * s) + ramp * s for s, frame in _timed(frames)]
    return np.clip(lit, 0, 255).astype(np.uint8)


KINDS: dict[str, Callable[[Frames], Frames]] = {
    "as drawn": lambda frames: frames,
    "drift": drift,
    "nod": nod,
    "turn": turn,
    "light": light,
}


def broken_off(frames: Frames, apex: int) -> Frames:
    """Ends when a quarter of the way back to rest is done."""
    return frames[: apex + max(3, (len(frames) - 1 - apex) // 4) + 1]


def curves(frames: Frames) -> dict[str, Any]:
    """[T] by method."""
    mask = apex_spotting.face_mask(frames[0])
    first, last = (motion(frames, end, mask, SETTINGS.spot_blur) for end in (0, -1))
    faces = [_normalised(frame, mask) for frame in frames]
    differences = [np.abs(face - faces[0]).mean() + np.abs(face - faces[-1]).mean() for face in faces]
    return {"flow": first + last, "flow from onset": first, "differences": np.array(differences)}


def errors(frames: Frames, apex: int, fps: float) -> dict[str, int]:
    """Frames between the spotted and the drawn apex, by method."""
    smooth = {name: apex_spotting.smoothed(curve, SETTINGS.spot_window * fps) for name, curve in curves(frames).items()}
    return {name: abs(1 + int(np.argmax(curve[1:-1])) - apex) for name, curve in smooth.items()}


def measure(folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, list[dict[str, int]]] = {}
    for each in discover(folder):
        assert isinstance(each, Found), each
        arrays = clip_cropping.cut(source_reading.read(pack(each)), SETTINGS)
        frames, apex, fps = arrays["frames"], int(arrays["apex"]), float(arrays["fps"])
        for kind, disturbed in KINDS.items():
            found.setdefault(kind, []).append(errors(disturbed(frames), apex, fps))
        found.setdefault("broken off", []).append(errors(broken_off(frames, apex), apex, fps))
    return {kind: {name: _summary([row[name] for row in rows]) for name in rows[0]} for kind, rows in found.items()}


def _summary(off: list[int]) -> dict[str, float]:
    return {
        "median": float(np.median(off)),
        "mean": round(float(np.mean(off)), 1),
        "p90": float(np.percentile(off, 90)),
        "max": max(off),
    }


def _moved(frames: Frames, matrix: Callable[[float], Any]) -> Frames:
    size = frames.shape[2], frames.shape[1]
    how: Any = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    return np.stack([cv2.warpAffine(frame, matrix(s), size, **how) for s, frame in _timed(frames)])


def _timed(frames: Frames) -> Any:
    return zip(np.linspace(0, 1, len(frames)), frames, strict=True)


def _shift(x: float, y: float) -> Any:
    return np.array([[1, 0, x], [0, 1, y]], np.float32)


def _normalised(frame: Frames, mask: NDArray[np.bool_]) -> Any:
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 3)[mask]
    return (grey - grey.mean()) / grey.std()


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--subjects", type=int, default=6)
    asked.add_argument("--clips", type=int, default=6)
    asked.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "apex.json")
    args = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        synth.write(Path(folder), subjects=args.subjects, clips=args.clips, seed=0, jobs=2)
        table = measure(Path(folder))
    for kind, row in table.items():
        for name, figures in row.items():
            print(f"{kind:12} {name:18}", "  ".join(f"{key} {value:5.1f}" for key, value in figures.items()))
    made = {"clips": args.subjects * args.clips, "seed": 0, "unit": "frames at 200 fps", "errors": table}
    args.out.write_text(json.dumps(made | machine("opencv-python-headless", "numpy"), indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Distance of the spotted apex from the drawn one: by flow magnitude, and by frame differences in the same run.

    PYTHONPATH=. python benchmarks/apex.py          # some 20 minutes; writes benchmarks/results/apex.json

Clips are drawn by `mer synth` (seed 0; 200 fps, 0.2 to 0.5 s, motion of 0.5 to 2.5 px in 640x480) and cropped by the
ingest stage. Each clip is measured as drawn and with each disturbance. Frame differences are mean |f(t) - onset| + mean
|f(t) - offset| over the same mask, with normalised brightness and a Gaussian of 3 px: the former method.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, draw_clips, result_file, write_result
from services.ingest import apex_spotting, clip_cropping, source_reading
from services.ingest.catalogue.entry import FoundClip
from services.ingest.facial_motion import measure_skin_motion
from services.ingest.source_packing import pack_source
from shared.face_mesh import MeshTracker
from shared.spotting.motion_meter import FASTEST, MotionMeter
from shared.spotting.regions import LID_REGIONS
from shared.stage_settings.ingest import INGEST_PROFILES

INGEST_SETTINGS = INGEST_PROFILES["corrected"]
Frames = NDArray[np.uint8]


def add_drift(frames: Frames) -> Frames:
    """3 px to the right and 1.5 px down, at constant speed."""
    return _warp_frames(frames, lambda s: _shift_matrix(3 * s, 1.5 * s))


def add_nod(frames: Frames) -> Frames:
    """To and fro by 2 px."""
    return _warp_frames(frames, lambda s: _shift_matrix(1.5 * np.sin(1.8 * np.pi * s), 2 * np.sin(1.4 * np.pi * s)))


def add_turn(frames: Frames) -> Frames:
    """To and fro by 1.5 degrees, 1 % nearer."""
    return _warp_frames(
        frames, lambda s: cv2.getRotationMatrix2D((112, 140), 1.5 * np.sin(0.8 * np.pi * s), 1 + 0.01 * s)
    )


def add_uneven_light(frames: Frames) -> Frames:
    """6 % brighter, and a gradient of 8 grey levels from the left to the right."""
    ramp = np.linspace(0, 8, frames.shape[2])[:, None]
    lit = [frame * (1 + 0.06 * s) + ramp * s for s, frame in _timed_frames(frames)]
    return np.clip(lit, 0, 255).astype(np.uint8)


DISTURBANCES: dict[str, Callable[[Frames], Frames]] = {
    "as drawn": lambda frames: frames,
    "drift": add_drift,
    "nod": add_nod,
    "turn": add_turn,
    "light": add_uneven_light,
}


def end_before_offset(frames: Frames, apex: int) -> Frames:
    """The clip up to a quarter of the way from the apex back to rest."""
    return frames[: apex + max(3, (len(frames) - 1 - apex) // 4) + 1]


def motion_curves(frames: Frames) -> dict[str, Any]:
    """Curves [T] by method."""
    mask = apex_spotting.face_mask(frames[0])
    first, last = (measure_skin_motion(frames, end, mask, INGEST_SETTINGS.spot_blur) for end in (0, -1))
    faces = [_normalise_frame(frame, mask) for frame in frames]
    differences = [np.abs(face - faces[0]).mean() + np.abs(face - faces[-1]).mean() for face in faces]
    return {"flow": first + last, "flow from onset": first, "differences": np.array(differences)}


def region_curve(frames: Frames) -> Any:
    """Curve [T] of the regions of `shared.spotting`."""
    tracker, meter = MeshTracker(), MotionMeter()
    for number, frame in enumerate(frames):
        mesh = tracker.follow_face(np.ascontiguousarray(frame))
        if mesh is None:
            raise ValueError(f"frame {number} shows no face")
        meter.add_frame(np.ascontiguousarray(frame), mesh, number / FASTEST)  # so that none is left out
    displacement = np.delete(meter.finish().displacement, LID_REGIONS, 1)
    share = np.linspace(0, 1, len(displacement))[:, None, None]
    lengths = np.linalg.norm(displacement - displacement[0] * (1 - share) - displacement[-1] * share, axis=2)
    return np.sort(lengths, 1)[:, -lengths.shape[1] // 3 :].mean(1)


def apex_errors(frames: Frames, apex: int, fps: float, regions: bool = False) -> dict[str, int]:
    """Frames between the spotted and the drawn apex, by method."""
    curves = motion_curves(frames) | ({"regions": region_curve(frames)} if regions else {})
    smooth = {
        name: apex_spotting.smooth_curve(curve, INGEST_SETTINGS.spot_window * fps) for name, curve in curves.items()
    }
    return {name: abs(1 + int(np.argmax(curve[1:-1])) - apex) for name, curve in smooth.items()}


def measure_apex_errors(clips: list[FoundClip], regions: bool = False) -> dict[str, dict[str, Any]]:
    """Errors in frames by disturbance and method."""
    found: dict[str, list[dict[str, int]]] = {}
    for each in clips:
        arrays = clip_cropping.crop_clip(source_reading.read_source(pack_source(each)), INGEST_SETTINGS)
        frames, apex, fps = arrays["frames"], int(arrays["apex"]), float(arrays["fps"])
        for kind, disturbed in DISTURBANCES.items():
            found.setdefault(kind, []).append(apex_errors(disturbed(frames), apex, fps, regions))
        broken = end_before_offset(frames, apex)
        found.setdefault("broken off", []).append(apex_errors(broken, apex, fps, regions))
    return {
        kind: {name: _summarise_errors([row[name] for row in rows]) for name in rows[0]} for kind, rows in found.items()
    }


def _summarise_errors(frame_errors: list[int]) -> dict[str, float]:
    return {
        "median": float(np.median(frame_errors)),
        "mean": round(float(np.mean(frame_errors)), 1),
        "p90": float(np.percentile(frame_errors, 90)),
        "max": max(frame_errors),
    }


def _warp_frames(frames: Frames, matrix: Callable[[float], Any]) -> Frames:
    size = frames.shape[2], frames.shape[1]
    options: Any = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    return np.stack([cv2.warpAffine(frame, matrix(s), size, **options) for s, frame in _timed_frames(frames)])


def _timed_frames(frames: Frames) -> Any:
    return zip(np.linspace(0, 1, len(frames)), frames, strict=True)


def _shift_matrix(x: float, y: float) -> Any:
    return np.array([[1, 0, x], [0, 1, y]], np.float32)


def _normalise_frame(frame: Frames, mask: NDArray[np.bool_]) -> Any:
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 3)[mask]
    return (grey - grey.mean()) / grey.std()


def main() -> None:
    parser = argument_parser(__doc__, result_file("apex"))
    parser.add_argument("--subjects", type=int, default=6)
    parser.add_argument("--clips", type=int, default=6, help="per subject")
    parser.add_argument("--regions", action="store_true", help="also the regions of shared.spotting")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = draw_clips(Path(folder), options.subjects, options.clips, seed=0, jobs=2)
        table = measure_apex_errors(clips, options.regions)
    for kind, row in table.items():
        for name, figures in row.items():
            print(f"{kind:12} {name:18}", "  ".join(f"{key} {value:5.1f}" for key, value in figures.items()))
    figures = {"clips": options.subjects * options.clips, "seed": 0, "unit": "frames at 200 fps", "errors": table}
    write_result(options.out, figures | describe_machine("opencv-python-headless", "numpy"))


if __name__ == "__main__":
    main()

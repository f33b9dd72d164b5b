"""Motion out per motion in: both profiles on a face that moves by a known displacement.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/magnification_gain.py  # benchmarks/results/magnification-gain.json

A public-domain face (skimage's astronaut) is moved at a brow and at a mouth corner by a Gaussian bump. The bump rises
as a raised cosine from the onset (frame 0) to the apex (frame 8), then falls. Frames are rounded to uint8. The script
finds the amplitude that, applied to the still face, gives the frame nearest to the magnified apex frame. Both are seen
through the 5x5 blur of the optical flow. Gain is that amplitude over the true one; error is the RMS of the remaining
grey levels (halo, clipping). Factor alpha asks for a gain of 1 + alpha.
"""

import cv2
import numpy as np
from scipy.optimize import minimize_scalar
from skimage.data import astronaut

from benchmarks.common import argument_parser, result_file, write_result
from services.magnifier.evm import magnify_motion
from shared.stage_settings.magnifier import FACTORS, MAGNIFIER_PROFILES, MagnifierSettings

CROPS = {(112, 96): (slice(40, 208), slice(150, 294)), (224, 280): (slice(50, 202), slice(130, 320))}
SPOTS = {"brow": (0.42, 0.30, 0.0, -1.0), "mouth": (0.58, 0.72, 0.8, -0.6)}  # x, y (shares of the frame), direction
AMPLITUDES = (0.3, 1.0, 2.0, 3.0)  # px at the apex
RATES = (20.0, 40.0, 60.0)  # Hz; onset to apex 0.4, 0.2, 0.13 s
APEX, FRAMES = 8, 11
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])


def resized_face(height: int, width: int) -> np.ndarray:
    crop = astronaut()[CROPS[height, width]]
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float64)


def gaussian_bump(height: int, width: int, x: float, y: float, dx: float, dy: float) -> np.ndarray:
    """Displacement [H, W, 2] per px of amplitude; its spread is a tenth of the height."""
    rows, columns = np.mgrid[:height, :width]
    distance = (columns - x * width) ** 2 + (rows - y * height) ** 2
    return np.exp(-distance / (2 * (height / 10) ** 2))[..., None] * (dx, dy)


def move_face(image: np.ndarray, field: np.ndarray, amplitude: float) -> np.ndarray:
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = (columns - amplitude * field[..., 0]), (rows - amplitude * field[..., 1])
    return cv2.remap(image, np.float32(x), np.float32(y), cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)


def moving_clip(still: np.ndarray, field: np.ndarray, amplitude: float) -> np.ndarray:
    course = 0.5 * (1 - np.cos(np.pi * np.arange(FRAMES) / APEX))
    frames = [move_face(still, field, amplitude * share) for share in course]
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def blur_like_flow(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (5, 5), 5, borderType=cv2.BORDER_REPLICATE)


def fit_amplitude(frame: np.ndarray, still: np.ndarray, field: np.ndarray, largest: float) -> tuple[float, float]:
    """Amplitude (px) that explains the frame [H, W] best, and the RMS of the remaining grey levels."""
    target, mask = blur_like_flow(frame), np.hypot(field[..., 0], field[..., 1]) > 0.25

    def residual_error(amplitude: float) -> float:
        return float(np.sqrt(np.mean((blur_like_flow(move_face(still, field, amplitude)) - target)[mask] ** 2)))

    grid = np.linspace(-0.2 * largest, largest, 25)
    best, step = grid[np.argmin([residual_error(amplitude) for amplitude in grid])], grid[1] - grid[0]
    found = minimize_scalar(
        residual_error, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-3}
    )
    return float(found.x), float(found.fun)


def measure_gains(
    size: tuple[int, int], amplitude: float, settings: MagnifierSettings, fps: float = 40.0
) -> np.ndarray:
    """[F, 2]: gain and error per factor, mean over the spots."""
    # the head rests, and no motion may be removed
    settings = settings.model_copy(update={"head": "as-recorded", "light": "as-recorded"})
    still, rows = resized_face(*size), []
    for spot in SPOTS.values():
        field = gaussian_bump(*size, *spot)
        apexes = magnify_motion(moving_clip(still, field, amplitude), FACTORS, settings, fps)[
            :, APEX - FRAMES
        ]  # from the end, as `paper` shows no onset
        largest = 4.5 * amplitude + 0.5
        rows.append(
            [fit_amplitude(frame * 255 @ LUMA_WEIGHTS, still @ LUMA_WEIGHTS, field, largest) for frame in apexes]
        )
    return np.mean(rows, axis=0) / (amplitude, 1)


def table_line(name: str, gains: np.ndarray) -> str:
    picked = [FACTORS.index(factor) for factor in (1.2, 1.6, 2.0, 2.4, 3.0)]
    return f"| {name} | " + " | ".join(f"{gains[i, 0]:.2f} ({gains[i, 1]:.1f})" for i in picked) + " |"


def main() -> None:
    options = argument_parser(__doc__, result_file("magnification-gain")).parse_args()
    cv2.setNumThreads(1)
    results = {}
    print("| gain (error) | 1.2 | 1.6 | 2.0 | 2.4 | 3.0 |\n| --- | --- | --- | --- | --- | --- |")
    for size in CROPS:
        for amplitude in AMPLITUDES:
            for profile, settings in MAGNIFIER_PROFILES.items():
                name = f"{size[0]}x{size[1]}, {amplitude} px, {profile}"
                results[name] = measure_gains(size, amplitude, settings)
                print(table_line(name, results[name]), flush=True)
    for fps in RATES:
        name = f"224x280, 1.0 px, corrected, {fps:.0f} frames/s"
        results[name] = measure_gains((224, 280), 1.0, MAGNIFIER_PROFILES["corrected"], fps)
        print(table_line(name, results[name]), flush=True)
    rounded = {
        name: {"gain": gains[:, 0].round(3).tolist(), "error": gains[:, 1].round(2).tolist()}
        for name, gains in results.items()
    }
    write_result(options.out, {"factors": FACTORS, "results": rounded})


if __name__ == "__main__":
    main()

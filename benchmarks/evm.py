"""Magnification of one clip by ten factors: `magnify_motion` against a plain implementation that runs once per factor.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/evm.py   # writes benchmarks/results/evm-cpu.json

The plain implementation follows the paper step by step for each factor. It converts every frame to YIQ and builds a
Laplacian pyramid of each channel. It applies two recursive low-passes per coefficient and the gains, reconstructs the
frame, and converts it back to RGB. Both follow profile `paper` and must agree. The largest difference is printed beside
the ratio of CPU times (least of several runs).
"""

import cv2
import numpy as np
from scipy.ndimage import correlate1d
from skimage.data import astronaut

from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from services.magnifier.evm import magnify_motion
from services.magnifier.pyramid import band_count
from shared.stage_settings.magnifier import FACTORS

HEIGHT, WIDTH, FRAMES = 224, 280, 11  # px, px
YIQ_TO_RGB = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
BLUR_TAPS = np.sqrt(2) * np.array([1, 4, 6, 4, 1]) / 16
# Butterworth num and den[1] at 0.5/30 and 10/30 of Nyquist
LOW_BUTTERWORTH, HIGH_BUTTERWORTH = (0.0255177, -0.9489646), (0.3660254, -0.2679492)


def zooming_clip() -> np.ndarray:
    """uint8 [FRAMES, HEIGHT, WIDTH, 3]: a face that grows by up to 3 %, so that every edge moves."""
    face = astronaut()[40:208, 130:340]
    frames = []
    for step in range(FRAMES):
        zoom = cv2.getRotationMatrix2D((105, 84), 0, 1 + 0.003 * step)
        frames.append(cv2.resize(cv2.warpAffine(face, zoom, (210, 168), flags=cv2.INTER_CUBIC), (WIDTH, HEIGHT)))
    return np.stack(frames)


def upsample_image(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    stuffed = np.zeros(shape, image.dtype)
    stuffed[::2, ::2] = image
    return correlate1d(correlate1d(stuffed, BLUR_TAPS, 0, mode="mirror"), BLUR_TAPS, 1, mode="mirror")


def laplacian_pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    bands = []
    for _ in range(levels - 1):
        coarse = correlate1d(correlate1d(image, BLUR_TAPS, 1, mode="mirror")[:, ::2], BLUR_TAPS, 0, mode="mirror")[::2]
        bands.append(image - upsample_image(coarse, image.shape))
        image = coarse
    return [*bands, image]


def band_gains(alpha: float, levels: int) -> list[float]:
    wavelength = np.hypot(HEIGHT, WIDTH) / 3 / 2.0 ** np.arange(levels - 1, -1, -1)
    inner = np.minimum(2 * (wavelength * (1 + alpha) / 48 - 1), alpha)
    return [0, *inner[1:-1], 0]


def low_pass(state: list, now: list, before: list, num: float, den: float) -> list:
    return [num * a + num * b - den * s for s, a, b in zip(state, now, before, strict=True)]


def to_rgb(yiq: np.ndarray) -> np.ndarray:
    rgb = np.maximum(yiq @ YIQ_TO_RGB.T.astype(yiq.dtype), 0)
    return rgb / np.maximum(rgb.max(axis=2, keepdims=True), 1)


def magnify_plainly(frames: np.ndarray, alpha: float, levels: int, dtype: type) -> np.ndarray:
    """One factor: uint8 [T, H, W, 3] -> [T-1, H, W, 3] in 0..1."""
    to_yiq, out, state = np.linalg.inv(YIQ_TO_RGB).T.astype(dtype), [], None
    for frame in frames:
        yiq = frame.astype(dtype) / 255 @ to_yiq
        now = [band for channel in range(3) for band in laplacian_pyramid(yiq[..., channel], levels)]
        if state is None:
            state = (now, now, now)
            continue
        low, high = (
            low_pass(state[0], now, state[2], *LOW_BUTTERWORTH),
            low_pass(state[1], now, state[2], *HIGH_BUTTERWORTH),
        )
        state = (low, high, now)
        bands = [g * (h - s) for g, h, s in zip(band_gains(alpha, levels) * 3, high, low, strict=True)]
        for channel, share in enumerate((1, 0, 0)):
            part = bands[channel * levels : (channel + 1) * levels]
            change = part[-1]
            for band in part[-2::-1]:
                change = band + upsample_image(change, band.shape)
            yiq[..., channel] += share * change
        out.append(to_rgb(yiq))
    return np.stack(out)


def compare_implementations(frames: np.ndarray, dtype: type) -> dict[str, float]:
    levels = band_count(HEIGHT, WIDTH)
    plain = time_call(lambda: np.stack([magnify_plainly(frames, alpha, levels, dtype) for alpha in FACTORS]), 4)
    ours = time_call(lambda: magnify_motion(frames, FACTORS, "paper", dtype=dtype), 20)
    corrected = time_call(lambda: magnify_motion(frames, FACTORS, "corrected", 40.0, dtype), 20)
    return {
        "plain_cpu_s": round(plain.cpu_seconds, 3),
        "magnify_paper_cpu_s": round(ours.cpu_seconds, 4),
        "magnify_corrected_cpu_s": round(corrected.cpu_seconds, 4),
        "ratio": round(plain.cpu_seconds / ours.cpu_seconds, 1),
        "max_difference": float(abs(ours.result - plain.result).max()),
    }


def main() -> None:
    options = argument_parser(__doc__, result_file("evm-cpu")).parse_args()
    cv2.setNumThreads(1)
    frames = zooming_clip()
    result = {
        "clip": [FRAMES, HEIGHT, WIDTH, 3],
        "factors": len(FACTORS),
        "machine": describe_machine("numpy", "scipy", "opencv-python-headless"),
    }
    for dtype in (np.float32, np.float64):
        result[dtype.__name__] = compare_implementations(frames, dtype)
        print(dtype.__name__, result[dtype.__name__])
    write_result(options.out, result)


if __name__ == "__main__":
    main()

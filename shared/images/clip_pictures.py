"""Pictures of what each stage made of a clip, with captions, in rows; all are uint8 RGB [H, W, 3]."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.apex_pairs import count_apex_pairs
from shared.images.flow_colour import Picture, colour_flow, draw_colour_wheel
from shared.regions_of_interest import ROI
from shared.stage import Arrays
from shared.store import LocalStore

CAPTION_HEIGHT = 18  # px above a picture


def draw_marked_frames(ingest: Arrays) -> Picture:
    """Onset, apex and offset of ingest's `frames` uint8 [T, H, W, 3] in a row."""
    marks = [(name, int(ingest[name])) for name in ("onset", "apex", "offset")]
    return join_row([add_title(ingest["frames"][index], f"{name} {index}") for name, index in marks])


def draw_timeline(interpolated: Arrays) -> Picture:
    """The interpolator's `frames` uint8 [T, H, W, 3] with their `positions` [T], six in a row."""
    frames, positions = interpolated["frames"], interpolated["positions"]
    return join_grid([add_title(frame, f"frame {at:.2f}") for frame, at in zip(frames, positions, strict=True)], 6)


def draw_magnified_frames(interpolated: Arrays, magnified: Arrays) -> Picture:
    """Rows: interpolated frames [T, H, W, 3], then magnified ones [F, T, H, W, 3] of three factors.

    These are the smallest, a middle and the largest factor.
    """
    frames, factors = magnified["frames"], magnified["factors"]
    count = frames.shape[1]
    rows = [join_row([add_title(frame, "interpolated") for frame in interpolated["frames"][-count:]])]
    for index in sorted({0, len(factors) // 2, len(factors) - 1}):
        rows.append(join_row([add_title(frame, f"x{factors[index]:.1f}") for frame in frames[index]]))
    return np.concatenate(rows)


def draw_flow_pairs(flow: Arrays) -> Picture:
    """`flows` [F, T, 2, H, W], px, in colour on one scale; rows: smallest and largest factor, columns: pairs."""
    flows, factors = flow["flows"].astype(np.float32), flow["factors"]
    full = full_flow_scale(flows)
    rows = []
    for index in sorted({0, len(factors) - 1}):
        titled = [
            add_title(colour_flow(pair, full), f"x{factors[index]:.1f} pair {k}") for k, pair in enumerate(flows[index])
        ]
        rows.append(join_row(titled))
    key = add_title(draw_colour_wheel(min(rows[0].shape[0] - CAPTION_HEIGHT, 96)), f"{full:.2f} px")
    below = np.full((key.shape[0], rows[0].shape[1], 3), 255, np.uint8)
    below[:, : key.shape[1]] = key
    return np.concatenate([*rows, below])


def draw_roi_motion(interpolated: Arrays, flow: Arrays, features: Arrays) -> Picture:
    """The ROIs' landmarks on the onset frame, each with its motion up to the apex, drawn longer.

    interpolated: `frames` [T, H, W, 3] and their timing; flow: `flows` [F, T, 2, H, W] and `factors` [F]; features:
    `landmarks` [68, 2].
    """
    scale = 3
    onset, (points, motion) = interpolated["frames"][0], measure_roi_motion(interpolated, flow, features)
    longer = round_scale_down(onset.shape[1] / 6 / max(float(np.hypot(*motion.T).max()), 1e-3))
    picture = cv2.resize(onset, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for start, arrow in zip(points * scale, motion * scale * longer, strict=True):
        cv2.circle(picture, _pixel_position(start), 3, (255, 220, 0), -1, cv2.LINE_AA)
        cv2.arrowedLine(picture, _pixel_position(start), _pixel_position(start + arrow), (0, 220, 90), 1, cv2.LINE_AA)
    factor = flow["factors"][len(flow["factors"]) // 2]
    return add_title(np.asarray(picture, np.uint8), f"30 ROIs, motion x{longer:g}, factor {factor:.1f}")


def draw_flow_arrows(
    frame: NDArray[Any], motion: NDArray[Any], scale: int = 3, cells: int = 24
) -> tuple[Picture, float]:
    """The motion [2, H, W], px, as arrows over the frame [H, W, 3] in grey, about `cells` of them in a row.

    Returns the picture [scale * H, scale * W, 3], and how many times longer than the motion its arrows are.
    """
    step = max(1, frame.shape[1] // cells)
    grey = cv2.cvtColor(np.asarray(frame, np.uint8), cv2.COLOR_RGB2GRAY)
    picture = cv2.cvtColor(cv2.resize(grey, None, fx=scale, fy=scale), cv2.COLOR_GRAY2RGB)
    rows, columns = np.mgrid[step // 2 : frame.shape[0] : step, step // 2 : frame.shape[1] : step]
    starts = np.stack([columns.ravel(), rows.ravel()], 1).astype(np.float64)
    moved = motion[:, rows.ravel(), columns.ravel()].T.astype(np.float64)
    longer = round_scale_down(1.5 * step / max(float(np.percentile(np.hypot(*moved.T), 99)), 1e-3))
    for start, arrow in zip(starts * scale, moved * scale * longer, strict=True):
        end = _pixel_position(start + arrow)
        cv2.arrowedLine(picture, _pixel_position(start), end, (0, 220, 90), 1, cv2.LINE_AA, tipLength=0.3)
    return np.asarray(picture, np.uint8), longer


def measure_roi_motion(
    interpolated: Arrays, flow: Arrays, features: Arrays
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The ROIs' landmarks [30, 2] and their motion [30, 2] up to the apex, px, at the middle factor.

    The arrays are those of `draw_roi_motion`.
    """
    moved, points = sum_flow_to_apex(interpolated, flow), features["landmarks"][ROI]
    row, column = (np.clip(np.rint(points[:, axis]), 0, moved.shape[2 - axis] - 1).astype(int) for axis in (1, 0))
    return points, moved[:, row, column].T


def sum_flow_to_apex(interpolated: Arrays, flow: Arrays) -> NDArray[np.float32]:
    """The motion from onset to apex at the middle factor, [2, H, W] px. flow: `flows` [F, T, 2, H, W]."""
    pairs = flow["flows"][len(flow["factors"]) // 2].astype(np.float32)
    moved: NDArray[np.float32] = pairs[: count_apex_pairs(interpolated, flow)].sum(0)
    return moved


def round_scale_down(value: float) -> float:
    """Round down to 1, 2 or 5 times a power of ten, a scale by which readers can divide."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value) * power)


def full_flow_scale(flows: NDArray[Any]) -> float:
    """The length, px, that has full colour in pictures of flows [..., 2, H, W] px."""
    return float(max(0.1, np.percentile(np.hypot(flows[..., 0, :, :], flows[..., 1, :, :]), 99.5)))


def _pixel_position(point: NDArray[Any]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def add_title(picture: NDArray[Any], title: str) -> Picture:
    """A picture [H, W, 3] with a caption above: [H + CAPTION_HEIGHT, W + 4, 3]."""
    canvas = np.full((picture.shape[0] + CAPTION_HEIGHT, picture.shape[1] + 4, 3), 255, np.uint8)
    canvas[CAPTION_HEIGHT:, : picture.shape[1]] = picture
    cv2.putText(canvas, title, (2, CAPTION_HEIGHT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (30, 30, 30), 1, cv2.LINE_AA)
    return canvas


def join_row(pictures: Sequence[Picture]) -> Picture:
    """Pictures [H, W, 3] of one height side by side."""
    return np.concatenate(pictures, axis=1)


def join_grid(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures [H, W, 3] of one size in rows of `columns`, the last row filled up with white."""
    blank = np.full_like(pictures[0], 255)
    filled = [*pictures, *[blank] * (-len(pictures) % columns)]
    return np.concatenate([join_row(filled[start : start + columns]) for start in range(0, len(filled), columns)])


def encode_jpeg(picture: Picture, quality: int = 85) -> bytes:
    """The bytes of a JPEG of a picture [H, W, 3]."""
    return bytes(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def write_png(file: Path, picture: Picture) -> Path:
    """Write a picture [H, W, 3]; returns the file."""
    # imencode, not imwrite, since OpenCV cannot open every path outside the locale's alphabet
    LocalStore(file.parent).put(file.name, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    return file

"""Two other rules on the same drawn videos: the strongest public training-free one, re-stated, and today's apex rule.

`public rule` follows shengjianda/micro-expression-spot, from a description of it: the face at 256 px; windows of 200
frames, anchored on the first; the crop follows the nose until its flow is within 1 px; the nose's flow (mean of its
strongest 70 %) is subtracted; three regions a brow, five on the mouth, two beside the nose, each the mean of its
strongest 30 %; a low-pass of 5 Hz; empirical mode decomposition without its last part as a second witness. A peak
stands 1.4 px over the minimum of its window and 1.8 px over that within a second; intervals end at a third of the
height; those that overlap by more than 0.34 of the shorter are one. Lengths of 0.08 to 4 s count.
`public rule, scaled` is the same with both heights times the factor that found most on seed 7: drawn expressions are
small.

`apex rule` is `services.ingest.apex_spotting` in windows of 1 and of 4 s, with half of each in common: the apex of a
window is an event if the motion there exceeds a threshold (best on seed 7) and falls by three quarters on both sides.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import butter, filtfilt

from benchmarks.spotting_scores import Interval
from services.ingest.apex_spotting import face_mask, smooth_curve
from services.ingest.facial_motion import measure_skin_motion
from shared.face_mesh import MeshTracker, convert_to_ibug
from shared.stage_settings.ingest import INGEST_PROFILES

if TYPE_CHECKING:
    from benchmarks.spotting import DrawnVideo

Floats = NDArray[np.float64]

FACE = 256  # px
WINDOW = 200  # frames
CROPS = 4
# Landmarks of the regions: three a brow, five on the mouth, two beside the nose; half their sides in px.
REGIONS = [(17, 18), (19,), (20, 21), (22, 23), (24,), (25, 26), (48,), (50,), (52,), (54,), (57,), (31,), (35,)]
HALF = 10
NOSE = (29, 30)
MICRO = 0.5  # s
SCALE = 0.18  # of the heights: of 1, 0.7, 0.5, 0.35, 0.25 and 0.18 the best for micro-expressions on seed 7
APEX_HEIGHT = 0.5  # px: the best of 0.2, 0.35, 0.5, 0.7, 1, 1.5 on the same


def sort_by_length(intervals: list[Interval]) -> dict[str, list[Interval]]:
    return {
        "micro": [each for each in intervals if each.offset - each.onset <= MICRO],
        "macro": [each for each in intervals if each.offset - each.onset > MICRO],
    }


def load_curves(drawn: "DrawnVideo", cache: Path, name: str, measure: Callable[[list[Any], Floats], Floats]) -> Any:
    """What a rule measures of a video; it is kept."""
    file = cache / f"{drawn.name}-{name}.npz"
    if not file.exists():
        frames = list(drawn.read_frames(cache))
        np.savez(file, curves=measure([pixels for _, pixels in frames], np.array([at for at, _ in frames])))
    with np.load(file) as arrays:
        return arrays["curves"]


def measure_public_curves(frames: list[NDArray[np.uint8]], times: Floats) -> Floats:
    """Motion [T, 13] px of the regions from the first frame of each window of 200, the nose's motion taken out."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    curves = []
    for start in range(0, len(frames), WINDOW):
        mesh = MeshTracker().follow_face(frames[start])
        assert mesh is not None
        landmarks = convert_to_ibug(mesh.points)[:, :2]
        low, high = landmarks.min(0), landmarks.max(0)
        side = 1.15 * float((high - low).max())
        corner = (low + high) / 2 - side / 2 - np.array([0, 0.05 * side])
        places = (landmarks - corner) * FACE / side
        anchor = _cut_face(frames[start], corner, side)
        moved = np.zeros(2)
        for frame in frames[start : start + WINDOW]:
            for _ in range(CROPS):
                flow = search.calc(anchor, _cut_face(frame, corner + moved, side), None)
                nose = _strongest(flow, places[list(NOSE)].mean(0), 0.7)
                if np.hypot(*nose) <= 1:
                    break
                moved = moved + nose * side / FACE
            curves.append([np.hypot(*_strongest(flow - nose, places[list(r)].mean(0), 0.3)) for r in REGIONS])
    return np.array(curves)


def _cut_face(frame: NDArray[np.uint8], corner: Floats, side: float) -> NDArray[np.uint8]:
    matrix = np.array([[side / FACE, 0, corner[0]], [0, side / FACE, corner[1]]])
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    options = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grey, matrix, (FACE, FACE), flags=options, borderMode=cv2.BORDER_REPLICATE))


def _strongest(flow: Any, place: Floats, share: float) -> Floats:
    """The mean vector of the longest `share` of the flow around a place."""
    x, y = np.clip(np.rint(place).astype(int), HALF, FACE - HALF - 1)
    part = flow[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1].reshape(-1, 2)
    lengths = np.hypot(*part.T)
    return np.asarray(part[lengths >= np.quantile(lengths, 1 - share)].mean(0))


def sift_modes(curve: Floats, modes: int = 6) -> list[Floats]:
    """Empirical mode decomposition (Huang et al. 1998): the modes, and what is left as the last one."""
    left, found = curve.copy(), []
    for _ in range(modes):
        mode = left.copy()
        for _ in range(8):
            tops, dips = (np.flatnonzero(np.diff(np.sign(np.diff(sign * mode))) < 0) + 1 for sign in (1, -1))
            if len(tops) < 2 or len(dips) < 2:
                return [*found, left]
            ends = [0, len(mode) - 1]
            upper, lower = (CubicSpline(*_with_ends(at, mode, ends))(np.arange(len(mode))) for at in (tops, dips))
            mode = mode - (upper + lower) / 2
        found.append(mode)
        left = left - mode
    return [*found, left]


def _with_ends(at: NDArray[np.int64], curve: Floats, ends: list[int]) -> tuple[Floats, Floats]:
    places = np.concatenate([[ends[0]], at, [ends[1]]])
    return places.astype(float), np.concatenate([[curve[at[0]]], curve[at], [curve[at[-1]]]])


def spot_public(curves: Floats, fps: float, scale: float) -> list[Interval]:
    """Intervals of the public rule in curves [T, 13] of `fps` frames a second."""
    found: list[Interval] = []
    for start in range(0, len(curves), WINDOW):
        part = curves[start : start + WINDOW]
        if len(part) < 30:
            continue
        filtered = filtfilt(*butter(2, min(5 / (fps / 2), 0.99)), part, axis=0) if fps > 10 else part
        for curve in filtered.T:
            modes = sift_modes(curve)
            for witness in (curve, np.sum(modes[:-1], axis=0) if len(modes) > 1 else curve):
                found += [Interval((start + a) / fps, (start + b) / fps) for a, b in _find_bumps(witness, fps, scale)]
    return merge_intervals([each for each in found if 0.08 <= each.offset - each.onset <= 4])


def _find_bumps(curve: Floats, fps: float, scale: float) -> list[tuple[int, int]]:
    near, found = round(fps), []
    for at in np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] >= curve[2:])) + 1:
        around = curve[max(0, at - near) : at + near + 1]
        if curve[at] - curve.min() < 1.4 * scale or curve[at] - around.min() < 1.8 * scale or curve[at] < around.max():
            continue
        level = around.min() + (curve[at] - around.min()) / 3
        low, high = at, at
        while low > 0 and curve[low] > level:
            low -= 1
        while high < len(curve) - 1 and curve[high] > level:
            high += 1
        found.append((int(low), int(high)))
    return found


def merge_intervals(intervals: list[Interval]) -> list[Interval]:
    """Intervals that overlap by more than 0.34 of the shorter are one."""
    merged: list[Interval] = []
    for each in sorted(intervals):
        last = merged[-1] if merged else None
        shared = last.offset - each.onset if last else 0.0
        if last and shared > 0.34 * min(last.offset - last.onset, each.offset - each.onset):
            merged[-1] = Interval(last.onset, max(last.offset, each.offset))
        else:
            merged.append(each)
    return merged


def measure_apex_curves(frames: list[NDArray[np.uint8]], times: Floats) -> Floats:
    """Rows [N, 4]: onset, apex and offset (s), and height (px) of the apex rule's finding in each window."""
    fps, settings = 1 / float(np.median(np.diff(times))), INGEST_PROFILES["corrected"]
    mask, rows = face_mask(frames[0]), []
    for length in (1.0, 4.0):
        width = round(length * fps)
        for start in range(0, len(frames) - width, width // 2):
            part = frames[start : start + width + 1]
            motion = sum(measure_skin_motion(part, end, mask, settings.spot_blur) for end in (0, -1))
            curve = smooth_curve(np.asarray(motion), settings.spot_window * fps)
            apex = 1 + int(np.argmax(curve[1:-1]))
            rise, fall = curve[: apex + 1], curve[apex:]
            height = float(curve[apex] - max(rise.min(), fall.min()))
            low, high = (np.flatnonzero(side <= curve[apex] - 0.75 * height) for side in (rise, fall))
            if len(low) and len(high):
                rows.append(((start + low[-1]) / fps, (start + apex) / fps, (start + apex + high[0]) / fps, height))
    return np.array(rows).reshape(-1, 4)


def spot_apices(rows: Floats, height: float) -> list[Interval]:
    """The intervals of windows whose apex is so high, px; of those that overlap by half, the highest."""
    from benchmarks.spotting_scores import overlap_intervals

    found: list[Interval] = []
    for onset, _, offset, _ in sorted(rows[rows[:, 3] >= height].tolist(), key=lambda row: -row[3]):
        each = Interval(onset, offset)
        if offset - onset >= 0.08 and all(overlap_intervals(each, other) < 0.3 for other in found):
            found.append(each)
    return found


def run_public(drawn: "DrawnVideo", cache: Path, scale: float = 1.0) -> dict[str, list[Interval]]:
    return sort_by_length(spot_public(load_curves(drawn, cache, "public", measure_public_curves), drawn.fps, scale))


def run_apices(drawn: "DrawnVideo", cache: Path, height: float = APEX_HEIGHT) -> dict[str, list[Interval]]:
    return sort_by_length(spot_apices(load_curves(drawn, cache, "apices", measure_apex_curves), height))


RULES = {"public rule": run_public, "public rule, scaled": partial(run_public, scale=SCALE), "apex rule": run_apices}

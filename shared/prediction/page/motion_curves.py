"""The motion of a face over the whole recording, small enough for a page: one byte per region and bin of time."""

import base64
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from shared.spotting.face_motion import FaceMotion, Values

MAX_BINS = 60_000  # per region: a page of two hours stays below 2 MB a face
REST_WINDOW = 6.0  # s, of the running median that stands for the face at rest
REST_RATE = 10.0  # Hz at which that median is taken
GAP = 255  # byte of a bin in which the face was not followed
SMALLEST_SCALE = 0.01  # distances between the eyes at full height, so that noise does not look like motion
TOP_PERCENTILE = 99.9  # of a face's motion: larger values are cut off at full height
CONTEXT_NAMES = ("left eye closed", "right eye closed", "mouth open", "head moves", "light changes")
LID = re.compile(r"\blid\b")  # a blink would make all other motion look small, so lids are cut off at full height
SIDE = re.compile(r"\b(left|right)\b[ _-]*", re.IGNORECASE)


@dataclass(frozen=True)
class CurveRow:
    """One row of the chart. A pair has the person's left side above the line and the right one below.

    left, right: bytes [bins] in base64, 0 to 254 of the scale, 255 where the face was not followed; right is empty for
    a region on the midline.
    """

    name: str
    left: str
    right: str
    context: bool


@dataclass(frozen=True)
class FaceCurves:
    """The rows of one face. bin_seconds: time per byte. scale: distances between the eyes at full height."""

    face: int
    bin_seconds: float
    scale: float
    rows: tuple[CurveRow, ...]


def split_side(region: str) -> tuple[str, str]:
    """("mouth corner", "left") of "left mouth corner"; the side is empty on the midline."""
    found = SIDE.search(region)
    name = SIDE.sub("", region).replace("_", " ").replace("-", " ").strip()
    return name, found[1].lower() if found else ""


def measure_departure(motion: FaceMotion) -> Values:
    """How far each region is from where it rests, [T, R] distances between the eyes."""
    return np.stack([_measure_departure_of(motion, index) for index in range(len(motion.regions))], 1)


def _measure_departure_of(motion: FaceMotion, region: int) -> Values:
    """The same for one region, [T]. The departures of hours need not be in memory together."""
    course = motion.displacement[:, region]
    return np.asarray(np.linalg.norm(course - find_rest(motion.times, course), axis=-1))


def find_rest(times: Values, values: Values) -> Values:
    """The running median of values [T, ...] at times [T] s, over `REST_WINDOW`: [T, ...]."""
    flat = values.reshape(len(values), -1)
    count = max(2, round((times[-1] - times[0]) * REST_RATE) + 1)
    grid = np.linspace(times[0], times[-1], count)
    coarse = np.stack([np.interp(grid, times, column) for column in flat.T], 1)
    window = min(count, round(REST_WINDOW * REST_RATE)) // 2 * 2 + 1
    padded = np.pad(coarse, ((window // 2, window // 2), (0, 0)), mode="edge")
    medians = [np.median(sliding_window_view(column, window), axis=-1) for column in padded.T]
    return np.stack([np.interp(times, grid, column) for column in medians], 1).reshape(values.shape)


def plot_face_curves(face: int, motions: Iterable[FaceMotion], seconds: float) -> FaceCurves | None:
    """The chart of one face from its segments; None where it has none. seconds: length of the recording.

    The segments are iterated twice: first for the scale, then for the bytes. One is in memory at a time.
    """
    regions: tuple[str, ...] = ()
    end, step, scale = seconds, math.inf, SMALLEST_SCALE
    for motion in _long_enough(motions):
        regions, end = motion.regions, max(end, float(motion.times[-1]))
        step = min(step, float(np.median(np.diff(motion.times))))
        judged = [index for index, region in enumerate(regions) if not LID.search(region)]
        moved = (_measure_departure_of(motion, index) for index in judged)
        scale = max(scale, _find_high_value(moved, len(judged) * len(motion.times)))
    if not regions:
        return None
    width = max(step, end / MAX_BINS)
    names = (*regions, *CONTEXT_NAMES)
    filled = np.full((round(end / width) + 1, len(names)), GAP, np.uint8)
    for motion in _long_enough(motions):
        departures = (_measure_departure_of(motion, index) / scale for index in range(len(regions)))
        for column, values in enumerate(chain(departures, _measure_context(motion))):
            _fill_bins(filled[:, column], motion.times, values, width)
    rows = _pair_rows(regions, filled[:, : len(regions)])
    context = _pair_rows(CONTEXT_NAMES, filled[:, len(regions) :], context=True)
    return FaceCurves(face, width, scale, (*rows, *context))


def _find_high_value(columns: Iterable[Values], count: int) -> float:
    """The `TOP_PERCENTILE` of `count` values, which come in columns [T], with a column in memory at a time."""
    highest = np.zeros(0)
    for column in columns:
        higher = count - math.ceil(TOP_PERCENTILE / 100 * (count - 1))
        highest = np.sort(np.concatenate([highest, column]))[-higher:]
    return float(highest[0]) if count else 0.0


def _long_enough(motions: Iterable[FaceMotion]) -> Iterator[FaceMotion]:
    return (motion for motion in motions if len(motion.times) > 1)


def _measure_context(motion: FaceMotion) -> Sequence[Values]:
    """What else a face does, [T] each as a share of full height, in the order of `CONTEXT_NAMES`."""
    rest = np.maximum(np.median(motion.lids, 0), 1e-6)
    closed = 1 - motion.lids / rest
    opened = (motion.mouth - np.median(motion.mouth)) / 0.1  # distances between the eyes at full height
    speed = np.linalg.norm(np.gradient(motion.head[:, :2], motion.times, axis=0), axis=1) / 0.6  # per second
    light = np.abs(motion.light - find_rest(motion.times, motion.light)) / 25.0  # grey levels
    return closed[:, 0], closed[:, 1], opened, speed, light


def _fill_bins(filled: NDArray[np.uint8], times: Values, values: Values, width: float) -> None:
    """Put the largest of the values [T] of each bin as a byte into `filled` [bins].

    A bin between two samples has a value between theirs.
    """
    places = np.clip(np.rint(times / width).astype(int), 0, len(filled) - 1)
    first, last = int(places[0]), int(places[-1])
    highest = np.full(last - first + 1, -np.inf)
    np.maximum.at(highest, places - first, values)
    known = np.flatnonzero(np.isfinite(highest))
    whole = np.interp(np.arange(len(highest)), known, highest[known])
    filled[first : last + 1] = np.rint(np.clip(whole, 0, 1) * (GAP - 1)).astype(np.uint8)


def _pair_rows(names: Sequence[str], filled: NDArray[np.uint8], context: bool = False) -> Iterable[CurveRow]:
    """One row per region, with both sides in one row. filled: [bins, R]."""
    columns: dict[str, dict[str, NDArray[Any]]] = {}
    for index, region in enumerate(names):
        name, side = split_side(region)
        columns.setdefault(name, {})[side] = filled[:, index]
    for name, sides in columns.items():
        left = sides.get("left", sides.get("", np.full(len(filled), GAP, np.uint8)))
        yield CurveRow(name, _encode_bytes(left), _encode_bytes(sides["right"]) if "right" in sides else "", context)


def _encode_bytes(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()

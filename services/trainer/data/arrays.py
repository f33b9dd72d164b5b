"""The arrays of a clip by name: their shapes, the check of an array, and the choice of a batch from many clips."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.stage import Arrays
from shared.training.annotations import AnnotatedClip, clip_id

FLOW_COUNT = 9  # flow fields of a clip, onset to apex
ROI_COUNT = 30  # regions of interest: the first BROW_ROI_COUNT on the brows, the others on the mouth
BROW_ROI_COUNT = 10
PATCH_SIDE = 7  # px
FRAME_COUNT, FACE_SIDE = 16, 144  # frames of a clip, rows and columns in px
MAP_SIDE = 28  # px
PATCHES_SHAPE = (FLOW_COUNT, 2, ROI_COUNT, PATCH_SIDE, PATCH_SIDE)  # flow fields, (u, v), ROIs, rows, columns
CLIP_SHAPE = (FRAME_COUNT, FACE_SIDE, FACE_SIDE, 3)  # frames, rows, columns, RGB
MAPS_SHAPE = (3, MAP_SIDE, MAP_SIDE)  # (u, v, strain), rows, columns
FLOW_MAPS_SHAPE = (FLOW_COUNT, 2, MAP_SIDE, MAP_SIDE)  # flow fields, (u, v), rows, columns
Indices = NDArray[np.intp]
ArrayAllocator = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]  # (shape, dtype) -> an array to be filled


@dataclass(frozen=True)
class ArraySpec:
    """One array of a clip. `by_factor`: the clip has one array of this shape for each amplification factor.

    `optional`: features without it serve all learners but those that need it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_factor: bool
    optional: bool = False

    def shape_for(self, factor_count: int) -> tuple[int, ...]:
        return (factor_count, *self.shape) if self.by_factor else self.shape


ARRAY_SPECS = {
    "patches": ArraySpec(PATCHES_SHAPE, np.dtype(np.float32), by_factor=True),
    "clip": ArraySpec(CLIP_SHAPE, np.dtype(np.uint8), by_factor=False),
    "maps": ArraySpec(MAPS_SHAPE, np.dtype(np.float32), by_factor=True),
    "flow_maps": ArraySpec(FLOW_MAPS_SHAPE, np.dtype(np.float16), by_factor=True, optional=True),
}


def take_batch(array_name: str, array: Any, rows: Any, factors: Any, flows: Any) -> Any:
    """The arrays of n clips at the given factors. NumPy and torch share the expressions, so it serves both.

    array: of all clips, `patches` [N,F,9,2,30,7,7], `flow_maps` [N,F,9,2,28,28], `maps` [N,F,3,28,28] or `clip`
    [N,16,144,144,3]. rows: indices of clips [n]. factors: indices [n], or [n,9] with one per flow field. flows: the
    indices 0 to 8 [9]. All four are NumPy arrays, or tensors on one device.
    Returns `patches` [n,9,2,30,7,7], `flow_maps` [n,9,2,28,28], `maps` [n,3,28,28] (of nine factors the last) or `clip`
    [n,3,16,144,144].
    """
    if array_name == "clip":
        return move_channels_first(array[rows])
    if factors.ndim == 1:
        return array[rows, factors]
    if array_name == "maps":
        return array[rows, factors[:, -1]]
    return array[rows[:, None], factors, flows]


def move_channels_first(frames: Any) -> Any:
    """Frames [n,16,144,144,3] -> a view [n,3,16,144,144]; of an array or a tensor."""
    return frames.swapaxes(3, 4).swapaxes(2, 3).swapaxes(1, 2)


def collect_arrays(
    samples: Sequence[AnnotatedClip],
    clip_arrays: Iterable[Arrays],
    array_names: Sequence[str],
    allocate: ArrayAllocator,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """The named arrays of N samples, [N, ...] each, and their factors [F]. Optional ones if the first sample has them.

    `clip_arrays` yields the arrays of one sample at a time. Raises BadData, with the clip's name, for missing
    arrays, wrong shapes or dtypes, factors that differ between clips, and numbers that are not finite.
    """
    factors: NDArray[np.float64] = np.empty(0)
    collected: dict[str, NDArray[Any]] = {}
    for row, (sample, arrays) in enumerate(zip(samples, clip_arrays, strict=True)):
        if not row:
            array_names = [name for name in array_names if name in arrays or not ARRAY_SPECS[name].optional]
        _check_array_names(sample, arrays, (*array_names, "factors"))
        if not row:
            factors = np.asarray(arrays["factors"], np.float64)
            collected = {
                name: allocate((len(samples), *ARRAY_SPECS[name].shape_for(len(factors))), ARRAY_SPECS[name].dtype)
                for name in array_names
            }
        _check_factors(sample, arrays["factors"], factors, samples[0])
        for name in array_names:
            _check_array(sample, name, arrays[name], len(factors))
            collected[name][row] = arrays[name]
    return collected, factors


def _check_array_names(sample: AnnotatedClip, arrays: Arrays, expected_names: Sequence[str]) -> None:
    if missing := [name for name in expected_names if name not in arrays]:
        raise BadData(
            f"{clip_id(sample)}: expected the arrays {', '.join(expected_names)}, got no {', '.join(missing)}. An "
            "earlier version of the stage roi-au made these features. Run roi-au again for this clip: the stages "
            "before it are reused."
        )


def _check_factors(
    sample: AnnotatedClip, found_factors: NDArray[Any], factors: NDArray[np.float64], first: AnnotatedClip
) -> None:
    if not np.array_equal(found_factors, factors):
        raise BadData(
            f"{clip_id(sample)}: expected the factors {factors.tolist()} of {clip_id(first)}, got "
            f"{np.asarray(found_factors).tolist()}. Run the magnifier with the same factors for all clips."
        )


def _check_array(sample: AnnotatedClip, array_name: str, array: NDArray[Any], factor_count: int) -> None:
    shape, kind = ARRAY_SPECS[array_name].shape_for(factor_count), ARRAY_SPECS[array_name].dtype.kind
    if array.shape != shape or array.dtype.kind != kind:
        raise BadData(
            f"{clip_id(sample)}: expected {array_name} of shape {shape} and kind {kind!r}, got {array.shape} "
            f"{array.dtype}. Run roi-au again for this clip."
        )
    if kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise BadData(
            f"{clip_id(sample)}: expected finite numbers in {array_name}, got {count} values that are NaN or infinite. "
            "Run flow and roi-au again for this clip."
        )

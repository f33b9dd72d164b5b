"""The arrays that stand for a clip, by name: their shapes, and the check that an array is what its name says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.annotations import AnnotatedClip, clip_id
from shared.errors import BadData
from shared.stage import Arrays

PATCHES_SHAPE = (9, 2, 30, 7, 7)  # flow fields, (u, v), ROIs, rows, columns
CLIP_SHAPE = (16, 144, 144, 3)  # frames, rows, columns, RGB
MAPS_SHAPE = (3, 28, 28)  # (u, v, strain), rows, columns
ArrayAllocator = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]  # room for an array, given shape and type


@dataclass(frozen=True)
class ArraySpec:
    """One array of a clip; `by_factor`: there is one of this shape for each amplification factor."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_factor: bool

    def shape_for(self, factor_count: int) -> tuple[int, ...]:
        return (factor_count, *self.shape) if self.by_factor else self.shape


ARRAY_SPECS = {
    "patches": ArraySpec(PATCHES_SHAPE, np.dtype(np.float32), by_factor=True),
    "clip": ArraySpec(CLIP_SHAPE, np.dtype(np.uint8), by_factor=False),
    "maps": ArraySpec(MAPS_SHAPE, np.dtype(np.float32), by_factor=True),
}


def collect_arrays(
    samples: Sequence[AnnotatedClip],
    clip_arrays: Iterable[Arrays],
    array_names: Sequence[str],
    allocate: ArrayAllocator,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """The arrays `names` of all samples, [N, ...] each, and their factors [F]; each checked as it comes."""
    factors: NDArray[np.float64] = np.empty(0)
    made: dict[str, NDArray[Any]] = {}
    for place, (sample, arrays) in enumerate(zip(samples, clip_arrays, strict=True)):
        _check_array_names(sample, arrays, (*array_names, "factors"))
        if not place:
            factors = np.asarray(arrays["factors"], np.float64)
            made = {
                what: allocate((len(samples), *ARRAY_SPECS[what].shape_for(len(factors))), ARRAY_SPECS[what].dtype)
                for what in array_names
            }
        _check_factors(sample, arrays["factors"], factors, samples[0])
        for what in array_names:
            _check_array(sample, what, arrays[what], len(factors))
            made[what][place] = arrays[what]
    return made, factors


def _check_array_names(sample: AnnotatedClip, arrays: Arrays, expected_names: Sequence[str]) -> None:
    if absent := [what for what in expected_names if what not in arrays]:
        raise BadData(
            f"{clip_id(sample)}: expected the arrays {', '.join(expected_names)}, got no {', '.join(absent)}; "
            "these features are "
            "of an earlier version of the stage roi-au: run roi-au again for this clip (what comes before is reused)."
        )


def _check_factors(
    sample: AnnotatedClip, found_factors: NDArray[Any], factors: NDArray[np.float64], first: AnnotatedClip
) -> None:
    if not np.array_equal(found_factors, factors):
        raise BadData(
            f"{clip_id(sample)}: expected the factors {factors.tolist()} of {clip_id(first)}, got "
            f"{np.asarray(found_factors).tolist()}; run the magnifier with the same factors for all clips."
        )


def _check_array(sample: AnnotatedClip, array_name: str, array: NDArray[Any], factor_count: int) -> None:
    shape, kind = ARRAY_SPECS[array_name].shape_for(factor_count), ARRAY_SPECS[array_name].dtype.kind
    if array.shape != shape or array.dtype.kind != kind:
        raise BadData(
            f"{clip_id(sample)}: expected {array_name} of shape {shape} and kind {kind!r}, got {array.shape} "
            f"{array.dtype}; run "
            "roi-au again for this clip."
        )
    if kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise BadData(
            f"{clip_id(sample)}: {array_name} has {count} values that are no finite numbers; run flow and roi-au again."
        )

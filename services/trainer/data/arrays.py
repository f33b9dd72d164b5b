"""The arrays that stand for a clip, by name: their shapes, and the check that an array is what its name says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.annotations import Annotated, name
from shared.errors import BadData
from shared.stage import Arrays

PATCHES = (9, 2, 30, 7, 7)  # flow fields, (u, v), ROIs, rows, columns
CLIP = (16, 144, 144, 3)  # frames, rows, columns, RGB
MAPS = (3, 28, 28)  # (u, v, strain), rows, columns
Empty = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]  # room for an array, given shape and type


@dataclass(frozen=True)
class Kind:
    """One array of a clip; `by_factor`: there is one of this shape for each amplification factor."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_factor: bool

    def of(self, factors: int) -> tuple[int, ...]:
        return (factors, *self.shape) if self.by_factor else self.shape


KINDS = {
    "patches": Kind(PATCHES, np.dtype(np.float32), by_factor=True),
    "clip": Kind(CLIP, np.dtype(np.uint8), by_factor=False),
    "maps": Kind(MAPS, np.dtype(np.float32), by_factor=True),
}


def filled(
    samples: Sequence[Annotated], found: Iterable[Arrays], names: Sequence[str], empty: Empty
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """The arrays `names` of all samples, [N, ...] each, and their factors [F]; each checked as it comes."""
    factors: NDArray[np.float64] = np.empty(0)
    made: dict[str, NDArray[Any]] = {}
    for place, (sample, arrays) in enumerate(zip(samples, found, strict=True)):
        _check_names(sample, arrays, (*names, "factors"))
        if not place:
            factors = np.asarray(arrays["factors"], np.float64)
            made = {what: empty((len(samples), *KINDS[what].of(len(factors))), KINDS[what].dtype) for what in names}
        _check_factors(sample, arrays["factors"], factors, samples[0])
        for what in names:
            _check_array(sample, what, arrays[what], len(factors))
            made[what][place] = arrays[what]
    return made, factors


def _check_names(sample: Annotated, arrays: Arrays, names: Sequence[str]) -> None:
    if absent := [what for what in names if what not in arrays]:
        raise BadData(
            f"{name(sample)}: expected the arrays {', '.join(names)}, got no {', '.join(absent)}; these features are "
            "of an earlier version of the stage roi-au: run roi-au again for this clip (what comes before is reused)."
        )


def _check_factors(sample: Annotated, got: NDArray[Any], factors: NDArray[np.float64], first: Annotated) -> None:
    if not np.array_equal(got, factors):
        raise BadData(
            f"{name(sample)}: expected the factors {factors.tolist()} of {name(first)}, got "
            f"{np.asarray(got).tolist()}; run the magnifier with the same factors for all clips."
        )


def _check_array(sample: Annotated, what: str, array: NDArray[Any], factors: int) -> None:
    shape, kind = KINDS[what].of(factors), KINDS[what].dtype.kind
    if array.shape != shape or array.dtype.kind != kind:
        raise BadData(
            f"{name(sample)}: expected {what} of shape {shape} and kind {kind!r}, got {array.shape} {array.dtype}; run "
            "roi-au again for this clip."
        )
    if kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise BadData(
            f"{name(sample)}: {what} has {count} values that are no finite numbers; run flow and roi-au again."
        )

"""The arrays that each image stage finds in the artifacts it reads: names, shapes and types, and the check of them.

An artifact may be that of another version or program. The check names the array, before a computation meets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

ArrayType = Literal["uint8", "integer", "number"]
_KINDS: Mapping[str, str] = {"integer": "iu", "number": "iuf"}  # kinds of dtypes as NumPy abbreviates them


@dataclass(frozen=True)
class ArraySpec:
    """One array. `shape` has a length for each axis, or its name: equal names are equal lengths in one artifact."""

    type: ArrayType
    shape: tuple[int | str, ...] = ()
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.type} [{', '.join(map(str, self.shape))}]"

    def fits_array(self, array: NDArray[Any], lengths: dict[str, int]) -> bool:
        """Whether type and shape are right. Named lengths are compared with `lengths`, and noted there."""
        typed = array.dtype == np.uint8 if self.type == "uint8" else array.dtype.kind in _KINDS[self.type]
        named = zip(self.shape, array.shape, strict=False)
        expected = (lengths.setdefault(axis, length) if isinstance(axis, str) else axis for axis, length in named)
        return typed and array.ndim == len(self.shape) and 0 not in array.shape and array.shape == tuple(expected)


ArtifactSpec = Mapping[str, ArraySpec]

CLIP_ARRAYS: ArtifactSpec = {  # of ingest
    "frames": ArraySpec("uint8", ("T", "H", "W", 3)),
    "onset": ArraySpec("integer"),
    "apex": ArraySpec("integer"),
    "offset": ArraySpec("integer"),
    "fps": ArraySpec("number"),
    "times": ArraySpec("number", ("T",), optional=True),
}
SHOWN_ARRAYS: ArtifactSpec = {  # of the interpolator
    "frames": ArraySpec("uint8", ("N", "H", "W", 3)),
    "au_frames": ArraySpec("uint8", ("M", "H", "W", 3)),
    "fps": ArraySpec("number"),
    "positions": ArraySpec("number", ("N",)),
    "apex": ArraySpec("number"),
    "times": ArraySpec("number", ("N",), optional=True),
    "apex_time": ArraySpec("number", optional=True),
}
MAGNIFIED_ARRAYS: ArtifactSpec = {  # of the magnifier
    "frames": ArraySpec("uint8", ("F", "T", "H", "W", 3)),
    "factors": ArraySpec("number", ("F",)),
    "frame_numbers": ArraySpec("integer", ("T",), optional=True),
    "shape_maps": ArraySpec("number", ("F", "S", 128, 128), optional=True),
}
FLOW_ARRAYS: ArtifactSpec = {  # of the flow, P between two frames each
    "flows": ArraySpec("number", ("F", "P", 2, "H", "W")),
    "factors": ArraySpec("number", ("F",)),
    "frame_numbers": ArraySpec("integer", ("P + 1",), optional=True),
    "shape_maps": ArraySpec("number", ("F", "S", 128, 128), optional=True),
}


def check_arrays(arrays: Mapping[str, NDArray[Any]], expected: ArtifactSpec, label: str) -> None:
    """Raise BadData that begins with `label` for an array that is missing or has another type or shape."""
    lengths: dict[str, int] = {}
    for name, spec in expected.items():
        array = arrays.get(name)
        if array is None and spec.optional:
            continue
        if array is None or not spec.fits_array(array, lengths):
            got = "none of this name" if array is None else f"{array.dtype} {list(array.shape)}"
            raise BadData(
                f"{label}: expected {name} as {spec}, got {got}. Another version or program made this artifact: delete "
                "it and its .json, then ingest the clip again."
            )

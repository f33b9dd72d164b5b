"""The file of one clip in a user's table, read into arrays of the shapes that Features hold.

`.npz`: the arrays `u`, `v` and `strain`, or `maps`, or `patches`, or `maps` and `patches`; with or without `clip`. With
an array `factors` [F], all of them but `clip` have a leading axis of F. Other arrays are ignored, so an artifact of
roi-au is a valid file.

`.png`: a map of 28x28 px in 8-bit RGB.

`order` says in which channel of the file u, v and strain lie: r, g and b are its first, second and third.

- `rgb` (default): u red, v green, strain blue. The maps published for MEGC 2019 are so, and `maps` in an .npz.
- `bgr`: u blue, v green, strain red. OpenCV writes an array of u, v, strain so. The other four are allowed too.

`depth` gives the meaning of a value:

- `px` (default of .npz): the numbers as they are.
- `min-max` (default of .png): each channel of each file was stretched to 0..255, so amplitude and zero are lost. u and
  v are value/127.5 minus their median (most of a face rests), strain is value/255.
- `centred`: u and v are (value - 128)/127 and strain is value/255, with one scale for all files.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import ARRAY_SPECS, MAP_SIDE
from services.trainer.sources.map_pictures import decode_stretched, read_picture_pixels
from shared.errors import BadData
from shared.stage import Arrays
from shared.store.npz import unpack_arrays

ChannelOrder = Literal["rgb", "rbg", "grb", "gbr", "brg", "bgr"]
ValueDepth = Literal["min-max", "centred", "px"]
CHANNEL_ORDERS, VALUE_DEPTHS = get_args(ChannelOrder), get_args(ValueDepth)
MAP_CHANNELS = ("u", "v", "strain")
SINGLE_FACTOR = np.ones(1)  # factors of a file without an array `factors`


def read_sample_arrays(data: bytes, suffix: str, error_prefix: str, order: ChannelOrder = "rgb") -> Arrays:
    """Some of `patches`, `clip` and `maps` with the shapes and dtypes of ARRAY_SPECS, and `factors` [F].

    Maps hold u, v and strain in this order, with the numbers of the file: see `decode_map_values`. `error_prefix`
    begins each error message. Raises BadData for other files, arrays, shapes and numbers.
    """
    if suffix == ".png":
        pixels = read_picture_pixels(data, error_prefix).transpose(2, 0, 1).astype(np.float32)
        return {"maps": arrange_channels(pixels, order)[None], "factors": SINGLE_FACTOR}
    if suffix != ".npz":
        raise BadData(
            f"{error_prefix}: expected a .png or .npz file, got {suffix or 'no suffix'}. Convert it"
            f"{' from the flow itself, since JPEG changes its values' if suffix in ('.jpg', '.jpeg') else ''}."
        )
    file_arrays = unpack_arrays(data, error_prefix)
    found = _select_known_arrays(file_arrays, error_prefix)
    if order == CHANNEL_ORDERS[0] or "maps" not in found:
        return found
    if "maps" not in file_arrays:
        raise BadData(
            f"{error_prefix}: expected order {CHANNEL_ORDERS[0]} or none, since the arrays are named u, v and strain, "
            f"got {order}. Leave the cell blank."
        )
    return {**found, "maps": arrange_channels(found["maps"], order)}


def arrange_channels(values: NDArray[Any], order: ChannelOrder) -> NDArray[Any]:
    """Channels of a file [...,3,28,28] -> u, v and strain [...,3,28,28]."""
    return values[..., ["rgb".index(channel) for channel in order], :, :]


def decode_map_values(values: NDArray[np.float32], depth: ValueDepth, error_prefix: str) -> NDArray[np.float32]:
    """u, v and strain [...,3,28,28] with the numbers of the file -> float32 of this shape, in px or without a unit.

    Raises BadData for numbers beyond 0..255 if `depth` says that they were stretched.
    """
    if depth == "px":
        return values
    if values.min() < 0 or values.max() > 255 or values.max() <= 1:
        raise BadData(
            f"{error_prefix}: expected numbers from 0 to 255, as depth {depth} says, got {values.min():.3g} to "
            f"{values.max():.3g}. Scale them, or give px in an .npz without a depth."
        )
    return decode_stretched(values, depth)


def _select_known_arrays(file_arrays: Mapping[str, NDArray[Any]], error_prefix: str) -> Arrays:
    factors = file_arrays.get("factors")
    given = {name: file_arrays[name] for name in ARRAY_SPECS if name in file_arrays}
    if all(name in file_arrays for name in MAP_CHANNELS) and "maps" not in given:
        given["maps"] = _stack_channels(file_arrays, error_prefix)
    if not given.keys() - {"clip"}:
        raise BadData(
            f"{error_prefix}: expected u, v and strain, or maps, or patches, got "
            f"{', '.join(sorted(file_arrays)) or 'no array'}. Give the arrays these names."
        )
    count = 1 if factors is None else _count_factors(factors, error_prefix)
    made = {
        name: _normalise_array(name, array, count, factors is not None, error_prefix) for name, array in given.items()
    }
    return {**made, "factors": SINGLE_FACTOR if factors is None else np.asarray(factors, np.float64)}


def _stack_channels(file_arrays: Mapping[str, NDArray[Any]], error_prefix: str) -> NDArray[Any]:
    parts = [file_arrays[name] for name in MAP_CHANNELS]
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(f"{name} {part.shape}" for name, part in zip(MAP_CHANNELS, parts, strict=True))
        raise BadData(
            f"{error_prefix}: expected u, v and strain of one shape, got {shapes}. Resize to {MAP_SIDE}x{MAP_SIDE}."
        )
    return np.stack(parts, max(parts[0].ndim - 2, 0))


def _count_factors(factors: NDArray[Any], error_prefix: str) -> int:
    if factors.ndim != 1 or not len(factors) or factors.dtype.kind not in "iuf" or not np.isfinite(factors).all():
        raise BadData(
            f"{error_prefix}: expected factors as a row of finite numbers, got {factors.dtype} of shape "
            f"{factors.shape}. Give one number for each amplification, or leave factors out."
        )
    return len(factors)


def _normalise_array(
    array_name: str, array: NDArray[Any], factor_count: int, has_factor_axis: bool, error_prefix: str
) -> NDArray[Any]:
    """The array with the dtype of its name and, if it depends on the factor, with a leading axis of factors."""
    kind = ARRAY_SPECS[array_name]
    expected = kind.shape_for(factor_count) if has_factor_axis else kind.shape
    bytes_only = kind.dtype == np.uint8
    fits = array.dtype == np.uint8 if bytes_only else array.dtype.kind in "iuf"
    if array.shape != expected or not fits:
        without_factors = kind.by_factor and not has_factor_axis
        more = " (or, with an array `factors`, one for each factor)" if without_factors else ""
        raise BadData(
            f"{error_prefix}: expected {array_name} of shape {expected}{more} holding "
            f"{'bytes' if bytes_only else 'numbers'}, got {array.shape} of {array.dtype}. Resize or reorder it."
        )
    with np.errstate(over="ignore"):  # values beyond float32 become infinite and are reported below
        made = np.asarray(array, kind.dtype)
    if not bytes_only and (wrong := int((~np.isfinite(made)).sum())):
        raise BadData(
            f"{error_prefix}: expected finite numbers in {array_name}, got {wrong} that are NaN or infinite. Compute "
            "this clip's flow again or remove the row."
        )
    return made if has_factor_axis or not kind.by_factor else made[None]

"""The file of one clip in a user's table, read into arrays of the shapes that Features hold.

`.npz`: the arrays `u`, `v` and `strain`, or `maps`, or `patches`, or `maps` and `patches`; with or without `clip`. With
an array `factors` [F], all of them but `clip` have a leading axis of F. Other arrays are ignored, so an artifact of
roi-au is a valid file.

`.png`: a map of 28x28 px in 8-bit RGB. `order` names the colours:

- `bgr` (default): u blue, v green, strain red. OpenCV writes an array of u, v, strain so, and so did published files.
- `rgb`: u red, v green, strain blue.

`depth` gives the meaning of a value. Neither meaning is px:

- `min-max` (default): each channel of each file was stretched to 0..255, so amplitude and zero are lost. u and v are
  value/127.5 minus their median (most of a face rests), strain is value/255.
- `centred`: u and v are (value - 128)/127 and strain is value/255, with one scale for all files.
"""

import io
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import ARRAY_SPECS, MAP_SIDE
from shared.errors import BadData
from shared.stage import Arrays
from shared.store.npz import unpack_arrays

ChannelOrder = Literal["bgr", "rgb"]
PixelDepth = Literal["min-max", "centred"]
CHANNEL_ORDERS, PIXEL_DEPTHS = get_args(ChannelOrder), get_args(PixelDepth)
MAP_CHANNELS = ("u", "v", "strain")
SINGLE_FACTOR = np.ones(1)  # factors of a file without an array `factors`


def read_sample_arrays(
    data: bytes, suffix: str, error_prefix: str, order: ChannelOrder = "bgr", depth: PixelDepth = "min-max"
) -> Arrays:
    """Some of `patches`, `clip` and `maps` with the shapes and dtypes of ARRAY_SPECS, and `factors` [F].

    `error_prefix` begins each error message. Raises BadData for other files, arrays, shapes and numbers.
    """
    if suffix == ".png":
        return {
            "maps": decode_map_pixels(_read_png_pixels(data, error_prefix), order, depth)[None],
            "factors": SINGLE_FACTOR,
        }
    if suffix != ".npz":
        raise BadData(f"{error_prefix}: expected a .png or .npz file, got {suffix or 'no suffix'}. Convert it.")
    return _select_known_arrays(unpack_arrays(data, error_prefix), error_prefix)


def decode_map_pixels(pixels: NDArray[np.uint8], order: ChannelOrder, depth: PixelDepth) -> NDArray[np.float32]:
    """RGB pixels [28,28,3] -> float32 map [3,28,28] (u, v, strain), without a unit."""
    u, v, strain = (pixels if order == "rgb" else pixels[..., ::-1]).transpose(2, 0, 1).astype(np.float64)
    if depth == "centred":
        motion = [(part - 128) / 127 for part in (u, v)]
    else:
        motion = [(part - np.median(part)) / 127.5 for part in (u, v)]
    return np.array([*motion, strain / 255], np.float32)


def _read_png_pixels(data: bytes, error_prefix: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError  # slow to import, and tables of .npz do not need it

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            mode, size = picture.mode, picture.size
            pixels = np.asarray(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadData(
            f"{error_prefix}: expected a PNG, got bytes that are none ({error}). Write the file again."
        ) from None
    if mode != "RGB" or size != (MAP_SIDE, MAP_SIDE):
        raise BadData(
            f"{error_prefix}: expected a PNG of {MAP_SIDE}x{MAP_SIDE} px in 8-bit RGB, got {size[0]}x{size[1]} px "
            f"in mode {mode}. Write u, v and strain as its three colours, or give an .npz."
        )
    return pixels


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

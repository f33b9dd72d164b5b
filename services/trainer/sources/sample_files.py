"""One clip's file in somebody's table -> its arrays as a Features holds them.

`.npz`: `u`, `v`, `strain`, or `maps`, or `patches`, or maps and patches; with or without `clip`; without factors, or
all but the clip with a leading axis of F and an array `factors` [F]. What else the file holds is passed over, so an
artifact of roi-au is one too.

`.png`: a map of 28x28 px in 8-bit RGB. Which colour is which, says `order`: `bgr` (default), u blue, v green, strain
red, is what OpenCV makes of an array of u, v, strain, and so the field's published files; `rgb`: u red, v green,
strain blue. What a value means, says `depth`: with `min-max` (default) each channel of each file was stretched to
0..255, so that amplitude and zero are lost: u and v are value/127.5 less their median (most of a face rests), strain
is value/255; with `centred` u and v are (value - 128)/127 and strain value/255, one scale for all files. Neither is
px.
"""

import io
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import KINDS
from shared.errors import BadData
from shared.stage import Arrays
from shared.store.npz import unpack

Order = Literal["bgr", "rgb"]
Depth = Literal["min-max", "centred"]
ORDERS, DEPTHS = get_args(Order), get_args(Depth)
CHANNELS = ("u", "v", "strain")
ONCE = np.ones(1)  # the factors of a file that names none
SIDE = KINDS["maps"].shape[-1]


def arrays_of(data: bytes, suffix: str, told: str, order: Order = "bgr", depth: Depth = "min-max") -> Arrays:
    """Some of `patches`, `clip`, `maps`, each of the shape and type that its name has, and `factors`. `told` is what a
    fault begins with. Raises BadData."""
    if suffix == ".png":
        return {"maps": decoded(_pixels(data, told), order, depth)[None], "factors": ONCE}
    if suffix != ".npz":
        raise BadData(f"{told}: expected a .png or .npz file, got {suffix or 'no suffix'}; convert it.")
    return _named(unpack(data, told), told)


def decoded(pixels: NDArray[np.uint8], order: Order, depth: Depth) -> NDArray[np.float32]:
    """[28,28,3] as a reader of RGB gives it -> [3,28,28] (u, v, strain)."""
    u, v, strain = (pixels if order == "rgb" else pixels[..., ::-1]).transpose(2, 0, 1).astype(np.float64)
    if depth == "centred":
        motion = [(part - 128) / 127 for part in (u, v)]
    else:
        motion = [(part - np.median(part)) / 127.5 for part in (u, v)]
    return np.array([*motion, strain / 255], np.float32)


def _pixels(data: bytes, told: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError  # matplotlib's; slow, and a table of .npz does without

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            mode, size = picture.mode, picture.size
            pixels = np.asarray(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadData(f"{told}: expected a PNG, got bytes that are none ({error}); write the file again.") from None
    if mode != "RGB" or size != (SIDE, SIDE):
        raise BadData(
            f"{told}: expected a PNG of {SIDE}x{SIDE} px in 8-bit RGB, got {size[0]}x{size[1]} px in mode {mode}; "
            "write u, v and strain as its three colours, or give an .npz."
        )
    return pixels


def _named(found: Mapping[str, NDArray[Any]], told: str) -> Arrays:
    factors = found.get("factors")
    given = {name: found[name] for name in KINDS if name in found}
    if all(name in found for name in CHANNELS) and "maps" not in given:
        given["maps"] = _stacked(found, told)
    if not given.keys() - {"clip"}:
        raise BadData(
            f"{told}: expected u, v and strain, or maps, or patches, got {', '.join(sorted(found)) or 'no array'}; "
            "name the arrays so."
        )
    count = 1 if factors is None else _counted(factors, told)
    made = {name: _one(name, array, count, factors is not None, told) for name, array in given.items()}
    return {**made, "factors": ONCE if factors is None else np.asarray(factors, np.float64)}


def _stacked(found: Mapping[str, NDArray[Any]], told: str) -> NDArray[Any]:
    parts = [found[name] for name in CHANNELS]
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(f"{name} {part.shape}" for name, part in zip(CHANNELS, parts, strict=True))
        raise BadData(f"{told}: expected u, v and strain of one shape, got {shapes}; bring them to {SIDE}x{SIDE}.")
    return np.stack(parts, max(parts[0].ndim - 2, 0))


def _counted(factors: NDArray[Any], told: str) -> int:
    if factors.ndim != 1 or not len(factors) or factors.dtype.kind not in "iuf" or not np.isfinite(factors).all():
        raise BadData(
            f"{told}: expected factors as a row of finite numbers, got {factors.dtype} of shape {factors.shape}; give "
            "one number for each amplification, or leave factors out."
        )
    return len(factors)


def _one(name: str, array: NDArray[Any], factors: int, leading: bool, told: str) -> NDArray[Any]:
    """With the leading axis of factors where there is one for each of them; of the type that its name has."""
    kind = KINDS[name]
    expected = kind.of(factors) if leading else kind.shape
    bytes_only = kind.dtype == np.uint8
    fits = array.dtype == np.uint8 if bytes_only else array.dtype.kind in "iuf"
    if array.shape != expected or not fits:
        more = " (or, with an array `factors`, one such for each of them)" if kind.by_factor and not leading else ""
        raise BadData(
            f"{told}: expected {name} of shape {expected}{more} holding {'bytes' if bytes_only else 'numbers'}, got "
            f"{array.shape} of {array.dtype}; resample or reorder it."
        )
    with np.errstate(over="ignore"):  # what is too long for float32 becomes infinite and is told
        made = np.asarray(array, kind.dtype)
    if not bytes_only and (wrong := int((~np.isfinite(made)).sum())):
        raise BadData(
            f"{told}: expected finite numbers in {name}, got {wrong} that are NaN or infinite; compute this clip's "
            "flow again or take the row out."
        )
    return made if leading or not kind.by_factor else made[None]

"""Pictures of flow maps: PNG files of 28x28 px in 8-bit RGB, and what their numbers mean."""

import io

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import MAP_SIDE
from shared.errors import BadData

PNG_SIGNATURE, JPEG_SIGNATURE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
DEPTH_OFFSET = len(PNG_SIGNATURE) + 16  # the byte of the header that holds the bits per sample
MODE_NAMES = {"P": "with a palette", "RGBA": "with transparency", "LA": "with transparency", "L": "grey", "1": "grey"}


def read_picture_pixels(data: bytes, error_prefix: str) -> NDArray[np.uint8]:
    """The pixels [28,28,3] of a PNG. Raises BadData for other files, sizes and kinds of PNG."""
    from PIL import Image, UnidentifiedImageError  # slow to import, and tables of .npz do not need it

    if data.startswith(JPEG_SIGNATURE):
        raise BadData(
            f"{error_prefix}: expected a PNG, got a JPEG. JPEG mixes the channels and changes their values. Write the "
            "map again as PNG from the flow itself."
        )
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            mode, size = picture.mode, picture.size
            pixels = np.asarray(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadData(
            f"{error_prefix}: expected a PNG, got bytes that are none ({error}). Write the file again."
        ) from None
    bits = data[DEPTH_OFFSET]
    if mode != "RGB" or bits != 8 or size != (MAP_SIDE, MAP_SIDE):
        kind = f"{bits}-bit" if bits > 8 else MODE_NAMES.get(mode, "in colour")
        raise BadData(
            f"{error_prefix}: expected a PNG of {MAP_SIDE}x{MAP_SIDE} px in 8-bit RGB, got {size[0]}x{size[1]} px "
            f"in mode {mode} ({kind}). Write u, v and strain as its three colours, or give an .npz."
        )
    return pixels


def decode_stretched(values: NDArray[np.floating], depth: str) -> NDArray[np.float32]:
    """u, v and strain [...,3,28,28] of 0..255 -> float32 of the same shape, without a unit.

    `min-max`: u and v are value/127.5 less their median. `centred`: they are (value - 128)/127. Strain is value/255.
    """
    motion, strain = np.split(np.asarray(values, np.float64), [2], -3)
    if depth == "centred":
        motion = (motion - 128) / 127
    else:
        motion = (motion - np.median(motion, (-2, -1), keepdims=True)) / 127.5
    return np.concatenate([motion, strain / 255], -3).astype(np.float32)

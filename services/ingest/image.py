"""From encoded images to uint8 RGB. A damaged file is refused by name, never decoded in part."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

Frame = NDArray[np.uint8]

JPEG, SCAN, END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"  # ITU-T T.81 table B.1: SOI, SOS, EOI


def decode_image(data: NDArray[np.uint8], name: str) -> NDArray[Any]:
    """Pixels [H,W] or [H,W,3] (blue, green, red) of an image file, uint8 or uint16. Alpha is dropped.

    `data` has the bytes [n] of the file. Raises BadData that names the file, if it is no image, truncated or of another
    depth.
    """
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    pixels = cv2.imdecode(data, flags) if data.size else None
    if pixels is None or _is_cut(data):
        raise BadData(
            f"{name}: expected a whole image, got {_describe_data(data)}; copy the file from the dataset again."
        )
    if pixels.dtype not in (np.uint8, np.uint16):
        raise BadData(f"{name}: expected 8 or 16 bits per channel, got {pixels.dtype}; save the frames as 8-bit PNG.")
    return pixels


def to_rgb(pixels: NDArray[Any], name: str) -> Frame:
    """Pixels [H,W] or [H,W,3] (blue, green, red) as [H,W,3] uint8 RGB. Of 16 bits the upper 8 are kept.

    Grey becomes three equal channels. Raises BadData for a 16-bit file with values of 12 bits or less: it would turn
    black.
    """
    if pixels.dtype == np.uint16:
        pixels = _upper_bits(pixels, name)
    order = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, order), np.uint8)


def _upper_bits(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if pixels.max() < 1 << 12:
        raise BadData(
            f"{name}: expected 16-bit values up to 65535, got none above {pixels.max()}; scale the frames to the full "
            "16 bits or save them as 8-bit PNG."
        )
    return (pixels >> 8).astype(np.uint8)


def _is_cut(data: NDArray[np.uint8]) -> bool:
    """Whether a JPEG has no end after its last scan. Some decoders fill the rest with grey without an error."""
    content = data.tobytes()
    return content.startswith(JPEG) and content.rfind(END) < content.rfind(SCAN)


def _describe_data(data: NDArray[np.uint8]) -> str:
    start = data[:16].tobytes()
    if not start:
        return "an empty file"
    if start.isascii() and start.decode("ascii").isprintable():
        return f"text that begins with {start.decode('ascii')!r}"
    if start.startswith((JPEG, b"\x89PNG", b"BM", b"RIFF", b"II*", b"MM\0*")):
        return f"one that is cut off or damaged ({data.size} bytes)"
    return f"{data.size} bytes of no known image format"

"""From encoded images to uint8 RGB. A damaged file is refused by name, never decoded in part."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.images.depth import FULL, scale_to_bytes
from shared.images.header import check_image_header, declared_maximum

Frame = NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2", ".jpe", ".jfif"}
)  # of files that are taken for frames

JPEG, SCAN, END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"  # ITU-T T.81 table B.1: SOI, SOS, EOI
OUT_OF_MEMORY = -4  # OpenCV's StsNoMem


def decode_image(data: NDArray[np.uint8], name: str) -> NDArray[Any]:
    """Pixels [H,W] or [H,W,3] (blue, green, red) of an image file, uint8 or uint16, upright. Alpha is dropped.

    `data` has the bytes [n] of the file. Netpbm files declare their largest value, and become uint8.
    Raises BadData that names the file, if it is no image, truncated, too large,
    of another depth or several pictures.
    """
    check_image_header(data, name)
    pixels = _decode_pixels(data, name)
    if pixels is not None and (top := declared_maximum(data)):
        pixels = _scale_declared(pixels, top)
    if pixels is None or _is_cut(data):
        raise BadData(
            f"{name}: expected a whole image, got {_describe_data(data)}; copy the file from the dataset again."
        )
    if pixels.dtype not in (np.uint8, np.uint16):
        raise BadData(f"{name}: expected 8 or 16 bits per channel, got {pixels.dtype}; save the frames as 8-bit PNG.")
    return pixels


def to_rgb(pixels: NDArray[Any], bits: int = FULL) -> Frame:
    """Pixels [H,W] or [H,W,3] (blue, green, red) as [H,W,3] uint8 RGB. Grey becomes three equal channels.

    Of 16-bit pixels the upper 8 of `bits` bits are kept. `shared.images.depth.measure_depth` finds them for a clip.
    """
    if pixels.dtype == np.uint16:
        pixels = scale_to_bytes(pixels, bits)
    order = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, order), np.uint8)


def _decode_pixels(data: NDArray[np.uint8], name: str) -> NDArray[Any] | None:
    """The pixels, None for no image. OpenCV turns a picture upright as its EXIF data say."""
    try:
        return cv2.imdecode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except cv2.error as error:
        if error.code == OUT_OF_MEMORY:
            raise MemoryError(f"{name}: {error.err}") from error
        raise BadData(
            f"{name}: expected an image that can be decoded, got one that OpenCV refuses ({error.err}); save it again."
        ) from None


def _scale_declared(pixels: NDArray[Any], top: int) -> NDArray[np.uint8]:
    """Values 0..`top` as 8 bits: those of more than 8 bits as `scale_to_bytes` does it, the others rounded."""
    values = np.minimum(pixels.astype(np.uint32), top)
    return np.asarray(values * 256 // (top + 1) if top > 255 else (510 * values + top) // (2 * top), np.uint8)


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
    if start[4:8] == b"ftyp":
        return "a picture in HEIC, AVIF or a video's format, which is not read: save the frames as PNG"
    if start.startswith((JPEG, b"\x89PNG", b"BM", b"RIFF", b"II*", b"MM\0*")):
        return f"one that is cut off or damaged ({data.size} bytes)"
    return f"{data.size} bytes of no known image format"

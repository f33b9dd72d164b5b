"""What an image file declares, read before anything is decoded: its size, further pictures, colours without red."""

import io
import re
import struct
import warnings
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from shared.errors import BadData

MAX_PIXELS = 64_000_000  # a larger frame takes more memory than a worker has. Faces need a hundredth of it
PNG = b"\x89PNG\r\n\x1a\n"
STACKS = frozenset({"TIFF", "PNG", "WEBP", "GIF"})  # formats whose further pictures are frames, not previews
SUBFILE_TYPE, PHOTOMETRIC = 254, 262  # tags of TIFF 6.0, sections 8 and 4
REDUCED = 1  # bit of the subfile type: a smaller copy of another page
WHITE_IS_ZERO, LAB_MODES = 0, frozenset({8, 9, 10})

NETPBM_HEADER = 1000  # bytes, more than a header with usual comments has
# Kind, width, height and largest value, between blanks and comments (the manuals of pgm and ppm)
_NETPBM = re.compile(rb"P([2356])(?:(?:\s|#[^\n]*\n)+\d+){2}(?:\s|#[^\n]*\n)+(\d{1,5})\s")

Image.MAX_IMAGE_PIXELS = None  # Pillow warns of large images and then raises. `check_image_header` refuses them by name


def check_image_header(data: NDArray[Any], name: str) -> None:
    """Check the declared size and contents of an image file, uint8 [bytes]. Raises BadData that names the file.

    A header that cannot be read is left to the decoder.
    """
    if fault := describe_size_fault(*_read_png_size(bytes(data[:24]))):
        raise BadData(f"{name}: expected {fault}")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(bytes(data))) as picture:
            fault = _describe_fault(picture)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError):
        return
    if fault:
        raise BadData(f"{name}: expected {fault}")


def declared_maximum(data: NDArray[Any]) -> int:
    """The largest value that a PGM or PPM file, uint8 [bytes], declares. 0 for others, and for 8 or 16 full bits."""
    match = _NETPBM.match(data[:NETPBM_HEADER].tobytes())
    declared = int(match[2]) if match else 0
    scaled = match is not None and match[1] in b"23" and declared < 256  # OpenCV does it for files of text alone
    return 0 if scaled or declared in (255, 65535) else declared


def _read_png_size(start: bytes) -> tuple[int, int]:
    """Columns and rows that the first 24 bytes of a PNG declare. OpenCV takes memory for them before it checks more."""
    return struct.unpack(">II", start[16:]) if start.startswith(PNG) and len(start) == 24 else (0, 0)


def describe_size_fault(width: int, height: int) -> str:
    """Why an image of this size (columns, rows) is refused: "..., got ...; ...". '' if it is not."""
    if width * height <= MAX_PIXELS:
        return ""
    return (
        f"an image of at most {MAX_PIXELS // 10**6} megapixels, got {width}x{height} px "
        f"({width * height / 1e6:.0f} megapixels); export the frames smaller."
    )


def _describe_fault(picture: Image.Image) -> str:
    if fault := describe_size_fault(*picture.size):
        return fault
    pages = _count_pages(picture) if picture.format in STACKS else 1
    if pages > 1:
        return f"one picture in the file, got {pages}; write each frame to a file of its own."
    colours = picture.tag_v2.get(PHOTOMETRIC) if hasattr(picture, "tag_v2") else None
    if colours in LAB_MODES:
        return "red, green and blue, got L*a*b* colours; save the frames as RGB."
    if colours == WHITE_IS_ZERO and picture.mode.startswith("I"):
        return "16-bit values that rise with brightness, got a TIFF in which 0 is white; save the frames inverted."
    return ""


def _count_pages(picture: Image.Image) -> int:
    """Pictures in the file, without smaller copies. Leaves the picture at its first."""
    frames = getattr(picture, "n_frames", 1)
    if frames == 1 or not hasattr(picture, "tag_v2"):
        return frames
    reduced = 0
    for index in range(1, frames):
        picture.seek(index)
        reduced += bool(int(picture.tag_v2.get(SUBFILE_TYPE, 0)) & REDUCED)
    picture.seek(0)
    return frames - reduced

"""Whether a file is a whole image, from its first and last bytes. Nothing is decoded.

Formats are those of `shared.images.decoding.IMAGE_SUFFIXES`. Sizes are read for JPEG, PNG and BMP.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from shared.images.header import describe_size_fault

HEAD_BYTES, JPEG_SEARCH_BYTES, TAIL_BYTES = 1024, 1 << 16, 64  # bytes
MAGIC_NUMBERS: dict[bytes, str] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",  # BigTIFF
    b"MM\x00+": "TIFF",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"P2": "PGM",
    b"P5": "PGM",
    b"P3": "PPM",
    b"P6": "PPM",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
ENDS = {"JPEG": (b"\xff\xda", b"\xff\xd9"), "PNG": (b"IDAT", b"IEND")}  # begin of pixels, end of the picture
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15: the segments of a JPEG with its size


@dataclass(frozen=True)
class ImageHeader:
    """`fault` is '' for a whole image. `size` is (columns, rows) if the format states it early."""

    kind: str = ""
    size: tuple[int, int] | None = None
    fault: str = ""
    advice: str = "Copy it again from the original"  # what to do about a fault


def read_header(file: Path) -> ImageHeader:
    """The header of a file. Bad content becomes a fault and raises no error."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError as error:
        return ImageHeader(fault=f"cannot be opened ({error.strerror})")
    try:
        return _parse_header(handle)
    except OSError as error:
        return ImageHeader(fault=f"cannot be read ({error.strerror})")
    finally:
        os.close(handle)


def _parse_header(handle: int) -> ImageHeader:
    length = os.fstat(handle).st_size
    head = os.pread(handle, HEAD_BYTES, 0)
    kind = next((name for magic, name in MAGIC_NUMBERS.items() if head.startswith(magic)), "")
    if not head:
        return ImageHeader(fault="is empty")
    if not kind:
        return ImageHeader(fault=f"is no image (it begins with {head[:8]!r})")
    tail = os.pread(handle, TAIL_BYTES, max(0, length - TAIL_BYTES))
    if kind in ENDS and ENDS[kind][1] not in tail and _is_cut(os.pread(handle, length, 0), *ENDS[kind]):
        return ImageHeader(kind, fault=f"is a {kind} cut short")
    if kind == "BMP" and length < _bmp_length(head):
        return ImageHeader(kind, fault="is a BMP cut short")
    size = _image_size(handle, kind, head)
    if size and (too_large := describe_size_fault(*size)):
        return ImageHeader(kind, size, f"is too large: expected {too_large.rstrip('.')}", advice="")
    return ImageHeader(kind, size)


def _is_cut(data: bytes, pixels: bytes, end: bytes) -> bool:
    """Whether no end follows the last pixels. Phones write data of their own behind the end."""
    return data.rfind(end) <= data.rfind(pixels)


def _image_size(handle: int, kind: str, head: bytes) -> tuple[int, int] | None:
    if kind == "PNG" and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if kind == "BMP" and len(head) >= 26:
        width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
        return width, abs(height)
    if kind == "JPEG":
        return _jpeg_size(head) or _jpeg_size(os.pread(handle, JPEG_SEARCH_BYTES, 0))
    return None


def _bmp_length(head: bytes) -> int:
    """The bytes that a BMP needs for its pixels. Its own length field is not used: some writers leave it 0."""
    offset, width, height, bits, compression = (
        int.from_bytes(head[at : at + size], "little", signed=True)
        for at, size in ((10, 4), (18, 4), (22, 4), (28, 2), (30, 4))
    )
    pixels = (bits * width + 31) // 32 * 4 * abs(height) if compression == 0 else 0
    return max(offset + pixels, 54)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """The size in the frame header (ITU-T T.81, B.2.2), None if the header lies beyond `data`."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in FRAME_MARKERS:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None

"""Images that nobody should open unchecked: headers that lie, pieces, odd modes, several formats in one file."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tests.hostile.damage import damage_bytes

Picture = tuple[str, bytes]  # suffix, content

SIZES = ((65535, 65535), (1, 65535), (65535, 1), (0, 0), (0, 7), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (30000, 30000))


def make_image(draw: random.Random) -> Picture:
    """A hostile image."""
    return draw.choice(_MAKERS)(draw)


@cache
def _pixels(mode: str) -> Image.Image:
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65536, (24, 32), dtype=np.uint16))
    return small.convert(mode)


@cache
def encode_image(kind: str, mode: str = "RGB", frames: int = 1) -> bytes:
    """A sound image file of 32x24 px."""
    buffer, more = io.BytesIO(), {}
    if frames > 1:
        more = {"save_all": True, "append_images": [_pixels(mode)] * (frames - 1)}
    _pixels(mode).save(buffer, kind, **more)
    return buffer.getvalue()


def make_png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"", chunks: bytes = b"") -> bytes:
    """A PNG that declares anything."""
    header = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, depth, colour, 0, 0, 0)
    parts = (
        make_chunk(b"IHDR", header) + chunks + make_chunk(b"IDAT", zlib.compress(data, 9)) + make_chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + parts


def make_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _lying_png(draw: random.Random) -> Picture:
    depth, colour = draw.choice((1, 2, 8, 16, 3, 255)), draw.choice((0, 2, 3, 4, 6, 1, 200))
    return ".png", make_png(*draw.choice(SIZES), depth, colour, bytes(draw.choice((0, 100, 1 << 20))))


def _bomb_png(draw: random.Random) -> Picture:
    bomb = zlib.compress(bytes(draw.choice((1 << 20, 80 << 20))), 9)
    kind, head = draw.choice(((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")))
    return ".png", make_png(32, 24, data=bytes(24 * 97), chunks=make_chunk(kind, head + bomb) * draw.choice((1, 3)))


def _large_png(draw: random.Random) -> Picture:
    """Few bytes that are many pixels, around the limit."""
    side, colour, depth = draw.choice((2000, 8001, 20000)), draw.choice((0, 2)), draw.choice((8, 16))
    row = 1 + side * (3 if colour == 2 else 1) * depth // 8
    return ".png", make_png(side, side, depth, colour, bytes(row * min(side, 500)))


def _lying_jpeg(draw: random.Random) -> Picture:
    data = bytearray(encode_image("JPEG"))
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, *(value & 0xFFFF for value in draw.choice(SIZES)))
    if draw.random() < 0.3:
        data[frame + 1] = draw.choice((0xC2, 0xC3, 0xC9, 0xCF))
    return ".jpg", bytes(data)


def _lying_bmp(draw: random.Random) -> Picture:
    data = bytearray(encode_image("BMP"))
    struct.pack_into("<ii", data, 18, *draw.choice(((65535, 65535), (-5, -5), (5, -(2**31)), (0, 0), (2**31 - 1, 1))))
    struct.pack_into("<HI", data, 28, draw.choice((1, 8, 24, 32, 77)), draw.choice((0, 1, 2, 3, 4)))
    return ".bmp", bytes(data)


def _lying_tiff(draw: random.Random) -> Picture:
    """Entries of the directory with other types, counts and values."""
    data = bytearray(encode_image("TIFF", draw.choice(("RGB", "I;16", "L"))))
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, start)[0]
    for _ in range(draw.randint(1, 3)):
        at = start + 2 + 12 * draw.randrange(count)
        value = draw.choice((0, 1, 65535, 2**31, 2**32 - 1, 8, start))
        struct.pack_into(
            order + "HII", data, at + 2, draw.choice((1, 3, 4, 5, 12, 99)), draw.choice((1, 2**32 - 1)), value
        )
    if draw.random() < 0.2:  # a directory that follows itself
        struct.pack_into(order + "I", data, start + 2 + 12 * count, start)
    return ".tif", bytes(data)


def _odd_mode(draw: random.Random) -> Picture:
    kind, suffix, mode = draw.choice(
        (
            *(("PNG", ".png", mode) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")),
            *(("JPEG", ".jpg", mode) for mode in ("L", "CMYK", "YCbCr")),
            *(
                ("TIFF", ".tif", mode)
                for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16")
            ),
            *(("WEBP", ".webp", "RGBA"), ("PPM", ".ppm", "RGB"), ("PPM", ".pgm", "I;16"), ("BMP", ".bmp", "P")),
        )
    )
    return suffix, encode_image(kind, mode)


def _animated(draw: random.Random) -> Picture:
    kind, suffix = draw.choice((("GIF", ".png"), ("WEBP", ".webp"), ("PNG", ".png"), ("TIFF", ".tif"), ("GIF", ".jpg")))
    return suffix, encode_image(kind, "P" if kind == "GIF" else "RGB", draw.choice((2, 40)))


def _polyglot(draw: random.Random) -> Picture:
    suffix, sound = draw.choice(((".png", encode_image("PNG")), (".jpg", encode_image("JPEG"))))
    tail = draw.choice(
        (b"PK\5\6" + bytes(18), b"<script>alert(1)</script>", b"%PDF-1.7", b"\0" * 100_000, b"\xff\xd8\xff")
    )
    return suffix, draw.choice((sound + tail, tail + sound, b"GIF89a" + sound))


def _netpbm(draw: random.Random) -> Picture:
    kind, top = (
        draw.choice(("P2", "P3", "P5", "P6", "P7", "Pf")),
        draw.choice(("0", "1", "255", "65535", "65536", "-1")),
    )
    size = draw.choice(("32 24", "65535 65535", "0 0", "-3 4", "99999999999 1", "# " + "x" * 2000 + "\n3 3"))
    return draw.choice((".pgm", ".ppm")), f"{kind}\n{size}\n{top}\n".encode() + draw.randbytes(
        draw.choice((0, 99, 2304))
    )


def _foreign(draw: random.Random) -> Picture:
    texts: tuple[bytes, ...] = (
        b"",
        b"\0",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:9/x"/></svg>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(secret) run\n",
        b"\x00\x00\x00\x18ftypheic" + bytes(100),
        b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3),
        b"\x00\x00\x01\x00\xff\xff" + bytes(100),
        b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 30,
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**32 - 1) + b"IHDR",
        b"\xff\xd8" + b"\xff\xe1\xff\xffExif\0\0MM\0*" + b"\xff" * 65000,
    )
    return draw.choice((".png", ".jpg", ".tif", ".bmp", ".webp", ".jp2")), draw.choice((*texts, draw.randbytes(500)))


def _damaged(draw: random.Random) -> Picture:
    kinds = (
        ("PNG", ".png"),
        ("JPEG", ".jpg"),
        ("BMP", ".bmp"),
        ("TIFF", ".tif"),
        ("WEBP", ".webp"),
        ("JPEG2000", ".jp2"),
    )
    kind, suffix = draw.choice((*kinds, ("PPM", ".ppm")))
    return suffix, damage_bytes(encode_image(kind), draw)


_MAKERS: tuple[Callable[[random.Random], Any], ...] = (
    *(_lying_png, _bomb_png, _large_png, _lying_jpeg, _lying_bmp, _lying_tiff, _odd_mode, _animated),
    *(_polyglot, _netpbm, _foreign, _damaged, _damaged, _damaged),
)

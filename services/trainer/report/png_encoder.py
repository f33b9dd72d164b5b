"""Small pictures as PNG inside a page."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def png_data_uri(picture: NDArray[np.uint8]) -> str:
    """RGB picture [H,W,3], uint8 -> data URI."""
    return "data:image/png;base64," + base64.b64encode(encode_png(picture)).decode()


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """RGB picture [H,W,3], uint8 -> PNG, without compression.

    Builds of zlib compress equal pixels to different bytes, but equal outcomes must give equal reports.
    """
    height, width, _ = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], 1)  # 0: no filter
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (
        _png_chunk(b"IHDR", head) + _png_chunk(b"IDAT", _stored_zlib_stream(rows.tobytes())) + _png_chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + parts


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _stored_zlib_stream(data: bytes) -> bytes:
    """A zlib stream of stored blocks (RFC 1950, RFC 1951 3.2.4)."""
    block_bytes = 0xFFFF
    blocks = [data[start : start + block_bytes] for start in range(0, len(data), block_bytes)]
    heads: list[Any] = [
        struct.pack("<BHH", number == len(blocks) - 1, len(block), len(block) ^ 0xFFFF)
        for number, block in enumerate(blocks)
    ]
    body = b"".join(head + block for head, block in zip(heads, blocks, strict=True))
    return b"\x78\x01" + body + struct.pack(">I", zlib.adler32(data))

"""Videos that nobody should open unchecked: text that names other files, headers that lie, pieces, no frames."""

import io
import random
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np

from tests.hostile.damage import damage_bytes

Recording = tuple[str, bytes]  # suffix, content

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm")
_FORMATS = {".mp4": ("mp4", "mpeg4"), ".avi": ("avi", "mpeg4"), ".mkv": ("matroska", "mjpeg"), ".webm": ("webm", "vp8")}
_ADDRESS = "http://127.0.0.1:9/x"


def make_video(draw: random.Random, secret: Path) -> Recording:
    """A hostile video. Some name the file `secret`, which nobody must read."""
    return draw.choice(_MAKERS)(draw, secret)


@cache
def encode_video(suffix: str, rate: int = 25, frames: int = 12) -> bytes:
    """A sound video of 64x48 px."""
    form, codec = _FORMATS[suffix]
    buffer, rng = io.BytesIO(), np.random.default_rng(4)
    with av.open(buffer, "w", format=form) as target:
        stream = target.add_stream(codec, rate=rate)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for _ in range(frames):
            pixels = np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        target.mux(stream.encode())
    return buffer.getvalue()


@cache
def _encode_sound() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as target:
        stream = target.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return buffer.getvalue()


def _text(draw: random.Random, secret: Path) -> Recording:
    named = draw.choice((_ADDRESS, f"file://{secret}", str(secret), "../outside/secret.txt", "concat:/etc/passwd"))
    texts = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{named}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{named}'\nduration 9\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=control:{named}\n",
        f'<MPD type="static"><Period><AdaptationSet><BaseURL>{named}</BaseURL></AdaptationSet></Period></MPD>',
        f"[playlist]\nFile1={named}\n",
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{named}">]><smil>&b;</smil>',
        f"1\n00:00:00,000 --> 00:00:09,000\n{named}\n",
    )
    return draw.choice((*SUFFIXES, ".m4v", ".wmv")), draw.choice(texts).encode()


def _reference(draw: random.Random, secret: Path) -> Recording:
    """A QuickTime file whose data are in another file or at an address."""
    named = draw.choice((str(secret), _ADDRESS)).encode() + b"\0"
    data = encode_video(".mp4")
    alias = b"\0\0\0\0" + named
    inside = struct.pack(">I", len(alias) + 8) + b"url " + alias
    return draw.choice((".mp4", ".mov")), _replace_box(data, b"url ", inside)


def _replace_box(data: bytes, kind: bytes, new: bytes) -> bytes:
    """The file with one box replaced; the sizes of those around it stay, so that they lie too."""
    at = data.index(kind) - 4
    size = int.from_bytes(data[at : at + 4])
    return data[:at] + new + data[at + size :]


def _lying_header(draw: random.Random, secret: Path) -> Recording:
    """A box of an MP4 with huge, zero or negative numbers: size of the picture, time scale, counts of samples."""
    data = bytearray(encode_video(".mp4"))
    kind, offset = draw.choice(
        (
            *((b"tkhd", at) for at in (80, 84)),
            *((b"mp4v", at) for at in (28, 30)),
            *((b"mdhd", at) for at in (16, 20)),
            *((b"mvhd", at) for at in (16, 20)),
            *((box, at) for box in (b"stts", b"stsz", b"stsc", b"stco") for at in (8, 12, 16)),
            *((b"stsd", 8), (b"elst", 8), (b"elst", 12)),
        )
    )
    place = data.find(kind)
    value = draw.choice((0, 1, 65535, 2**31 - 1, 2**31, 2**32 - 1))
    if place >= 0:
        struct.pack_into(">I", data, place - 4 + offset + 4, value)
    return draw.choice((".mp4", ".mov", ".m4v")), bytes(data)


def _lying_avi(draw: random.Random, secret: Path) -> Recording:
    data = bytearray(encode_video(".avi"))
    kind, offsets = draw.choice(((b"avih", (8, 24, 40, 44)), (b"strh", (28, 32, 40, 44)), (b"strf", (12, 16, 20))))
    value = draw.choice((0, 1, 65535, 2**31 - 1, 2**32 - 1))
    struct.pack_into("<I", data, data.index(kind) + draw.choice(offsets), value)
    return ".avi", bytes(data)


def _odd_rate(draw: random.Random, secret: Path) -> Recording:
    return ".mp4", encode_video(".mp4", draw.choice((1, 5, 1000)), draw.choice((1, 2, 12)))


def _garbage_after(draw: random.Random, secret: Path) -> Recording:
    suffix = draw.choice(tuple(_FORMATS))
    tail = draw.choice((draw.randbytes(5000), bytes(100_000), b"\0\0\0\1moov" + b"\xff" * 99, encode_video(suffix)))
    return suffix, encode_video(suffix) + tail


def _no_picture(draw: random.Random, secret: Path) -> Recording:
    nested = b""
    for _ in range(2000):
        nested = struct.pack(">I", len(nested) + 8) + b"moov" + nested
    frame = b"YUV4MPEG2 W65535 H65535 F0:0 Ip\nFRAME\n" + bytes(99)
    found = (_encode_sound(), b"", b"\0" * 4096, b"GIF89a\xff\xff\xff\xff\0\0\0;", nested, frame, draw.randbytes(2000))
    return draw.choice((*SUFFIXES, ".flv", ".mpg", ".ts", ".wmv")), draw.choice(found)


def _wrong_suffix(draw: random.Random, secret: Path) -> Recording:
    return draw.choice((".avi", ".wmv", ".mpg", ".mov")), encode_video(draw.choice(tuple(_FORMATS)))


def _damaged(draw: random.Random, secret: Path) -> Recording:
    suffix = draw.choice(tuple(_FORMATS))
    return suffix, damage_bytes(encode_video(suffix), draw)


_MAKERS: tuple[Callable[[random.Random, Path], Recording], ...] = (
    *(_text, _text, _reference, _lying_header, _lying_header, _lying_avi, _odd_rate, _garbage_after, _no_picture),
    *(_wrong_suffix, _damaged, _damaged, _damaged),
)

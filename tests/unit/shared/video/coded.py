"""Videos whose frames tell their own number: eight blocks, black or white, are the bits of it."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

ROWS, COLUMNS, BLOCK, BITS = 96, 160, 16, 8
RATE = 30
USUAL_CODECS: list[tuple[str, dict[str, object]]] = [  # names of files, and options of `write`
    ("a.mp4", {"codec": "libx264"}),
    ("b.mkv", {"codec": "libx264", "options": {"x264-params": "open-gop=1:bframes=2"}}),
    ("c.mp4", {"codec": "libx264", "options": {"x264-params": "intra-refresh=1:bframes=0"}}),
    ("d.avi", {"codec": "libx264"}),
    ("e.avi", {"codec": "mpeg4", "b_frames": 2}),
    ("f.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
]


def draw(number: int, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """The picture [rows,columns,3] RGB: the code in the first row of blocks, and a bar that moves by 3 px a frame."""
    picture = np.full((rows, columns, 3), 90, np.uint8)
    picture[rows // 2 :, :, 1] = np.linspace(40, 200, columns, dtype=np.uint8)
    left = 3 * number % (columns - 24)
    picture[rows // 2 : rows - 8, left : left + 24] = (220, 190, 160)
    for bit in range(BITS):
        picture[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return picture


def number_of(pixels: NDArray[np.uint8]) -> int:
    """The number in a decoded picture of `draw`, of any scale."""
    height, width = pixels.shape[0] / ROWS, pixels.shape[1] / COLUMNS
    middles = [
        pixels[
            int(4 * height) : int(12 * height), int((bit * BLOCK + 4) * width) : int((bit * BLOCK + 12) * width)
        ].mean()
        for bit in range(BITS)
    ]
    return sum(int(middle > 128) << bit for bit, middle in enumerate(middles))


def write(
    file: Path,
    stamps: Mapping[int, int] | Iterable[int],
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    *,
    base: Fraction = Fraction(1, RATE),
    pictures: Mapping[int, NDArray[np.uint8]] | None = None,
    pixels: str = "yuv420p",
    group: int = 12,
    b_frames: int | None = None,
    aspect: Fraction | None = None,
    rotation: int = 0,
    interlaced: bool = False,
    container: Mapping[str, str] | None = None,
) -> Path:
    """A video of the pictures `stamps`, each at its time in ticks of `base`. A plain list gives each its own number."""
    due = dict(stamps) if isinstance(stamps, Mapping) else {number: number for number in stamps}
    with av.open(str(file), "w", options=dict(container or {})) as target:
        stream = target.add_stream(codec, rate=RATE, options=dict(options or {}))
        first = (pictures or {}).get(next(iter(due)), None)
        rows, columns = (ROWS, COLUMNS) if first is None else first.shape[:2]
        stream.width, stream.height, stream.pix_fmt = columns, rows, pixels
        stream.codec_context.time_base = base
        stream.codec_context.gop_size = group
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if interlaced:
            stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if rotation:
            stream.set_display_rotation(rotation)
        for number, stamp in due.items():
            picture = draw(number) if pictures is None else pictures[number]
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = stamp, base
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return file

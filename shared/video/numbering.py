"""The numbers of frames, also where a container keeps places for frames that are not there."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from shared.video.container import VideoData
from shared.video.packets import PacketEntry

STREAM_FORMATS = frozenset({"mpegts", "mpeg"})  # containers without an index, which lose packets without a trace
CHUNK = re.compile(rb"[0-9]{2}[a-z]{2}|ix[0-9]{2}|idx1|JUNK|LIST|RIFF")  # names of what an AVI has among its frames
HEADER_BYTES = 1 << 20  # of an AVI, at most, before its first chunk
GRID_TOLERANCE = 0.1  # of a frame period, for time stamps on a regular grid


@dataclass(frozen=True)
class FrameNumbers:
    """A number for each of the first frames, rising. `lost` are the numbers of frames that are damaged beyond reading.

    It is shorter than the list of frames where those after a damage cannot be numbered.
    """

    numbers: list[int]
    lost: list[int]


def number_frames(
    form: str, packets: Sequence[PacketEntry], order: Sequence[int], stamps: Sequence[int], lost_chunks: Sequence[int]
) -> FrameNumbers:
    """The numbers of the frames in `order`, whose time stamps are `stamps`, in a container of the format `form`.

    `lost_chunks` are ticks of the chunks that an AVI lists but that cannot be read.
    """
    if form == "avi":  # a tick is a chunk
        reordered = any(packet.pts != packet.dts for packet in packets)
        first = min([*stamps, *lost_chunks]) if reordered else 0
        numbers = [stamp - first for stamp in stamps]
        if all(a < b for a, b in pairwise(numbers)):
            return FrameNumbers(numbers, [tick - first for tick in lost_chunks])
    if form in STREAM_FORMATS and len(order) > 1:
        return _number_by_grid(form, packets, order, stamps)
    return FrameNumbers(list(range(len(order))), [])


def number_before_break(
    data: VideoData, packets: Sequence[PacketEntry], found: FrameNumbers, declared: int, order: Sequence[int]
) -> FrameNumbers:
    """The numbers of a damaged AVI whose header declares more frames than it has, and that lists no chunks.

    `data` is the file or its bytes [n]. Chunks follow each other without a gap. Only frames before the first gap keep
    their numbers.
    """
    end = _find_break(data)
    sound = next((at for at, place in enumerate(order) if (packets[place].place or 0) >= end), len(order))
    if sound == len(order):
        return found  # nothing is lost but what a recorder or a transfer left out at the end
    numbers = found.numbers[:sound]
    return FrameNumbers(numbers, list(range(numbers[-1] + 1 if numbers else 0, declared)))


def _number_by_grid(
    form: str, packets: Sequence[PacketEntry], order: Sequence[int], stamps: Sequence[int]
) -> FrameNumbers:
    """Numbers by time stamps, for containers that lose packets. Without a regular grid they are counted.

    Then those after a damage have none.
    """
    damaged = [at for at, place in enumerate(order) if packets[place].is_damaged]
    period = median(b - a for a, b in pairwise(stamps))
    steps = [(stamp - stamps[0]) / period if period else 0.0 for stamp in stamps]
    numbers = [round(step) for step in steps]
    regular = all(abs(step - number) <= GRID_TOLERANCE for step, number in zip(steps, numbers, strict=True))
    if regular and all(a < b for a, b in pairwise(numbers)):
        holes = sorted(set(range(numbers[-1])) - set(numbers))
        if not holes or form == "mpegts":
            return FrameNumbers(numbers, holes)
        damaged += holes[:1]  # a program stream has few stamps
    count = min(damaged) if damaged else len(order)
    return FrameNumbers(list(range(count)), list(range(count, len(order))))


def _find_break(data: VideoData) -> int:
    """Where the chain of an AVI's chunks ends: four letters and a length, then the contents. 0 if none begins."""
    with data.open("rb") if isinstance(data, Path) else io.BytesIO(data.tobytes()) as file:
        at, size = file.read(HEADER_BYTES).find(b"movi") + 4, file.seek(0, io.SEEK_END)
        while at > 3:
            file.seek(at)
            header = file.read(8)
            length = int.from_bytes(header[4:], "little")
            following = at + (12 if header[:4] in (b"RIFF", b"LIST") else 8 + length + length % 2)
            if len(header) < 8 or not CHUNK.match(header) or following > size:
                return at
            at = following
    return 0

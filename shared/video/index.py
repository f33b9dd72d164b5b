"""The index of a video: its packets with time stamps, and which frame has which number. Nothing is decoded.

A frame's number is its place in the order of presentation, counted from 0. Frames that the container keeps a place for
are counted too: empty chunks of an AVI, damaged packets, packets that a damaged stream lost.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median

from shared.errors import BadData
from shared.video.container import MOST_PIXELS, VideoData, describe_choice, open_video
from shared.video.numbering import number_before_break, number_frames
from shared.video.packets import PacketEntry, divide_joined_avis, read_packet_table
from shared.video.presentation import order_frames

AVI_SLACK = 2  # chunks
PACKED_MARK = re.compile(rb"DivX\d+(?:b|Build)\d+p")
PROGRESSIVE_ORDERS = frozenset({0, 1})  # AVFieldOrder: unknown, progressive


@dataclass(frozen=True)
class VideoIndex:
    """What a container tells of its video. The three tuples of frames run in parallel, in the order of presentation."""

    name: str
    container: str  # FFmpeg's name of the format
    codec: str
    pixels: str  # FFmpeg's name of the pixels' format. "" if the container does not say
    size: tuple[int, int]  # columns, rows
    aspect: Fraction  # width of a pixel over its height
    is_interlaced: bool  # as declared
    time_base: Fraction  # seconds
    rates: tuple[float, ...]  # the container's own frame rates, the likeliest first
    declared: int  # frames by the container's header. 0: it does not say
    packets: tuple[PacketEntry, ...] = field(repr=False)
    numbers: tuple[int, ...] = field(repr=False)  # number of each frame
    positions: tuple[int, ...] = field(repr=False)  # its packet's place in `packets`
    seconds: tuple[float, ...] = field(repr=False)  # its time stamp, s after the first frame's
    lost: frozenset[int] = frozenset()  # numbers of frames whose packets are damaged beyond reading
    restart: int | None = None  # number at which the time stamps begin anew
    is_packed: bool = False  # MPEG-4 that says of itself that two frames may share a chunk
    choice: str = ""  # which of several video streams this is

    def __post_init__(self) -> None:
        """Raises BadData for frames that would be too large once their pixels are square."""
        columns, rows = self.size
        if self.aspect <= 0 or columns * rows * max(self.aspect, 1 / self.aspect) > MOST_PIXELS:
            raise BadData(
                f"{self.name}: expected frames of at most {MOST_PIXELS / 1e6:g} megapixels with square pixels, got "
                f"{columns}x{rows} px of {self.aspect.numerator}:{self.aspect.denominator}; export the video again."
            )

    @cached_property
    def place_of(self) -> dict[int, int]:
        """The place of each shown packet, by its place in `packets`."""
        return {position: place for place, position in enumerate(self.positions)}

    @property
    def count(self) -> int:
        """Frames that have a number, with those that are empty or lost."""
        last = max(self.lost, default=-1)
        return max(last, self.numbers[-1] if self.numbers else -1) + 1

    @property
    def absent(self) -> int:
        """How many frames more the header declares than the file has, hidden ones included."""
        hidden = sum(not packet.is_shown for packet in self.packets)
        difference = self.declared - self.count - hidden if self.declared else 0
        # An AVI counts chunks, some of them for frames that its decoder holds back.
        return 0 if self.container == "avi" and abs(difference) <= AVI_SLACK else difference

    def frames_between(self, onset: int, offset: int) -> range:
        """Places, in `numbers`, of the recorded frames onset..offset."""
        return range(bisect_left(self.numbers, onset), bisect_left(self.numbers, offset + 1))


@lru_cache(maxsize=8)
def _read_stored_index(file: Path, size: int, modified: int) -> VideoIndex:
    return read_index(file, file.name)


def read_file_index(file: Path) -> VideoIndex:
    """The index of a file. Clips of one video share it. Raises BadData."""
    try:
        state = file.stat()
        return _read_stored_index(file, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise BadData(
            f"{file.name}: expected a readable video, got {error.strerror}; restore the file or its permissions."
        ) from None


def read_index(data: VideoData, name: str) -> VideoIndex:
    """Read all packets of a file, or of its bytes [n], and number its frames. Raises BadData if there are none."""
    with open_video(data, name) as (container, stream):
        packets, lost_chunks = read_packet_table(container, stream)
        context, form = stream.codec_context, container.format.name.split(",")[0]
        if not packets:
            raise BadData(f"{name}: expected a video, got one without a frame; copy the file again.")
        if form == "avi" and 0 < stream.frames < len(packets):
            packets = divide_joined_avis(data, packets)
        order, stamps = order_frames(data, name, form, context, packets)
        rates = (stream.average_rate, stream.base_rate, stream.guessed_rate)
        found = number_frames(form, packets, order, stamps, lost_chunks)
        if form == "avi" and stream.frames > len(found.numbers) + len(found.lost):
            found = number_before_break(data, packets, found, stream.frames, order)
        numbers, lost = found.numbers, found.lost
        if not numbers:
            raise BadData(f"{name}: expected a video, got one that is damaged from its first frame on; copy it again.")
        first = stamps[0] if stamps else 0
        restart = next((n for n, place in zip(numbers, order, strict=False) if packets[place].part), None)
        base = stream.time_base or Fraction(1, 1)
        return VideoIndex(
            name=name,
            container=form,
            codec=context.name,
            pixels=context.pix_fmt or "",
            size=(context.width, context.height),
            aspect=Fraction(stream.sample_aspect_ratio or 1),
            is_interlaced=context.field_order not in PROGRESSIVE_ORDERS,
            time_base=base,
            rates=tuple(float(rate) for rate in rates if rate) + _median_rate(stamps, base),
            # Of an mp4 with an edit, frames outside of it are listed no more.
            declared=min(stream.frames, len(stream.index_entries)) if form == "mov" else stream.frames,
            packets=tuple(packets),
            numbers=tuple(numbers),
            positions=tuple(order[: len(numbers)]),
            seconds=tuple(float((stamp - first) * base) for stamp in stamps[: len(numbers)]),
            lost=frozenset(lost),
            restart=restart,
            is_packed=form == "avi" and bool(PACKED_MARK.search(context.extradata or b"")),
            choice=describe_choice(container, stream),
        )


def _median_rate(stamps: Sequence[int], base: Fraction) -> tuple[float, ...]:
    steps = [b - a for a, b in pairwise(stamps) if b > a]
    return (1 / float(median(steps) * base),) if steps else ()

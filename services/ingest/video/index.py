"""The index of a video: its packets with time stamps, and which frame has which number. Nothing is decoded.

A frame's number is its place in the order of presentation, counted from 0. Frames that the container keeps a place for
are counted too: empty chunks of an AVI, damaged packets, packets that a damaged stream lost.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from services.ingest.video.container import VideoData, open_video
from shared.errors import BadData

STREAM_FORMATS = frozenset({"mpegts", "mpeg"})  # containers without an index, which lose packets without a trace
GRID_TOLERANCE = 0.1  # of a frame period, for time stamps on a regular grid
PROGRESSIVE_ORDERS = frozenset({0, 1})  # AVFieldOrder: unknown, progressive
PacketKey = tuple[int | None, int | None, int]  # stamps and size of a packet as the demuxer gives them


class PacketEntry(NamedTuple):
    """A packet in the order of decoding. Stamps are ticks of the stream's time base."""

    pts: int
    dts: int
    size: int  # bytes
    is_key: bool
    is_damaged: bool  # cut, or marked so by the demuxer
    is_shown: bool  # False for packets that are only decoded: before an edit's start, or a hidden reference
    key: PacketKey  # finds the packet again after a jump


@dataclass(frozen=True)
class VideoIndex:
    """What a container tells of its video. The three tuples of frames run in parallel, in the order of presentation."""

    name: str
    container: str  # FFmpeg's name of the format
    codec: str
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

    @property
    def count(self) -> int:
        """Frames that have a number, with those that are empty or lost."""
        last = max(self.lost, default=-1)
        return max(last, self.numbers[-1] if self.numbers else -1) + 1

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
        packets, lost_chunks = _read_packets(container, stream)
        context, form = stream.codec_context, container.format.name.split(",")[0]
        if not packets:
            raise BadData(f"{name}: expected a video, got one without a frame; copy the file again.")
        order, stamps = _order_frames(data, name, form, context, packets)
        rates = (stream.average_rate, stream.base_rate, stream.guessed_rate)
        numbers, lost = _number_frames(form, packets, order, stamps, lost_chunks)
        first = stamps[0] if stamps else 0
        restart = next((n for n, a, b in zip(numbers[1:], stamps, stamps[1:], strict=False) if b < a), None)
        base = stream.time_base or Fraction(1, 1)
        return VideoIndex(
            name=name,
            container=form,
            codec=context.name,
            size=(context.width, context.height),
            aspect=Fraction(stream.sample_aspect_ratio or 1),
            is_interlaced=context.field_order not in PROGRESSIVE_ORDERS,
            time_base=base,
            rates=tuple(float(rate) for rate in rates if rate) + _median_rate(stamps, base),
            declared=stream.frames,
            packets=tuple(packets),
            numbers=tuple(numbers),
            positions=tuple(order[: len(numbers)]),
            seconds=tuple(float((stamp - first) * base) for stamp in stamps[: len(numbers)]),
            lost=frozenset(lost),
            restart=restart,
        )


def find_packet_key(packet: Packet) -> PacketKey:
    """What identifies a packet within its stream."""
    return packet.pts, packet.dts, packet.size


def _read_packets(container: InputContainer, stream: VideoStream) -> tuple[list[PacketEntry], list[int]]:
    """Every packet that is not empty, and the ticks of the chunks that an AVI lists but that cannot be read."""
    # The demuxer of AVI counts what it meets. The file's own list of chunks knows the places after a damage, too.
    listed = {entry.pos: entry.timestamp for entry in stream.index_entries} if container.format.name == "avi" else {}
    found: list[PacketEntry] = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                found.append(_build_entry(packet, listed.pop((packet.pos or 0) - 8, None), stream, found))
    except av.FFmpegError:
        pass  # the file ends within a packet. What came before it counts
    return found, sorted(listed.values())


def _build_entry(packet: Packet, tick: int | None, stream: VideoStream, before: Sequence[PacketEntry]) -> PacketEntry:
    key = find_packet_key(packet)
    dts = packet.dts if packet.dts is not None else packet.pts
    if dts is None:
        dts = before[-1].dts + 1 if before else 0
    pts = packet.pts if packet.pts is not None else dts
    if tick is not None:
        pts, dts = pts + tick - dts, tick
    # RFC 6386, section 9.1: bit 4 of a VP8 frame says whether it is shown.
    hidden = stream.codec_context.name == "vp8" and not bytes(packet)[0] >> 4 & 1
    return PacketEntry(
        pts, dts, packet.size, packet.is_keyframe, packet.is_corrupt, not (packet.is_discard or hidden), key
    )


def _order_frames(
    data: VideoData, name: str, form: str, context: VideoCodecContext, packets: Sequence[PacketEntry]
) -> tuple[list[int], list[int]]:
    """Places of the shown packets in the order of presentation, and their stamps in ticks."""
    held = context.reorder_depth  # frames that the decoder holds back
    stamped = all(packet.key[0] is not None for packet in packets)
    if not held or (stamped and not (form == "avi" and context.name in ("h264", "hevc"))):
        order = _presented_order(packets)
        return order, [packets[place].pts for place in order]
    order = _decoded_order(data, name, packets)
    if form == "avi":  # its stamps count chunks in the order of decoding, later by the frames held back
        ticks = sorted(packets[place].dts for place in order)
        stamps = [tick - held for tick in ticks[held:]]
        last = stamps[-1] if stamps else -1
        return order, [*stamps, *range(last + 1, last + 1 + len(order) - len(stamps))]
    known = [(at, packets[place].pts) for at, place in enumerate(order) if packets[place].key[0] is not None]
    if len(known) < 2:
        return order, list(range(len(order)))
    slope = (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])
    first = known[0][1] - slope * known[0][0]
    return order, [round(first + slope * at) for at in range(len(order))]


def _presented_order(packets: Sequence[PacketEntry]) -> list[int]:
    """Places of the shown packets in the order of presentation.

    Where the decoding stamps go back, a new recording begins (files joined end to end): it follows the one before.
    """
    part, keys = 0, []
    for place, packet in enumerate(packets):
        part += (
            place > 0 and None not in (packet.key[1], packets[place - 1].key[1]) and packet.dts < packets[place - 1].dts
        )
        keys.append((part, packet.pts, place))
    return [place for _, _, place in sorted(keys) if packets[place].is_shown]


def _decoded_order(data: VideoData, name: str, packets: Sequence[PacketEntry]) -> list[int]:
    """The same by decoding, for containers whose stamps do not tell when a frame is shown."""
    shown: list[int] = []
    with open_video(data, name) as (container, stream):
        context = stream.codec_context
        context.thread_count = 1
        place = 0
        for packet in container.demux(stream):
            if packet.size:
                packet.pts = place
                place += 1
            try:
                shown += [
                    frame.pts for frame in context.decode(packet if packet.size else None) if frame.pts is not None
                ]
            except av.FFmpegError:
                continue
    absent = sorted(set(range(len(packets))) - set(shown))
    for place in absent:  # damaged ones keep a place near their packet's
        shown.insert(bisect_left(shown, place), place)
    return [place for place in shown if packets[place].is_shown]


def _number_frames(
    form: str, packets: Sequence[PacketEntry], order: Sequence[int], stamps: Sequence[int], lost_chunks: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The number of each frame, and the numbers of lost ones."""
    if form == "avi":  # a tick is a chunk
        reordered = any(packet.pts != packet.dts for packet in packets)
        first = min([*stamps, *lost_chunks]) if reordered else 0
        numbers = [stamp - first for stamp in stamps]
        if all(a < b for a, b in pairwise(numbers)):
            return numbers, [tick - first for tick in lost_chunks]
    if form in STREAM_FORMATS and any(packets[place].is_damaged for place in order):
        return _number_by_grid(packets, order, stamps)
    return list(range(len(order))), []


def _number_by_grid(
    packets: Sequence[PacketEntry], order: Sequence[int], stamps: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Numbers by time stamps, for a damaged stream. Without a regular grid only the frames before the damage count."""
    period = median(b - a for a, b in pairwise(stamps)) if len(stamps) > 1 else 1
    steps = [(stamp - stamps[0]) / period if period else 0.0 for stamp in stamps]
    numbers = [round(step) for step in steps]
    regular = all(abs(step - number) <= GRID_TOLERANCE for step, number in zip(steps, numbers, strict=True))
    if not regular or any(b <= a for a, b in pairwise(numbers)):
        damage = next(place for place, at in enumerate(order) if packets[at].is_damaged)
        return list(range(damage)), list(range(damage, len(order)))
    return numbers, sorted(set(range(numbers[-1])) - set(numbers))


def _median_rate(stamps: Sequence[int], base: Fraction) -> tuple[float, ...]:
    steps = [b - a for a, b in pairwise(stamps) if b > a]
    return (1 / float(median(steps) * base),) if steps else ()

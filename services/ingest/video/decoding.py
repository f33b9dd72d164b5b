"""Strict decoding of some frames of a video: what is damaged is refused by number, never concealed."""

import re
from collections.abc import Iterator, Sequence

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.ingest.video.container import VideoData, open_video
from services.ingest.video.index import VideoIndex
from services.ingest.video.packets import PacketEntry, PacketKey, find_packet_key
from shared.errors import BadData

SEEK_PACKETS = 200  # from here on a jump is worth its while
REORDERED = 16  # frames, the most that a decoder holds back
ATTEMPTS = 3
DENSE_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "vp8", "vp9", "wmv1", "wmv2", "wmv3"})
# No such codec writes 64 zero bytes, but at the end of a packet or before a start code (00 00 01).
HOLE = re.compile(rb"\0{64}(?=\0*[^\0\1])")
STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}


def decode_frames(data: VideoData, index: VideoIndex, places: range) -> Iterator[VideoFrame]:
    """The decoded frames at `places` of `index`, in the order of presentation.

    `data` is a file or its bytes [n]. Raises BadData that names the frames if a packet that they need is damaged, or if
    the decoder's order contradicts the index.
    """
    packets = find_needed_packets(index, places)
    check_packets(index, places)
    given, first = 0, None
    for attempt in range(ATTEMPTS):
        try:
            for frame in _decode_from(data, index, places, packets, attempt):
                given += 1
                yield frame
            return
        except BadData as fault:
            # Some key frames are none: pictures that are refreshed bit by bit are whole only after the next one.
            first = first or fault
            if given or attempt == ATTEMPTS - 1:
                raise first from None


def _decode_from(data: VideoData, index: VideoIndex, places: range, packets: range, extra: int) -> Iterator[VideoFrame]:
    """The frames, decoded from `extra` key frames before the first of `packets`."""
    place_of = {position: place for place, position in enumerate(index.positions)}
    begin = place_of.get(packets.start, 0)
    due = places.start
    for position, frame in _decode_packets(data, index, find_needed_packets(index, places, extra), places):
        place = place_of.get(position, -1)
        # Frames shown before the first key frame refer to what was not decoded. All others may be referred to.
        if (frame.is_corrupt and place >= begin) or due < place < places.stop:
            raise _describe_damage(index, places, min(position, index.positions[due]))
        if place == due < places.stop:
            yield frame
            due += 1
    if due < places.stop:
        raise _describe_damage(index, places, index.positions[due])


def find_needed_packets(index: VideoIndex, places: range, extra: int = 0) -> range:
    """The packets, in the order of decoding, from which the frames at `places` can be decoded alone.

    They begin at the last key frame that is presented at or before all of them. If frames around it refer to what lies
    before it (an open group of pictures), they begin at the key frame before it. `extra` key frames more come first.
    """
    wanted = [index.positions[place] for place in places]
    place_of = {position: place for place, position in enumerate(index.positions)}
    for at in range(min(wanted), 0, -1):
        early = place_of.get(at, places.stop) <= places.start
        if index.packets[at].is_key and early and not _is_open_group(index, at, place_of):
            if not extra:
                return range(at, max(wanted) + 1)
            extra -= 1
    return range(max(wanted) + 1)


def read_packets(data: VideoData, index: VideoIndex, packets: range) -> Iterator[tuple[VideoStream, int, Packet]]:
    """(stream, place, packet) of the packets at the places `packets`."""
    if packets.start >= SEEK_PACKETS:
        with open_video(data, index.name) as (container, stream):
            place, rest = _jump_before(container, stream, index, packets.start)
            if rest:
                yield from _select_packets(stream, place, rest, packets)
                return
    with open_video(data, index.name) as (container, stream):
        yield from _select_packets(stream, 0, _demux_filled(container, stream), packets)


def _is_open_group(index: VideoIndex, key: int, place_of: dict[int, int]) -> bool:
    """Whether frames that follow the key frame in the file are presented before it."""
    for at in range(key + 1, min(key + 1 + REORDERED, len(index.packets))):
        if index.packets[at].is_key:
            return False
        if place_of.get(at, place_of[key]) < place_of[key]:
            return True
    return False


def check_packets(index: VideoIndex, places: range) -> None:
    """Raise BadData for damage that the container shows in what the frames at `places` need: cut or lost packets."""
    packets = find_needed_packets(index, places)
    first = min(index.numbers[place] for place, at in enumerate(index.positions) if at in packets)
    for number in sorted(index.lost):
        if first <= number <= index.numbers[places[-1]]:
            raise _describe_damage(index, places, max(packets.start, _position_before(index, number)))
    headless = any(packet.is_key for packet in index.packets) and not index.packets[packets.start].is_key
    for at in packets:
        if index.packets[at].is_damaged or headless:
            raise _describe_damage(index, places, at)


def _position_before(index: VideoIndex, number: int) -> int:
    return max((at for each, at in zip(index.numbers, index.positions, strict=True) if each < number), default=0)


def _decode_packets(
    data: VideoData, index: VideoIndex, packets: range, places: range
) -> Iterator[tuple[int, VideoFrame]]:
    """(place of its packet, frame) for what the decoder returns. A packet's place travels as its time stamp."""
    context = None
    for stream, at, packet in read_packets(data, index, packets):
        if context is None:
            context = stream.codec_context
            # One thread: an error comes with its own packet, and all machines decode alike.
            context.thread_count, context.options = 1, STRICT
        if index.codec in DENSE_CODECS and HOLE.search(bytes(packet)):
            raise _describe_damage(index, places, at)
        packet.pts = packet.dts = at
        yield from _decode_packet(context, packet, index, places, at)
    if context is not None:
        yield from _decode_packet(context, None, index, places, packets[-1])


def _decode_packet(
    context: VideoCodecContext, packet: Packet | None, index: VideoIndex, places: range, at: int
) -> Iterator[tuple[int, VideoFrame]]:
    try:
        frames = context.decode(packet)
    except av.FFmpegError:
        raise _describe_damage(index, places, at) from None
    yield from ((frame.pts, frame) for frame in frames if frame.pts is not None)


def _select_packets(
    stream: VideoStream, first: int, rest: Iterator[Packet], packets: range
) -> Iterator[tuple[VideoStream, int, Packet]]:
    """The packets at the places `packets` among `rest`, which begins at the place `first`."""
    for place, packet in enumerate(rest, first):
        if place in packets:
            yield stream, place, packet
        if place + 1 >= packets.stop:
            return


def _demux_filled(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except av.FFmpegError:  # the file ends within a packet
        return


def _jump_before(
    container: InputContainer, stream: VideoStream, index: VideoIndex, target: int
) -> tuple[int, Iterator[Packet] | None]:
    """The packets after a jump to `target` or before it, and the place of the first. None if the jump misses."""
    entry = index.packets[target]
    known = _places_by_key(index.packets)
    try:
        container.seek(entry.dts if entry.key[1] is None else entry.key[1], stream=stream)
        rest = _demux_filled(container, stream)
        first = next(rest, None)
    except av.FFmpegError:
        return 0, None
    place = known.get(find_packet_key(first)) if first is not None else None
    if first is None or place is None or place > target:
        return 0, None
    return place, _put_back(first, rest)


def _put_back(first: Packet, rest: Iterator[Packet]) -> Iterator[Packet]:
    yield first
    yield from rest


def _places_by_key(packets: Sequence[PacketEntry]) -> dict[PacketKey, int | None]:
    """Places by what identifies a packet, None for several alike."""
    found: dict[PacketKey, int | None] = {}
    for place, entry in enumerate(packets):
        found[entry.key] = None if entry.key in found else place
    return found


def _describe_damage(index: VideoIndex, places: range, position: int) -> BadData:
    """The fault of a clip that needs the damaged packet at `position`: frames refer to it up to the next key frame."""
    stop = next((at for at in range(position + 1, len(index.packets)) if index.packets[at].is_key), len(index.packets))
    numbers = [number for number, at in zip(index.numbers, index.positions, strict=True) if position <= at < stop] or [
        index.numbers[places.start]
    ]
    spread = f"frame {numbers[0]}" if len(numbers) == 1 else f"frames {min(numbers)} to {max(numbers)}"
    return BadData(
        f"{index.name}: expected whole frames {index.numbers[places.start]} to {index.numbers[places[-1]]}, got "
        f"damaged data: {spread} cannot be decoded; copy the video again, or take clips that lie outside of them."
    )

"""Strict decoding of some frames of a video: what is damaged is refused by number, never concealed."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from shared.errors import BadData
from shared.video.container import VideoData, open_video
from shared.video.index import VideoIndex
from shared.video.packets import PacketEntry, PacketKey, VideoPacket, find_packet_key

SEEK_PACKETS = 200  # from here on a jump is worth its while
DENSE_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "vp8", "vp9", "wmv1", "wmv2", "wmv3"})
# No such codec writes 64 zero bytes, but at the end of a packet or before a start code (00 00 01).
HOLE = re.compile(rb"\x00{64}(?=\x00*[^\x00\x01])")
ZEROS = re.compile(rb"\x00+")
LONGER_RUN = 4  # times as many zeros as in the frames near by are damage
NEAR_PACKETS = 4  # before and after a frame, which tell whether zero bytes are usual in the video
NEEDING_OTHERS = frozenset({PictureType.P, PictureType.B, PictureType.S})
STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}


@dataclass(frozen=True)
class NeededPackets:
    """The packets, in the order of decoding, from which some frames can be decoded alone.

    Those before `key` only fill the decoder's memory. So do frames that are presented before it: what they refer to is
    not there, and nothing that is wanted refers to them.
    """

    packets: range
    key: int

    def matters(self, index: VideoIndex, position: int) -> bool:
        """Whether wanted frames may refer to the packet at `position`."""
        begin = index.place_of.get(self.key, 0)
        return position >= self.key and index.place_of.get(position, begin) >= begin


def find_needed_packets(index: VideoIndex, places: range) -> NeededPackets:
    """What the frames at `places` need: from the last key frame that is presented at or before all of them.

    A key frame that does not clear the decoder's memory is read from the key frame before it.
    """
    wanted = [index.positions[place] for place in places]
    keys = [
        at
        for at in range(min(wanted), -1, -1)
        if index.packets[at].is_key and index.place_of.get(at, places.stop) <= places.start
    ][:2]
    stop = max(wanted) + 1
    if not keys:
        return NeededPackets(range(stop), 0)
    return NeededPackets(range(keys[0] if index.packets[keys[0]].is_closed else keys[-1], stop), keys[0])


def decode_frames(data: VideoData, index: VideoIndex, places: range) -> Iterator[VideoFrame]:
    """The decoded frames at `places` of `index`, in the order of presentation.

    `data` is a file or its bytes [n]. Raises BadData that names the frames if a packet that they need is damaged, or if
    the decoder's order contradicts the index.
    """
    check_packets(index, places)
    needed = find_needed_packets(index, places)
    due = places.start

    def refuse_damage(position: int) -> None:
        raise _describe_damage(index, places, position)

    for position, frame in _decode_packets(data, index, needed, refuse_damage):
        place = index.place_of.get(position, -1)
        if position == needed.key and index.packets[position].is_key and frame.pict_type in NEEDING_OTHERS:
            raise BadData(
                f"{index.name}: expected a frame that can be decoded alone at {index.numbers[place]}, as the file's "
                "marks say, got one that needs others; convert the video to .mp4 again."
            )
        if due < place < places.stop and index.is_packed:
            raise BadData(
                f"{index.name}: expected one frame in each chunk of the AVI, got two in some (packed B-frames, as DivX "
                "and Xvid write them); unpack them with: ffmpeg -i IN.avi -c copy -bsf:v mpeg4_unpack_bframes OUT.avi."
            )
        if (frame.is_corrupt and needed.matters(index, position)) or due < place < places.stop:
            raise _describe_damage(index, places, min(position, index.positions[due]))
        if place == due < places.stop:
            yield frame
            due += 1
    if due < places.stop:
        raise _describe_damage(index, places, index.positions[due])


def check_packets(index: VideoIndex, places: range) -> None:
    """Raise BadData for damage that the container shows in what the frames at `places` need: cut or lost packets."""
    needed = find_needed_packets(index, places)
    first = index.numbers[index.place_of.get(needed.key, places.start)]
    for number in sorted(index.lost):
        if first <= number <= index.numbers[places[-1]]:
            before = max((at for n, at in zip(index.numbers, index.positions, strict=True) if n < number), default=0)
            raise _describe_damage(index, places, max(needed.key, before))
    headless = any(packet.is_key for packet in index.packets) and not index.packets[needed.key].is_key
    for at in needed.packets:
        if headless or (index.packets[at].is_damaged and needed.matters(index, at)):
            raise _describe_damage(index, places, at)


def read_packets(data: VideoData, index: VideoIndex, packets: range) -> Iterator[tuple[VideoStream, int, VideoPacket]]:
    """(stream, place, packet) of the packets at the places `packets`."""
    if packets.start >= SEEK_PACKETS:
        with open_video(data, index.name) as (container, stream):
            place, rest = _jump_before(container, stream, index, packets.start)
            if rest:
                yield from _select_packets(stream, place, rest, packets)
                return
    with open_video(data, index.name) as (container, stream):
        yield from _select_packets(stream, 0, _demux_filled(container, stream), packets)


def decode_whole_frames(data: VideoData, index: VideoIndex, start: int = 0) -> Iterator[tuple[int, VideoFrame]]:
    """(place, frame) for the frames from the place `start` of `index` on. What is damaged is left out, never concealed.

    `data` is a file or its bytes [n]. With a damaged packet all frames up to the next key frame are left out, since
    they may refer to it.
    """
    needed = find_needed_packets(index, range(start, len(index.positions)))
    holes = _Holes(index)
    last = start - 1
    for position, frame in _decode_packets(data, index, needed, holes.begin_hole):
        if frame.is_corrupt and needed.matters(index, position):
            holes.begin_hole(position)
        place = index.place_of.get(position, -1)
        if place > last and not holes.has_frame(position, place):
            yield place, frame
            last = place


class _Holes:
    """Stretches of packets that cannot be decoded whole: from a damaged one to the next key frame."""

    def __init__(self, index: VideoIndex) -> None:
        self._index = index
        self._begin, self._stop = len(index.packets), len(index.packets)

    def begin_hole(self, position: int) -> None:
        if not self._begin <= position < self._stop:
            after = range(position + 1, len(self._index.packets))
            self._begin = position
            self._stop = next((at for at in after if self._index.packets[at].is_key), len(self._index.packets))

    def has_frame(self, position: int, place: int) -> bool:
        """Whether a frame is in the last hole, or is shown before the key frame that ends it."""
        end = self._index.place_of.get(self._stop, len(self._index.positions))
        return self._begin <= position and (position < self._stop or place < end)


def _decode_packets(
    data: VideoData, index: VideoIndex, needed: NeededPackets, report_damage: Callable[[int], None]
) -> Iterator[tuple[int, VideoFrame]]:
    """(place of its packet, frame) for what the decoder returns. A packet's place travels as its time stamp.

    `report_damage` gets the place of each packet that cannot be decoded.
    """
    context: VideoCodecContext | None = None
    for stream, at, packet in read_packets(data, index, needed.packets):
        if context is None:
            context = stream.codec_context
            # One thread: an error comes with its own packet, and all machines decode alike.
            context.thread_count, context.options = 1, STRICT
        torn = HOLE.search(bytes(packet)) and (
            index.codec in DENSE_CODECS or (index.codec == "mjpeg" and _is_torn_jpeg(data, index, at))
        )
        packet.pts = packet.dts = at
        frames = None if torn else _decode_packet(context, packet)
        if frames is None and needed.matters(index, at):
            report_damage(at)
        yield from ((frame.pts, frame) for frame in frames or [] if frame.pts is not None)
    if context is not None:
        yield from ((frame.pts, frame) for frame in _decode_packet(context, None) or [] if frame.pts is not None)


def _is_torn_jpeg(data: VideoData, index: VideoIndex, at: int) -> bool:
    """Whether zero bytes in the frame at `at` are damage. In a drawn video they may be flat blocks, in most frames."""
    near = range(max(at - NEAR_PACKETS, 0), min(at + NEAR_PACKETS + 1, len(index.packets)))
    runs = {place: _longest_run(bytes(packet)) for _, place, packet in read_packets(data, index, near)}
    return runs[at] > LONGER_RUN * median(runs.values())


def _longest_run(data: bytes) -> int:
    return max((len(run[0]) for run in ZEROS.finditer(data)), default=0)


def _decode_packet(context: VideoCodecContext, packet: "VideoPacket | None") -> list[VideoFrame] | None:
    try:
        return context.decode(packet)
    except av.FFmpegError:
        return None


def _select_packets(
    stream: VideoStream, first: int, rest: Iterator[VideoPacket], packets: range
) -> Iterator[tuple[VideoStream, int, VideoPacket]]:
    """The packets at the places `packets` among `rest`, which begins at the place `first`."""
    for place, packet in enumerate(rest, first):
        if place in packets:
            yield stream, place, packet
        if place + 1 >= packets.stop:
            return


def _demux_filled(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except av.FFmpegError:  # the file ends within a packet
        return


def _jump_before(
    container: InputContainer, stream: VideoStream, index: VideoIndex, target: int
) -> tuple[int, Iterator[VideoPacket] | None]:
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


def _put_back(first: VideoPacket, rest: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
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

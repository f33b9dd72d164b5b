"""The packets of a video as its container lists them."""

from collections.abc import Sequence
from typing import NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

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
    place: int | None  # byte at which it begins in the file


def find_packet_key(packet: Packet) -> PacketKey:
    """What identifies a packet within its stream."""
    return packet.pts, packet.dts, packet.size


def read_packet_table(container: InputContainer, stream: VideoStream) -> tuple[list[PacketEntry], list[int]]:
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
    for place, packet in enumerate(found):
        if packet.is_damaged and any(map(begins_anew, found[place:], found[place + 1 : place + 3])):
            # Where files were joined, the counters of a stream jump. That marks a packet which may well be whole.
            found[place] = packet._replace(is_damaged=False)
    return found, sorted(listed.values())


def begins_anew(before: PacketEntry, packet: PacketEntry) -> bool:
    """Whether the stamps of decoding go back, as where files were joined end to end."""
    return None not in (before.key[1], packet.key[1]) and packet.dts < before.dts


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
        pts, dts, packet.size, packet.is_keyframe, packet.is_corrupt, not (packet.is_discard or hidden), key, packet.pos
    )

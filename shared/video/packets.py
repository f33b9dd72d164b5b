"""The packets of a video as its container lists them."""

import io
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from shared.video.container import VideoData

VideoPacket: TypeAlias = "Packet[VideoStream]"  # quoted: PyAV's class takes no parameter when it runs
PacketKey = tuple[int | None, int | None, int]  # stamps and size of a packet as the demuxer gives them

AVI_HEADER = re.compile(rb"RIFF.{4}AVI ", re.DOTALL)
# Bits at the beginning of a frame that say its type, 0 for a key frame.
TYPE_BITS = {"msmpeg4v2": 2, "msmpeg4": 2, "wmv1": 2, "wmv2": 1}
EMPTY_FRAME = 16  # bytes, at most, of an MPEG-4 frame without a picture
START_CODE = re.compile(rb"\x00\x00\x01")


class PacketEntry(NamedTuple):
    """A packet in the order of decoding. Stamps are ticks of the stream's time base."""

    pts: int
    dts: int
    size: int  # bytes
    is_key: bool
    is_closed: bool  # a key frame that clears the decoder's memory
    is_damaged: bool  # cut, or marked so by the demuxer
    is_shown: bool  # False for packets that are only decoded: before an edit's start, or a hidden reference
    key: PacketKey  # finds the packet again after a jump
    place: int | None  # byte at which it begins in the file
    part: int = 0  # which of several recordings that were joined


def find_packet_key(packet: VideoPacket) -> PacketKey:
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
    return _divide_parts(found), sorted(listed.values())


def _divide_parts(packets: Sequence[PacketEntry]) -> list[PacketEntry]:
    """The packets with the number of their recording, where files were joined end to end.

    A new one begins where the stamps of decoding go back and stay there. A single stamp that leaves their order is a
    damaged one.
    """
    part, found = 0, list(packets)
    stamps = [packet.dts for packet in packets]
    for at in range(1, len(found)):
        if stamps[at] < stamps[at - 1] and None not in (found[at].key[1], found[at - 1].key[1]):
            stays = at + 1 == len(found) or stamps[at + 1] <= stamps[at - 1]
            if stays and (at < 2 or stamps[at] <= stamps[at - 2]):
                part += 1
                # The counters of a stream jump there. That marks packets before it which may well be whole.
                found[max(at - 2, 0) : at] = [each._replace(is_damaged=False) for each in found[max(at - 2, 0) : at]]
            else:
                found[at] = found[at]._replace(is_damaged=True)
        found[at] = found[at]._replace(part=part)
    return found


def divide_joined_avis(data: VideoData, packets: Sequence[PacketEntry]) -> list[PacketEntry]:
    """The packets of an AVI with the number of their recording, where files were joined end to end.

    The demuxer counts on. A header between two chunks tells where the next file begins.
    """
    part, found = 0, [packets[0]]
    with data.open("rb") if isinstance(data, Path) else io.BytesIO(data.tobytes()) as file:
        for before, packet in pairwise(packets):
            if before.place is not None and packet.place is not None:
                end = file.seek(before.place + before.size)
                part += bool(AVI_HEADER.search(file.read(max(packet.place - end, 0))))
            found.append(packet._replace(part=part))
    return found


def _build_entry(
    packet: VideoPacket, tick: int | None, stream: VideoStream, before: Sequence[PacketEntry]
) -> PacketEntry:
    key = find_packet_key(packet)
    dts = packet.dts if packet.dts is not None else packet.pts
    if dts is None:
        dts = before[-1].dts + 1 if before else 0
    pts = packet.pts if packet.pts is not None else dts
    if tick is not None:
        pts, dts = pts + tick - dts, tick
    is_key, is_closed = _judge_key(bytes(packet), stream.codec_context) if packet.is_keyframe else (False, False)
    # RFC 6386, section 9.1: bit 4 of a VP8 frame says whether it is shown.
    hidden = stream.codec_context.name == "vp8" and not bytes(packet)[0] >> 4 & 1
    return PacketEntry(
        pts,
        dts,
        packet.size,
        is_key,
        is_closed,
        packet.is_corrupt,
        not (packet.is_discard or hidden),
        key,
        packet.pos,
    )


def _judge_key(data: bytes, context: VideoCodecContext) -> tuple[bool, bool]:
    """Whether a packet that is marked as a key frame is one, and whether it clears the decoder's memory.

    In H.264 and HEVC only an IDR picture does. H.264 also marks pictures from which on a video is refreshed bit by
    bit: their slices are not intra coded, and decoding cannot begin there (ITU-T H.264, 7.3.3 and D.2.8).
    """
    header = context.extradata or b""  # avcC or hvcC (ISO/IEC 14496-15), which say how long a length is
    if context.name == "h264":
        units = [(data[at] & 0x1F, at) for at in _find_units(data, header, 4)]
        closed = any(kind == 5 for kind, _ in units)
        slices = [at for kind, at in units if kind == 1]
        return closed or not slices or _slice_type(data[slices[0] + 1 : slices[0] + 17]) in (2, 7), closed
    if context.name in TYPE_BITS:  # marks of an AVI may call each frame a key
        is_key = not data[0] >> 8 - TYPE_BITS[context.name]
        return is_key, is_key
    if context.name == "mpeg4":  # marks of an AVI may call an empty frame a key
        return len(data) > EMPTY_FRAME, len(data) > EMPTY_FRAME
    if context.name == "hevc":
        return True, any(data[at] >> 1 & 0x3F in (19, 20) for at in _find_units(data, header, 21))
    return True, True


def _slice_type(data: bytes) -> int:
    """The second number of a slice header. Numbers are exponential Golomb codes (ITU-T H.264, 9.1)."""
    bits, value = "".join(f"{byte:08b}" for byte in data), 0
    for _ in range(2):
        zeros = len(bits) - len(bits.lstrip("0"))
        value = int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
        bits = bits[2 * zeros + 1 :]
    return value


def _find_units(data: bytes, header: bytes, size_at: int) -> Iterator[int]:
    """Where the units of a packet begin, by their lengths (mp4) or by start codes (streams)."""
    if header[:1] == b"\1" and len(header) > size_at:
        size = (header[size_at] & 3) + 1
        at = 0
        while at + size < len(data):
            yield at + size
            at += size + int.from_bytes(data[at : at + size])
        return
    for found in START_CODE.finditer(data):
        if found.end() < len(data):
            yield found.end()

"""Packing of a video's clip: the whole file, or only the packets that the clip needs of a long one."""

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from services.ingest.catalogue.entry import FoundClip
from services.ingest.limits import MOST_SOURCE_BYTES, check_source_size
from shared.errors import BadData
from shared.video.decoding import decode_frames, find_needed_packets, read_packets
from shared.video.index import VideoIndex, read_file_index, read_index
from shared.video.pictures import is_square, read_turn

_MILLISECOND = Fraction(1, 1000)
LEAST_GAIN = 0.5  # share of the file that must be saved. Else it is kept as it is


def pack_video(found: FoundClip) -> dict[str, NDArray[Any]]:
    """`data` uint8 [bytes], `names` str [1], `numbers` int64 [1]: the number of the data's first frame. Raises BadData.

    Also `aspect` int64 [2], width and height of a pixel, of a trimmed file (Matroska rounds it) and of videos that
    OpenCV did not show as they are (interlaced, or with pixels that are not square): they have another recipe now.
    """
    file = found.files[0]
    index = read_file_index(file)
    places = range(found.span[0], found.span[2] + 1) if found.span else range(0)
    try:
        trimmed = _trim_video(file, index, places)
        if not trimmed:
            check_source_size(found.files, f"{found.sample.subject}/{found.sample.clip}")
        data, first = trimmed or (file.read_bytes(), 0)
    except OSError as error:
        raise BadData(
            f"{found.sample.subject}/{found.sample.clip}: expected a readable {file.name}, got {error.strerror}; "
            "restore the file or its permissions."
        ) from None
    packed: dict[str, NDArray[Any]] = {
        "data": np.frombuffer(data, np.uint8),
        "names": np.array([file.name], np.str_),
        "numbers": np.array([first], np.int64),
    }
    if trimmed or not is_square(index.aspect) or index.is_interlaced:
        packed["aspect"] = np.array([index.aspect.numerator, index.aspect.denominator], np.int64)
    return packed


def _trim_video(file: Path, index: VideoIndex, places: range) -> tuple[bytes, int] | None:
    """A Matroska file of the needed packets, and the place of its first frame. None to keep the whole file.

    It is kept if little is saved, or if the trimmed file does not decode to the same frames.
    """
    packets = find_needed_packets(index, places).packets
    if index.codec != "vp8" and not all(index.packets[at].is_shown for at in packets):
        return None  # Matroska has no mark for packets that are decoded and not shown
    needed = sum(index.packets[at].size for at in packets)
    if needed > min((1 - LEAST_GAIN) * file.stat().st_size, MOST_SOURCE_BYTES):
        return None
    first = min(place for place, at in enumerate(index.positions) if at in packets)
    try:
        data = _copy_packets(file, index, packets)
        copy = np.frombuffer(data, np.uint8)
        own = read_index(copy, index.name)
        moved = range(places.start - first, places.stop - first)
        pairs = zip_longest(decode_frames(file, index, places), decode_frames(copy, own, moved))
        same = all(_are_equal(before, after) for before, after in pairs)
    except (av.FFmpegError, BadData, ValueError, IndexError):
        return None
    return (data, first) if same else None


def _copy_packets(file: Path, index: VideoIndex, packets: range) -> bytes:
    """The packets as they are, in a Matroska file. Equal packets give equal bytes: no clock and no random number."""
    place_of = {at: place for place, at in enumerate(index.positions)}
    order = sorted(packets, key=lambda at: place_of.get(at, -1) if index.codec != "vp8" else at)
    rank = {at: place for place, at in enumerate(order)}
    delay = max(place - rank[at] for place, at in enumerate(packets))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as target:
        stream = None
        for place, (source, at, packet) in enumerate(read_packets(file, index, packets)):
            stream = stream or target.add_stream_from_template(source)
            # Ranks in place of stamps. Matroska would round stamps to milliseconds, and the true times are kept apart.
            packet.pts, packet.dts, packet.duration = rank[at] + delay, place, 1
            packet.time_base = stream.time_base = _MILLISECOND
            packet.stream = stream
            target.mux(packet)
    return buffer.getvalue()


def _are_equal(before: VideoFrame | None, after: VideoFrame | None) -> bool:
    if before is None or after is None:
        return False
    return list(_list_facts(before)) == list(_list_facts(after))


def _list_facts(frame: VideoFrame) -> Iterator[object]:
    yield from (frame.format.name, frame.width, frame.height, frame.interlaced_frame, *read_turn(frame))
    yield from (frame.color_range, frame.colorspace, frame.color_trc, frame.color_primaries)
    yield from map(bytes, frame.planes)

"""The order in which the packets of a video are shown, and their time stamps."""

from bisect import bisect_left
from collections.abc import Sequence

import av
from av.video.codeccontext import VideoCodecContext

from shared.video.container import VideoData, open_video
from shared.video.packets import PacketEntry


def order_frames(
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
    keys = [(packet.part, packet.pts, place) for place, packet in enumerate(packets)]
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

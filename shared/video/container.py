"""Opening of video files, on disk or in memory, with FFmpeg's demuxers through PyAV."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from shared.errors import BadData

VideoData = Path | NDArray[Any]  # a file, or its bytes uint8 [n]
MOST_PIXELS = 64_000_000  # of a frame. Larger frames are refused before they are decoded
# Playlists (HLS, DASH, concat) are left out: they would open other files and addresses.
DEMUXERS = "mov,avi,matroska,webm,asf,mpeg,mpegts,mpegvideo,m4v,nut,flv,ogg,mxf,dv,gif"

av.logging.set_level(None)  # faults are exceptions and flags here. FFmpeg's lines would disturb the progress bars


class _NamedBytes(io.BytesIO):
    """Bytes with a file name: FFmpeg weighs the suffix when it guesses the format."""

    def __init__(self, data: NDArray[Any], name: str) -> None:
        super().__init__(data.tobytes())
        self.name = name


@contextmanager
def open_video(data: VideoData, name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video stream that players show, never a cover picture.

    `data` is a file or the bytes [n] of one. Raises BadData, with `name`, if it is no video or its frames are too
    large.
    """
    file = str(data) if isinstance(data, Path) else _NamedBytes(data, name)
    try:
        container = cast(InputContainer, av.open(file, options={"format_whitelist": DEMUXERS}))
    except (av.FFmpegError, ValueError):
        raise BadData(
            f"{name}: expected a video, got a file that cannot be opened as one; convert it to .mp4 again, or copy it "
            "again if its download stopped."
        ) from None
    with container:
        yield container, _select_stream(container, name)


def describe_choice(container: InputContainer, stream: VideoStream) -> str:
    """Which stream was taken, where a file has several pictures at once. "" for one stream."""
    others = [str(each.index) for each in _list_streams(container) if each.index != stream.index]
    if not others:
        return ""
    return f"the file has several video streams: stream {stream.index} was taken, not {' or '.join(others)}"


def _list_streams(container: InputContainer) -> list[VideoStream]:
    return [
        each
        for each in container.streams.video
        if not each.disposition & each.disposition.attached_pic and each.codec_context and each.codec_context.width
    ]


def _select_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream that players show: the only one with the mark "default", else the first."""
    streams = _list_streams(container)
    if not streams:
        raise BadData(
            f"{name}: expected a video, got a file without a video stream that can be read; convert it to .mp4 again."
        )
    marked = [each for each in streams if each.disposition & each.disposition.default]
    stream = marked[0] if len(marked) == 1 else streams[0]
    context = stream.codec_context
    if context.width * context.height > MOST_PIXELS:
        raise BadData(
            f"{name}: expected frames of at most {MOST_PIXELS / 1e6:g} megapixels, got {context.width}x"
            f"{context.height} px; export the video at a smaller size."
        )
    return stream

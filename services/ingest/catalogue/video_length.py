"""How many frames a video has, for the question from where its sheet counts. Nothing is decoded."""

from collections.abc import Callable
from pathlib import Path

from shared.errors import BadData

# From a video's path and the largest number that its rows name to its count of frames, 0 if it cannot be read.
VideoLength = Callable[[Path, int], int]


def count_video_frames(file: Path, expected: int) -> int:
    """The frames of a video. 0 if it cannot be read: the clip's own check says why.

    The header's count serves if it is above `expected`. A smaller one may be wrong, so the packets are counted.
    """
    # Decoders are slow to import, and commands that know a dataset's types need none.
    import av

    from shared.video.container import open_video
    from shared.video.index import read_file_index

    try:
        with open_video(file, file.name) as (_, stream):
            if stream.frames > expected:
                return int(stream.frames)
        return read_file_index(file).count
    except (av.FFmpegError, BadData, OSError, ValueError):
        return 0

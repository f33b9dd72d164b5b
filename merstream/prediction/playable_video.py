"""How the page shows the recording: inside the page, as a link beside it, or not at all."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import av

EMBEDDED_BYTES = 24 * 2**20  # larger files are linked: a page of hundreds of megabytes opens slowly
# What Chromium, Firefox and Safari all play. Codecs by FFmpeg's names.
PLAYED = {"mp4": ("video/mp4", {"h264"}), "mov": ("video/mp4", {"h264"}), "webm": ("video/webm", {"vp8", "vp9", "av1"})}
PLAYED_PIXELS = {"yuv420p", "yuvj420p"}


@dataclass(frozen=True)
class PlayableVideo:
    """source: a data URI or a path relative to the page; empty if browsers do not play the file."""

    source: str
    embedded: bool
    remark: str = ""


def find_playable_source(video: Path, folder: Path) -> PlayableVideo:
    """How a page in `folder` plays the video. A sentence says why it does not."""
    kind = _find_media_type(video)
    if kind is None:
        return PlayableVideo("", False, "Browsers do not play this file. `mer predict --overlay` writes one they play.")
    if video.stat().st_size <= EMBEDDED_BYTES:
        data = base64.b64encode(video.read_bytes()).decode()
        return PlayableVideo(f"data:{kind};base64,{data}", True)
    relative = Path(os.path.relpath(video.resolve(), folder.resolve())).as_posix()
    return PlayableVideo(quote(relative), False, f"The video is not inside this page: keep it at {relative}.")


def _find_media_type(video: Path) -> str | None:
    suffix = video.suffix.lower().lstrip(".").replace("m4v", "mp4")
    if suffix not in PLAYED:
        return None
    kind, codecs = PLAYED[suffix]
    try:
        with av.open(str(video)) as container:
            context = container.streams.video[0].codec_context
            plays = context.name in codecs | {f"lib{name}" for name in codecs} and context.pix_fmt in PLAYED_PIXELS
    except (av.FFmpegError, IndexError, OSError):
        return None
    return kind if plays else None

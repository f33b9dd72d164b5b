"""What a clip may have at most. Each limit is checked before memory is taken for it."""

from collections.abc import Iterable
from pathlib import Path

from shared.errors import BadData

MOST_CLIP_FRAMES = 10_000  # 50 s at 200 frames/s, where a micro-expression lasts half a second
MOST_CLIP_BYTES = 1 << 30  # of cropped frames. A stage holds them twice
MOST_SOURCE_BYTES = 768 << 20  # of a clip's files. Packing holds them twice


def check_clip_length(frames: int, location: str) -> None:
    """Raise BadData for more frames than a clip may have. `location` begins the sentence."""
    if frames > MOST_CLIP_FRAMES:
        raise BadData(
            f"{location}: expected a clip of at most {MOST_CLIP_FRAMES} frames, got {frames} from onset to offset; "
            "correct the cells, or divide the clip."
        )


def check_crop_size(frames: int, height: int, width: int) -> None:
    """Raise BadData for cropped frames [frames, height, width, 3] that exceed the limit."""
    if (size := frames * height * width * 3) > MOST_CLIP_BYTES:
        raise BadData(
            f"expected cropped frames of at most {MOST_CLIP_BYTES >> 20} MiB, got {frames} of {width}x{height} px "
            f"({size >> 20} MiB); divide the clip, or lower the settings height and width of ingest."
        )


def check_source_size(files: Iterable[Path], name: str) -> None:
    """Raise BadData for files of a clip, named `name`, that exceed the limit. A missing file is found out later."""
    size = sum(file.stat().st_size for file in dict.fromkeys(files) if file.is_file())
    if size > MOST_SOURCE_BYTES:
        raise BadData(
            f"{name}: expected files of at most {MOST_SOURCE_BYTES >> 20} MiB for a clip, got {size >> 20} MiB; "
            "compress the frames without loss (PNG, FFV1), crop them, or divide the clip."
        )

"""Whatever one has recorded, opened: a video file, a folder of images, or frames in memory."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.spotter.image_folder import ImageFolder
from services.spotter.recorded_frames import FramesInMemory, Recording, check_rate
from services.spotter.video_file import VideoFile
from shared.errors import BadData

Source = str | Path | NDArray[Any]


def open_recording(source: Source, fps: float | None = None) -> Recording:
    """A video file, a folder of images in natural order, or frames uint8 [T, H, W, 3] RGB, ready to be read.

    `fps`, frames per second: frames in memory need it. Images have 30 without it, which a remark says. A video has its
    own time stamps; a given rate replaces them. Raises BadData for what is no recording.
    """
    name = Path(source).name if isinstance(source, str | Path) else "frames"
    check_rate(name, fps)
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.exists():
            raise BadData(f"{path}: expected a video file or a folder of images, got nothing there; check the path.")
        return ImageFolder(path, fps) if path.is_dir() else VideoFile(path, fps)
    if fps is None:
        raise BadData("frames: expected a frame rate with frames in memory, got none; give fps, frames per second.")
    return FramesInMemory(np.asarray(source), fps)

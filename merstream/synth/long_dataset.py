"""Long drawn videos on disk, each with its truth beside it; equal arguments give equal bytes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth.dataset import draw_in_processes
from merstream.synth.difficulty import DEFAULT_DIFFICULTY, Difficulty
from merstream.synth.long_events import DEFAULT_SETTINGS, LongVideoSettings
from merstream.synth.long_truth import describe_truth, read_truth, write_truth
from merstream.synth.long_video import LongVideo, compose_long_video, draw_long_video
from shared.errors import BadData

DEFAULT_CRF = 10  # see docs/explanation/synthetic-data.md for what it keeps
# The conversion to YUV is that of standard definition (BT.601), so the file must say so: players guess from the size.
X264_PARAMS = "threads=1:colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m"


@dataclass(frozen=True)
class LongVideoOrder:
    """What to draw: one video. A worker process needs only this."""

    folder: Path
    seed: int
    subject: int
    number: int
    seconds: float
    fps: float
    size: tuple[int, int]
    difficulty: Difficulty
    settings: LongVideoSettings
    crf: int
    variable: bool


def write_long_videos(
    folder: Path | str,
    subjects: int = 8,
    videos: int = 1,
    seed: int = 0,
    size: tuple[int, int] = (480, 640),
    *,
    seconds: float = 60.0,
    fps: float = 30.0,
    difficulty: Difficulty = DEFAULT_DIFFICULTY,
    settings: LongVideoSettings | None = None,
    crf: int = DEFAULT_CRF,
    variable: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draw `videos` long videos of each of `subjects` persons and return the truth files.

    `folder` receives `sub01/video01.mp4` and `sub01/video01.json`. size: rows, columns, both even, and at least as many
    columns as rows. crf: x264's quality, 0 (nothing is lost but colour resolution) to 51. A video that is there with
    the same truth is not drawn again. `progress(done, all)` counts videos.
    """
    orders = [
        LongVideoOrder(
            Path(folder),
            seed,
            subject,
            number,
            seconds,
            fps,
            size,
            difficulty,
            settings or DEFAULT_SETTINGS,
            crf,
            variable,
        )
        for subject in range(1, subjects + 1)
        for number in range(1, videos + 1)
    ]
    files = []
    for done, file in enumerate(draw_in_processes(write_long_video, orders, jobs=jobs), 1):
        files.append(file)
        if progress:
            progress(done, len(orders))
    return files


def write_long_video(order: LongVideoOrder) -> Path:
    """Draw one video unless it is there; return its truth file, which is written last."""
    video = compose_long_video(
        order.seed,
        order.subject,
        order.number,
        seconds=order.seconds,
        fps=order.fps,
        size=order.size,
        difficulty=order.difficulty,
        settings=order.settings,
        variable=order.variable,
    )
    file = order.folder / f"sub{order.subject:02}" / f"video{order.number:02}.mp4"
    truth, truth_file = describe_truth(video, file.name, order.crf), file.with_suffix(".json")
    if file.exists() and truth_file.exists():
        try:
            if read_truth(truth_file) == truth:
                return truth_file
        except BadData:
            pass  # of an earlier format
    file.parent.mkdir(parents=True, exist_ok=True)
    truth_file.unlink(missing_ok=True)
    partial = file.with_suffix(".mp4.part")
    encode_frames(partial, draw_long_video(video), video, order.crf)
    partial.replace(file)
    write_truth(truth_file, truth)
    return truth_file


def encode_frames(file: Path, frames: Iterable[NDArray[np.uint8]], video: LongVideo, crf: int) -> None:
    """Write `frames`, uint8 [H, W, 3] RGB each, with the time stamps of `video` to an MP4 file in H.264."""
    import av  # only here, as who draws clips alone needs no PyAV

    options = {"crf": str(crf), "preset": "veryfast", "x264-params": X264_PARAMS}
    with av.open(str(file), "w", format="mp4", options={"fflags": "+bitexact"}) as target:
        stream = target.add_stream("libx264", rate=video.rate, options=options)
        stream.height, stream.width = video.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = video.time_base
        for index, picture in enumerate(frames):
            # OpenCV rounds; FFmpeg's own conversion would darken all by a grey level.
            planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
            frame.pts, frame.time_base = video.stamp_of(index), video.time_base
            target.mux(stream.encode(frame))
        target.mux(stream.encode())

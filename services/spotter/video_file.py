"""A recording as a video file: true time stamps, upright, square pixels, whole pictures of 8 bits."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from services.spotter.recorded_frames import Recording, RecordingFacts, check_length, hash_files
from shared.errors import BadData
from shared.images.depth import Depth, measure_depth
from shared.video import fields
from shared.video.clock import VideoClock
from shared.video.decoding import decode_whole_frames
from shared.video.index import VideoIndex, read_file_index
from shared.video.pictures import DEEP_FORMATS, PictureMaker, read_deep_values

SAMPLES, FLAGGED_SAMPLES = 4, 16  # stretches in which combing is looked for, and their number with the file's flag
SAMPLE_FRAMES = 8  # of a stretch
RATE_TOLERANCE = 0.02  # share by which the container's rate may differ from the mean of the time stamps
WARM_UP = 2  # frames before the first wanted one that the filter for fields looks at


class VideoFile(Recording):
    """A video. Times are those of its stamps, or `frame / fps` if a rate is given."""

    def __init__(self, file: Path, fps: float | None) -> None:
        self._file, self._index = file, read_file_index(file)
        index = self._index
        count = len(index.positions)
        check_length(index.name, count)
        remarks = [index.choice] if index.choice else []
        self._seconds, notes = place_in_time(index, fps)
        remarks += notes
        if missing := max(index.absent, 0) + len(index.lost):
            remarks.append(f"{missing} of {count + missing} frames are damaged or cut off in the file and are missing")
        self._depth = self._measure_depth()
        shape, self._parity, looks = self._look_at_samples()
        rate = fps or _choose_rate(index, self._seconds)
        variable = fps is None and not VideoClock(index, rate).is_even(count - 1)
        super().__init__(
            RecordingFacts(
                index.name,
                count,
                rate,
                self._seconds[-1] + 1 / rate,
                (shape[1], shape[0]),
                variable,
                tuple(dict.fromkeys([*remarks, *looks])),
            )
        )

    @cached_property
    def sha256(self) -> str:
        return hash_files([self._file], with_names=False)

    @property
    def codec(self) -> str:
        """FFmpeg's name of the video's codec."""
        return self._index.codec

    def _read_pixels(self, start: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
        first = bisect_left(self._seconds, start - 1e-6)
        if first >= len(self._seconds):
            return
        maker = self._make_maker([])
        try:
            for place, frame in self._weave_frames(max(0, first - WARM_UP), self._parity):
                if place >= first:
                    yield place, self._seconds[place], _to_rgb(maker, frame)
        except av.FFmpegError as error:
            raise BadData(
                f"{self._index.name}: expected frames of one size and kind, got some that FFmpeg cannot convert "
                f"({error}); convert the video again."
            ) from None

    def _weave_frames(self, start: int, top_first: bool | None) -> Iterator[tuple[int, VideoFrame]]:
        """(place, frame) from a place on, made of fields if `top_first` says which of them comes first."""
        places: deque[int] = deque()

        def note_places() -> Iterator[tuple[VideoFrame, bool]]:
            for place, frame in decode_whole_frames(self._file, self._index, start):
                places.append(place)
                yield frame, top_first is not None

        for frame in fields.weave_frames(note_places(), bool(top_first)):
            yield places.popleft(), frame

    def _make_maker(self, notes: list[str]) -> PictureMaker:
        maker = PictureMaker(self._index.aspect, notes)
        maker.depth = self._depth
        return maker

    def _measure_depth(self) -> Depth | None:
        """The depth of frames that hold 16 bits; it takes all frames."""
        if self._index.pixels not in DEEP_FORMATS:
            return None
        found = (
            (f"{self._index.name} frame {place}", read_deep_values(frame))
            for place, frame in decode_whole_frames(self._file, self._index)
        )
        return measure_depth(found)

    def _look_at_samples(self) -> tuple[tuple[int, ...], bool | None, list[str]]:
        """From a few stretches: the shape of a picture, whether the even rows of fields come first, and remarks.

        The field's order is None for whole pictures. Raises BadData if no frame can be decoded.
        """
        notes: list[str] = []
        shape: tuple[int, ...] = ()
        measures: list[fields.FieldMeasure] = []
        chosen: list[int] = []
        for start in self._choose_samples():
            frames = self._decode_sample(start)
            if frames and not shape:
                shape = _to_rgb(self._make_maker(notes), frames[0]).shape
            found = fields.measure_frames(frames)
            chosen += [len(measures) + at for at in fields.choose_frames(found)]
            measures += found
        if not shape:
            raise BadData(
                f"{self._index.name}: expected frames that can be decoded, got damaged ones wherever it was tried; "
                "copy the video again or convert it to .mp4."
            )
        if not chosen:
            return shape, None, notes
        notes.append(
            "interlaced video: each frame was made of the field taken first, the rows between were interpolated (bwdif)"
        )
        return shape, fields.is_top_first(measures, chosen), notes

    def _choose_samples(self) -> list[int]:
        """Places of key frames, so that little is decoded, evenly over the video."""
        index = self._index
        keys = [place for place, at in enumerate(index.positions) if index.packets[at].is_key] or [0]
        most = FLAGGED_SAMPLES if index.is_interlaced else SAMPLES
        return sorted({keys[round(at)] for at in np.linspace(0, len(keys) - 1, most)})

    def _decode_sample(self, start: int) -> list[VideoFrame]:
        frames = []
        for place, frame in decode_whole_frames(self._file, self._index, start):
            if place >= start + SAMPLE_FRAMES:
                break
            frames.append(frame)
        return frames


def place_in_time(index: VideoIndex, fps: float | None) -> tuple[list[float], list[str]]:
    """The rising times of a video's frames, s from the first, and remarks. Raises BadData if there are none."""
    count = len(index.positions)
    if fps is not None:
        remarks = []
        if index.rates and abs(index.rates[0] - fps) > RATE_TOLERANCE * fps:
            remarks.append(f"the file says {index.rates[0]:.4g} frames/s; {fps:g} frames/s were taken, as asked for")
        return [place / fps for place in range(count)], remarks
    steps = [b - a for a, b in pairwise(index.seconds) if b > a]
    if not steps:
        if not index.rates:
            raise BadData(
                f"{index.name}: expected time stamps or a frame rate, got a video with neither; give the camera's "
                "rate with --fps."
            )
        return [place / index.rates[0] for place in range(count)], []
    usual = median(steps)
    seconds, late = [0.0], 0
    for before, now in pairwise(index.seconds):
        late += now <= before
        seconds.append(seconds[-1] + (now - before if now > before else usual))
    if not late:
        return seconds, []
    return seconds, [f"{late} of {count} time stamps do not rise: the frames there follow at the usual distance"]


def _choose_rate(index: VideoIndex, seconds: list[float]) -> float:
    """The container's rate if the stamps agree with it, else their mean rate."""
    mean = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    return next((rate for rate in index.rates if abs(rate - mean) <= RATE_TOLERANCE * mean), mean)


def _to_rgb(maker: PictureMaker, frame: VideoFrame) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(maker.make_picture(frame), cv2.COLOR_BGR2RGB), np.uint8)

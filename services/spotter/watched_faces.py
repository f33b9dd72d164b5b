"""What a pass over a recording leaves of each face: facts, and per segment its motion and where it was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from services.spotter.face_geometry import Floats
from services.spotter.watch_store import WatchStore
from shared.spotting.face_motion import FaceMotion
from shared.spotting.motion_meter import MotionRow, join_rows, unpack_rows
from shared.stage import Arrays


@dataclass(frozen=True)
class WatchedSegment:
    """An uninterrupted stretch of one face over T frames. Above 70 frames/s some of the recording's are left out.

    motion: what was measured. frames: int64 [T] indices in the recording. times: [T] s from its first frame. boxes:
    [T, 4] left, top, right, bottom. landmarks: float32 [T, 68, 2] (x, y), iBUG order. scores: [T] how sure the network
    is of the face, 0 to 1. Positions are px of the recording.
    """

    motion: FaceMotion
    frames: NDArray[np.int64]
    times: Floats
    boxes: Floats
    landmarks: NDArray[np.float32]
    scores: Floats


class SegmentFacts(NamedTuple):
    """Where a segment's parts lie in the store, its frames, and its first and last time, s."""

    parts: tuple[str, ...]
    frames: int
    first: float
    last: float


@dataclass(frozen=True)
class StoredSegments(Sequence[WatchedSegment]):
    """The segments of a face, read from the store each time, so that a long recording needs little memory."""

    facts: tuple[SegmentFacts, ...]
    shrink: int
    store: WatchStore = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.facts)

    @overload
    def __getitem__(self, index: int) -> WatchedSegment: ...

    @overload
    def __getitem__(self, index: slice) -> "StoredSegments": ...

    def __getitem__(self, index: int | slice) -> "WatchedSegment | StoredSegments":
        if isinstance(index, slice):
            return replace(self, facts=self.facts[index])
        return join_parts([self.store.read_part(name) for name in self.facts[index].parts], self.shrink)

    def __iter__(self) -> Iterator[WatchedSegment]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class WatchedFace:
    """One person of a recording. Fields as in `shared.prediction.model.PredictedFace`.

    seen_seconds: the length of all segments. frozen: share of the face's pixels that the codec repeats from frame to
    frame. remarks: sentences about what limits a prediction.
    """

    id: int
    first_seconds: float
    last_seconds: float
    seen_seconds: float
    box: tuple[int, int, int, int]
    eye_distance_px: float
    sharpness: float
    turn_degrees: float
    light: float
    frozen: float
    remarks: tuple[str, ...]
    segments: StoredSegments


def join_parts(parts: Sequence[Arrays], shrink: int) -> WatchedSegment:
    """The segment of its parts, arrays over their frames [T, ...].

    Their positions are px of frames 1 / `shrink` as wide as the recording's.
    """
    rows: list[MotionRow] = []
    for part in parts:
        rows += unpack_rows({name: part[f"row_{name}"] for name in MotionRow._fields})
    motion = join_rows(rows)
    frames, times, boxes, landmarks, scores = (
        np.concatenate([part[name] for part in parts])
        for name in ("frames", "frame_seconds", "boxes", "landmarks", "scores")
    )
    # Pixel centres have whole coordinates, so that a corner moves by half a px more.
    boxes, landmarks = ((places + 0.5) * shrink - 0.5 for places in (boxes, landmarks))
    motion = replace(motion, eye_distance=motion.eye_distance * shrink)
    return WatchedSegment(motion, frames, times, boxes, landmarks.astype(np.float32), scores)

"""The spotter's artifact: what was measured of every face, as named arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from services.spotter.watched_faces import WatchedFace, WatchedSegment
from shared.spotting.face_motion import FaceMotion
from shared.spotting.stored_motion import MOTION

PLACED = ("frames", "times", "boxes", "scores")  # what is packed of a segment beside its motion


class FaceArrays(Mapping[str, np.ndarray[Any, Any]]):
    """The motion and the boxes of all faces as arrays of an artifact. One segment at a time is in memory.

    Names begin with `faceN/segmentM/`, N from 1 and M from 0. `frames` int64 [T], `times` [T] s, `boxes` [T,4] px,
    `scores` [T], and the fields of `FaceMotion` as `motion/...`.
    """

    def __init__(self, faces: Sequence[WatchedFace]) -> None:
        self._places = {f"face{face.id}/segment{at}": (face, at) for face in faces for at in range(len(face.segments))}
        self._parts = (*PLACED, *(MOTION + field.name for field in fields(FaceMotion)))
        self._place = ""
        self._segment: WatchedSegment | None = None  # that was read last: its arrays are asked for one after another

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        face, number, part = name.split("/", 2)
        segment = self._read_segment(f"{face}/{number}")
        owner = segment.motion if part.startswith(MOTION) else segment
        return np.asarray(getattr(owner, part.removeprefix(MOTION)))

    def _read_segment(self, place: str) -> WatchedSegment:
        if self._segment is None or place != self._place:
            face, number = self._places[place]
            self._place, self._segment = place, face.segments[number]
        return self._segment

    def __iter__(self) -> Iterator[str]:
        return (f"{place}/{part}" for place in self._places for part in self._parts)

    def __len__(self) -> int:
        return len(self._places) * len(self._parts)

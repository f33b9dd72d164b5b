"""The spotter's artifact: what was measured of every face, as named arrays."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from services.spotter.watched_faces import WatchedFace
from shared.spotting.face_motion import FaceMotion
from shared.stage import Arrays


def pack_faces(faces: Sequence[WatchedFace]) -> Arrays:
    """The motion and the boxes of all faces as arrays of an artifact.

    Names begin with `faceN/segmentM/`, N from 1 and M from 0. `frames` int64 [T], `times` [T] s, `boxes` [T,4] px,
    `scores` [T], and the fields of `FaceMotion` as `motion/...`.
    """
    packed: dict[str, np.ndarray[Any, Any]] = {}
    for face in faces:
        for number, segment in enumerate(face.segments):
            place = f"face{face.id}/segment{number}"
            for name in ("frames", "times", "boxes", "scores"):
                packed[f"{place}/{name}"] = getattr(segment, name)
            for field in fields(FaceMotion):
                packed[f"{place}/motion/{field.name}"] = np.asarray(getattr(segment.motion, field.name))
    return packed


def unpack_motions(arrays: Arrays) -> dict[int, list[FaceMotion]]:
    """The motion of every face, one per segment, by the face's id. arrays: those of `pack_faces`, any shape [...]."""
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for name, values in arrays.items():
        face, segment, *rest = name.split("/")
        if rest[0] == "motion":
            of_face = found.setdefault(int(face.removeprefix("face")), {})
            of_face.setdefault(int(segment.removeprefix("segment")), {})[rest[1]] = values
    return {
        face: [_build_motion(segments[number]) for number in sorted(segments)]
        for face, segments in sorted(found.items())
    }


def _build_motion(fields_by_name: dict[str, Any]) -> FaceMotion:
    regions = tuple(map(str, fields_by_name["regions"]))
    return FaceMotion(**{**fields_by_name, "regions": regions, "eye_distance": float(fields_by_name["eye_distance"])})

"""The spotter's artifact gives the motion back as it was."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.spotter.motion_artifact import pack_faces, unpack_motions
from shared.spotting.face_motion import FaceMotion
from shared.store import npz


def motion(count: int, seed: int) -> FaceMotion:
    rng = np.random.default_rng(seed)
    shapes: dict[str, Any] = {"times": (count,), "displacement": (count, 2, 2), "noise": (2,), "head": (count, 5)}
    shapes |= {"lids": (count, 2), "mouth": (count,), "light": (count,)}
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return FaceMotion(regions=("left cheek", "chin"), eye_distance=60.5, **given)


def segment(count: int, seed: int) -> Any:
    given = {"frames": np.arange(count), "times": np.arange(count) / 30, "scores": np.ones(count)}
    return SimpleNamespace(motion=motion(count, seed), boxes=np.zeros((count, 4)), **given)


def test_motions_come_back_by_face_and_segment_in_their_order() -> None:
    counts = {1: [9] * 11, 3: [12]}
    faces: Any = [
        SimpleNamespace(id=face, segments=[segment(count, number) for number, count in enumerate(sizes)])
        for face, sizes in counts.items()
    ]
    found = unpack_motions(npz.unpack_arrays(npz.pack_arrays(pack_faces(faces)), "artifact"))
    assert {face: len(motions) for face, motions in found.items()} == {1: 11, 3: 1}
    for face in faces:
        for kept, back in zip(face.segments, found[face.id], strict=True):
            for field in fields(FaceMotion):
                assert np.array_equal(getattr(kept.motion, field.name), getattr(back, field.name)), field.name


def test_no_face_is_an_artifact_too() -> None:
    assert unpack_motions(npz.unpack_arrays(npz.pack_arrays(pack_faces([])), "artifact")) == {}

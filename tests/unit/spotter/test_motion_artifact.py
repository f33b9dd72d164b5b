"""The spotter's artifact gives the motion back as it was."""

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.spotter.motion_artifact import FaceArrays
from shared.spotting.face_motion import FaceMotion
from shared.spotting.stored_motion import unpack_motions
from shared.store import LocalStore, npz
from shared.worker.stage_handler import read_artifact, write_artifact, write_large_artifact


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
    found = unpack_motions(npz.unpack_arrays(npz.pack_arrays(FaceArrays(faces)), "artifact"))
    assert {face: len(motions) for face, motions in found.items()} == {1: 11, 3: 1}
    for face in faces:
        for kept, back in zip(face.segments, found[face.id], strict=True):
            for field in fields(FaceMotion):
                assert np.array_equal(getattr(kept.motion, field.name), getattr(back, field.name)), field.name


def test_no_face_is_an_artifact_too() -> None:
    assert unpack_motions(npz.unpack_arrays(npz.pack_arrays(FaceArrays([])), "artifact")) == {}


def test_an_artifact_is_stored_with_one_segment_in_memory(tmp_path: Path) -> None:
    kept, read = [segment(count, count) for count in (9, 10, 11)], []

    class Segments(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            read.append(index)
            return super().__getitem__(index)

    face: Any = SimpleNamespace(id=1, segments=Segments(kept))
    store = LocalStore(tmp_path / "store")
    artifact = write_large_artifact(store, "spotter/video/recipe.npz", FaceArrays([face]), tmp_path)
    assert read == [0, 1, 2]
    whole = dict(FaceArrays([face]))
    assert artifact == write_artifact(store, "spotter/video/recipe.npz", whole)
    assert [len(each.times) for each in unpack_motions(read_artifact(store, artifact, "motion"))[1]] == [9, 10, 11]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]

"""The motion of faces as the spotter's artifact has it, read a segment at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from shared.spotting.face_motion import FaceMotion
from shared.stage import Arrays

MOTION = "motion/"  # begins the names of the fields of `FaceMotion` in a segment


@dataclass(frozen=True)
class StoredMotion:
    """The segments of a face, which begin with these names, in `arrays` [...]. Each is read whenever it is its turn."""

    arrays: Arrays
    segments: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[FaceMotion]:
        for segment in self.segments:
            read: dict[str, Any] = {
                field.name: self.arrays[f"{segment}/{MOTION}{field.name}"] for field in fields(FaceMotion)
            }
            read |= {"regions": tuple(map(str, read["regions"])), "eye_distance": float(read["eye_distance"])}
            yield FaceMotion(**read)


def unpack_motions(arrays: Arrays) -> dict[int, StoredMotion]:
    """The motion of every face by the face's id. arrays: those of the spotter's `FaceArrays`, any shape [...]."""
    found: dict[int, set[int]] = {}
    for name in arrays:
        face, segment, _ = name.split("/", 2)
        found.setdefault(int(face.removeprefix("face")), set()).add(int(segment.removeprefix("segment")))
    return {
        face: StoredMotion(arrays, tuple(f"face{face}/segment{number}" for number in sorted(numbers)))
        for face, numbers in sorted(found.items())
    }

"""Every face of a recording that lasts, followed from frame to frame under a number of its own.

The points of a face in one frame tell where to look in the next. New faces are looked for all the time
(`face_search`). A segment ends at a cut, where the face is lost, and where it jumps. A face that comes back to its
place keeps its number, if it is soon or looks the same.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from services.spotter.face_geometry import (
    Floats,
    bound_points,
    is_plausible,
    measure_eye_distance,
    measure_jump,
    read_look,
)
from services.spotter.face_quality import SMALLEST_EYES
from services.spotter.face_search import FaceSearch
from shared.face_mesh import LOWEST_SCORE, FaceMesh, fit_face, fit_mesh, region_of_mesh
from shared.faces import overlap_boxes

THUMBNAIL = (32, 18)  # columns and rows of the picture in which cuts show
CUT = 30.0  # grey levels that a cut changes in the mean
JUMP = 0.5  # distances between the eyes between two frames
LONGEST_GAP = 0.25  # s without a frame within one segment
SAME_FACE = 0.3  # intersection over union of the boxes of one face
TWINS = 0.5  # overlap of two followed faces that are one
RETURN_SECONDS = 3.0  # within which a face that comes back to its place need not look the same
RETURN_LOOK = 0.5  # least likeness of a face that is back so soon: -1 to 1, 1 for the same picture
SAME_LOOK = 0.85  # least likeness of a face that is back later, or after a cut. A broad smile has 0.89
REMEMBERED_SECONDS = 600.0  # for how long a lost face can come back
MOST_FACES = 6  # that are followed at a time. The largest ones of a frame come first
LOOK_GAP = 0.5  # s between two looks at a followed face


@dataclass
class FaceTrack:
    """A face under its number. Without `region` it is lost, or too small and only noted.

    segment: number of the uninterrupted stretch, from 0. looks: its pictures [32, 32], the first and the latest.
    """

    number: int
    points: Floats
    seconds: float  # last seen
    segment: int = -1
    followed: bool = False
    lost_at_cut: bool = False
    looks: list[Floats] = field(default_factory=list)
    look_seconds: float = -np.inf

    @property
    def box(self) -> list[float]:
        return [float(side) for side in bound_points(self.points)]


@dataclass(frozen=True)
class SeenFace:
    """A face in one frame. `segment` is None for one that is too small to be measured."""

    number: int
    segment: int | None
    mesh: FaceMesh


class FaceFollower:
    """Follows the faces of a recording, at most `most_faces` at a time. Frames come in the order of time."""

    def __init__(self, most_faces: int = MOST_FACES) -> None:
        self.most_faces = most_faces
        self.tracks: list[FaceTrack] = []
        self.most_at_once = 0  # faces that were there and large enough, of which `most_faces` are followed
        self._search = FaceSearch()
        self._thumbnail: NDArray[np.uint8] | None = None
        self._seconds = -np.inf

    def follow_frame(self, pixels: NDArray[np.uint8], seconds: float) -> list[SeenFace]:
        """The faces in the next frame [H, W, 3], uint8 RGB, at its time, s."""
        if self._notice_cut(pixels):
            for track in self.tracks:
                track.lost_at_cut = True
            self._lose([track for track in self.tracks if track.followed], seconds)
        elif seconds - self._seconds > LONGEST_GAP:
            for track in self._followed():
                track.segment += 1
        self._seconds = seconds
        seen = {track.number: mesh for track in self._followed() if (mesh := self._follow(track, pixels, seconds))}
        self._drop_twins(seen)
        noted = self._take_in(pixels, seconds, seen)
        tracks = {track.number: track for track in self.tracks}
        followed = [SeenFace(number, tracks[number].segment, mesh) for number, mesh in sorted(seen.items())]
        return followed + [SeenFace(number, None, mesh) for number, mesh in sorted(noted.items())]

    def _followed(self) -> list[FaceTrack]:
        return [track for track in self.tracks if track.followed]

    def _notice_cut(self, pixels: NDArray[np.uint8]) -> bool:
        before, self._thumbnail = self._thumbnail, _shrink_frame(pixels)
        return before is not None and float(cv2.absdiff(before, self._thumbnail).mean()) > CUT

    def _lose(self, tracks: list[FaceTrack], seconds: float) -> None:
        for track in tracks:
            track.followed = False
        if tracks:
            self._search.note_loss(seconds)

    def _follow(self, track: FaceTrack, pixels: NDArray[np.uint8], seconds: float) -> FaceMesh | None:
        """The points of a followed face in the next frame, or None where it is lost."""
        mesh = fit_mesh(pixels, region_of_mesh(track.points))
        sound = mesh.score >= LOWEST_SCORE and is_plausible(mesh.points, pixels.shape[1], pixels.shape[0])
        if not sound or measure_eye_distance(mesh.points) < 0.9 * SMALLEST_EYES:
            self._lose([track], seconds)
            return None
        if measure_jump(track.points, mesh.points) > JUMP:
            track.segment += 1
        track.points, track.seconds = mesh.points, seconds
        self._look_at(track, pixels)
        return mesh

    def _look_at(self, track: FaceTrack, pixels: NDArray[np.uint8]) -> None:
        if track.seconds - track.look_seconds >= LOOK_GAP:
            track.look_seconds = track.seconds
            track.looks = [*track.looks[:1], read_look(pixels, track.points)]

    def _drop_twins(self, seen: dict[int, FaceMesh]) -> None:
        """Of two tracks that follow one face, the later one ends."""
        for track in sorted(self._followed(), key=lambda each: each.number, reverse=True):
            older = [other for other in self._followed() if other.number < track.number]
            if any(overlap_boxes(track.box, other.box) > TWINS for other in older):
                track.followed = False
                seen.pop(track.number, None)

    def _take_in(self, pixels: NDArray[np.uint8], seconds: float, seen: dict[int, FaceMesh]) -> dict[int, FaceMesh]:
        """Follow faces that are new or back, where a search is due. Returns those that are too small, by number."""
        noted: dict[int, FaceMesh] = {}
        found: list[FaceMesh] = []
        for region in self._search.find_regions(pixels, seconds, len(seen)):
            known = [bound_points(mesh.points) for mesh in (*seen.values(), *found)]
            x, y = region.centre
            if any(left < x < right and top < y < bottom for left, top, right, bottom in known):
                continue
            mesh = fit_face(pixels, region)
            if mesh is None or not is_plausible(mesh.points, pixels.shape[1], pixels.shape[0]):
                continue
            box = bound_points(mesh.points).tolist()
            if not any(overlap_boxes(box, other.tolist()) > SAME_FACE for other in known):
                found.append(mesh)
        found.sort(key=lambda mesh: measure_eye_distance(mesh.points), reverse=True)
        large = sum(measure_eye_distance(mesh.points) >= SMALLEST_EYES for mesh in found)
        self.most_at_once = max(self.most_at_once, len(seen) + large)
        for mesh in found:
            measured = measure_eye_distance(mesh.points) >= SMALLEST_EYES and len(seen) < self.most_faces
            track = self._name_face(pixels, mesh, seconds)
            track.points, track.seconds, track.lost_at_cut = mesh.points, seconds, False
            self._look_at(track, pixels)
            if measured:
                track.followed = True
                track.segment += 1
                seen[track.number] = mesh
            else:
                noted[track.number] = mesh
        return noted

    def _name_face(self, pixels: NDArray[np.uint8], mesh: FaceMesh, seconds: float) -> FaceTrack:
        """The track of a face that was found: a lost one that is back, or a new one."""
        look, box = read_look(pixels, mesh.points), bound_points(mesh.points).tolist()
        best: tuple[float, FaceTrack] | None = None
        for track in self.tracks:
            if track.followed or seconds - track.seconds > REMEMBERED_SECONDS or track.seconds == seconds:
                continue
            if overlap_boxes(box, track.box) <= SAME_FACE:
                continue
            soon = seconds - track.seconds <= RETURN_SECONDS and not track.lost_at_cut
            likeness = max(float((look * other).sum()) for other in track.looks)
            if likeness >= (RETURN_LOOK if soon else SAME_LOOK) and (best is None or likeness > best[0]):
                best = likeness, track
        if best is None:
            self.tracks.append(FaceTrack(len(self.tracks) + 1, mesh.points, seconds))
            return self.tracks[-1]
        return best[1]


def _shrink_frame(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey thumbnail [18, 32] of a frame [H, W, 3]."""
    step = max(1, min(pixels.shape[0] // (4 * THUMBNAIL[1]), pixels.shape[1] // (4 * THUMBNAIL[0])))
    sparse = np.ascontiguousarray(pixels[::step, ::step])
    return np.asarray(cv2.resize(cv2.cvtColor(sparse, cv2.COLOR_RGB2GRAY), THUMBNAIL, interpolation=cv2.INTER_AREA))

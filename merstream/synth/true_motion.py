"""The true motion of a clip, in exact and compact form. `clip` renders frames from it.

A frame pixel p shows the source pixel S_t(p) = A_t(p) - sum_k w_k(t) F_k(A_t(p)). A_t undoes the head's motion: shift,
roll, turn and nod, which fade out beyond the head, since the backdrop rests. F_k is the field of action unit k
(`action_units.displacement_field`, longest vector 1), and w_k(t) is its amplitude in px. The file has the landmarks, w
and the head's motion.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth import action_units
from merstream.synth.warping import Floats, pixel_grid, smooth_step
from shared.errors import BadData

TRUTH_FORMAT = 3
# In distances between the eyes: pixels up to HEAD_RADIUS from the face's centre move with the head; HEAD_FADE further
# out they rest.
HEAD_RADIUS, HEAD_FADE = 1.9, 0.9


@dataclass(frozen=True)
class ClipMotion:
    """The motion of one clip of T frames. Px are those of the rendered frame.

    numbers: int64 [T] frame numbers as in the file names. units: K strings like "12L" (AU, then side "L", "R" or "").
    weights: float64 [T, K] px. head: float64 [T, 5] = translation (x, y) px, rotation in the plane in rad, clockwise,
    turn (the nose to the picture's right) and nod (the nose down), rad. landmarks: float64 [68, 2] px of the face at
    rest. size: rows, columns. crop: left, top, right, bottom px of the cropped version of the clip in the frame. skin:
    the model of the skin whose fields the units have.
    """

    numbers: NDArray[np.int64]
    units: tuple[str, ...]
    weights: Floats
    head: Floats
    landmarks: Floats
    size: tuple[int, int]
    crop: tuple[int, int, int, int]
    skin: action_units.SkinModel = "connected"

    def frame_index(self, number: int) -> int:
        """The index of frame `number`. Raises BadData if the clip has no such frame."""
        found = np.flatnonzero(self.numbers == number)
        if not len(found):
            raise BadData(
                f"The clip has no frame {number}: expected {self.numbers[0]}..{self.numbers[-1]}. "
                "Ask for a frame number as in the file names."
            )
        return int(found[0])


def _moving_box(landmarks: Floats, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (px) of the part of the frame that action units move, up to four standard deviations."""
    margin = action_units.FaceAxes.from_landmarks(landmarks).eye_distance * np.array([0.3, 0.75])
    low = np.maximum(np.floor(landmarks.min(0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(landmarks.max(0) + margin), size[::-1]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def face_depth(landmarks: Floats, shape: tuple[int, int]) -> Floats:
    """The depth of each pixel's skin towards the camera, px, float32 [H, W]; 0 between the eyes.

    landmarks: [68, 2] px; shape: H, W. A small turn of the head moves a pixel by angle times depth. The ears are 0.8
    distances between the eyes behind, forehead and chin 0.2. The nose rises along its ridge to 0.35 at the tip.
    """
    face = action_units.FaceAxes.from_landmarks(landmarks)
    across, down = face.local_coordinates(landmarks[27], shape)
    head = np.maximum(-0.6 * across**2 - 0.08 * (down - 0.2) ** 2, -1.2)
    tip, base = ((landmarks[i] - landmarks[27]) @ face.down / face.eye_distance for i in (30, 33))
    ridge = 0.35 * np.clip(down / tip, 0, 1) * smooth_step((base + 0.15 - down) / (base + 0.15 - tip))
    return np.asarray(face.eye_distance * (head + ridge * np.exp(-0.5 * (across / 0.13) ** 2)), np.float32)


class FaceWarp:
    """The backward map of one face: from a frame's pixels to its source picture, for any state of head and skin."""

    def __init__(
        self, landmarks: Floats, size: tuple[int, int], units: tuple[str, ...], skin: action_units.SkinModel
    ) -> None:
        """The arguments are those of `ClipMotion`: landmarks [68, 2] px, and K units."""
        self.x, self.y = pixel_grid(*size)
        self.centre = landmarks.mean(0)
        across, down = self.x - np.float32(self.centre[0]), self.y - np.float32(self.centre[1])
        far = np.hypot(across, down) / action_units.FaceAxes.from_landmarks(landmarks).eye_distance
        still = 1 - smooth_step((far - HEAD_RADIUS) / HEAD_FADE)
        self.head = np.stack([still * across, still * down, still, still * face_depth(landmarks, size)]).astype(
            np.float32
        )
        self.left, self.top, right, bottom = _moving_box(landmarks, size)
        self.box = np.s_[self.top : bottom, self.left : right]
        shape = (bottom - self.top, right - self.left)
        within = landmarks - [self.left, self.top]
        numbers = [(int(unit.rstrip("LR")), unit.lstrip("0123456789")) for unit in units]
        fields = [action_units.displacement_field(within, number, side, shape, skin) for number, side in numbers]
        self.fields = np.stack(fields) if fields else np.zeros((0, *shape, 2), np.float32)  # [K, h, w, 2]

    def find_source(self, head: Floats, field: Floats) -> tuple[Floats, Floats]:
        """x and y, float32 [H, W]: each pixel's place in the source picture, in frame px.

        head: [5] as in `ClipMotion.head`. field: float32 [h, w, 2] px, the skin's displacement, a sum of `fields`.
        """
        shift_x, shift_y, roll, turn, nod = head
        cos, sin = np.cos(roll), np.sin(roll)
        back_x, back_y = cos * shift_x + sin * shift_y, cos * shift_y - sin * shift_x
        x = self.x + np.tensordot(np.array([cos - 1, sin, -back_x, -turn], np.float32), self.head, 1)
        y = self.y + np.tensordot(np.array([-sin, cos - 1, -back_y, -nod], np.float32), self.head, 1)
        within_x, within_y = x[self.box] - np.float32(self.left), y[self.box] - np.float32(self.top)
        moved = cv2.remap(field, within_x, within_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        x[self.box] -= moved[..., 0]
        y[self.box] -= moved[..., 1]
        return x, y

    def follow_points(self, points: Floats, x: Floats, y: Floats) -> Floats:
        """Where points [N, 2] (x, y) px of the source picture are in the frame of the map x, y [H, W]: [N, 2] px.

        Fixed-point iteration, as in `SourceMapper.flow_between`.
        """
        backward = np.stack((x - self.x, y - self.y), -1)
        found = points.astype(np.float32)[None]
        for _ in range(25):
            at_x, at_y = (np.ascontiguousarray(found[..., axis]) for axis in (0, 1))
            found = points.astype(np.float32) - cv2.remap(
                backward, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        return np.asarray(found[0])


class SourceMapper(FaceWarp):
    """The source coordinates of every frame of one clip."""

    def __init__(self, motion: ClipMotion) -> None:
        super().__init__(motion.landmarks, motion.size, motion.units, motion.skin)
        self.motion = motion

    def source_coordinates(self, index: int) -> tuple[Floats, Floats]:
        """x and y, float32 [H, W]: each pixel of frame `index` in the clip's source picture, in frame px."""
        field = np.tensordot(self.motion.weights[index].astype(np.float32), self.fields, 1)
        return self.find_source(self.motion.head[index], field)

    def flow_between(self, first: int, second: int, rounds: int = 25) -> Floats:
        """float32 [2, H, W] (u, v), px: content at p in frame `first` (index) is at p + (u, v) in frame `second`.

        Fixed-point iteration solves the implicit S_second(q) = S_first(p) for q, since S is near the identity.
        """
        source = np.stack(self.source_coordinates(first), -1)
        pixels = np.stack((self.x, self.y), -1)
        backward = np.stack(self.source_coordinates(second), -1) - pixels
        q = pixels
        for _ in range(rounds):
            q = source - cv2.remap(backward, q[..., 0], q[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.ascontiguousarray((q - pixels).transpose(2, 0, 1))


def read_true_flow(file: Path, first: int, second: int, cropped: bool = False) -> Floats:
    """The true flow between two frames of the clip with the truth `file`: float32 [2, H, W] (u, v), px.

    first, second: frame numbers as in the file names. Convention of flow(first, second): content at (x, y) in frame
    `first` is at (x + u, y + v) in frame `second`, head motion included. `cropped`: in the frame of the cropped clip.
    Raises BadData for an unknown frame number.
    """
    motion = load_motion(file)
    mover = SourceMapper(motion)
    flow = mover.flow_between(motion.frame_index(first), motion.frame_index(second))
    left, top, right, bottom = motion.crop
    return flow[:, top:bottom, left:right] if cropped else flow


def save_motion(file: Path, motion: ClipMotion) -> None:
    """Write `motion` to an npz file; equal motions give equal bytes."""
    np.savez(
        file,
        format=np.int64(TRUTH_FORMAT),
        numbers=motion.numbers,
        units=np.array(motion.units, dtype="U4"),
        weights=motion.weights,
        head=motion.head,
        landmarks=motion.landmarks,
        size=np.array(motion.size),
        crop=np.array(motion.crop),
        skin=np.array(motion.skin),
    )


def load_motion(file: Path) -> ClipMotion:
    """Read a file of `save_motion`. Raises BadData for another format."""
    with np.load(file, allow_pickle=False) as stored:
        if int(stored["format"]) != TRUTH_FORMAT:
            raise BadData(
                f"{file} has truth format {stored['format']}, expected {TRUTH_FORMAT}: write the dataset again."
            )
        rows, columns = (int(v) for v in stored["size"])
        left, top, right, bottom = (int(v) for v in stored["crop"])
        units = tuple(str(unit) for unit in stored["units"])
        skin: action_units.SkinModel = "patches" if str(stored["skin"]) == "patches" else "connected"
        arrays = {name: stored[name] for name in ("numbers", "weights", "head", "landmarks")}
    return ClipMotion(**arrays, units=units, size=(rows, columns), crop=(left, top, right, bottom), skin=skin)

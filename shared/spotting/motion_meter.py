"""The motion of a face's regions without the head's motion, frame by frame.

The face is held in place by a similarity from rigid points. Dense inverse search (Kroeger et al. 2016) measures the
flow from an anchor frame. The head's motion is fitted to it with depth (`HeadModel`), the frame is read again with this
motion undone, and the flow is measured again: in a steady frame its error is a tenth. What the head leaves is averaged
over each region. Anchors follow each other every few seconds, since pose and light wander.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.face_mesh import FaceMesh, convert_to_ibug
from shared.spotting.anchor_courses import join_courses
from shared.spotting.face_motion import FaceMotion, Values
from shared.spotting.head_fit import HeadModel
from shared.spotting.regions import LID_REGIONS, REGION_NAMES, weigh_regions
from shared.spotting.steady_face import (
    EYES_APART,
    RIGID_POINTS,
    SHAPE,
    FaceCrop,
    Similarity,
    fit_similarity,
    place_first_face,
)

FLOW_STEP = 2  # px between the pixels whose flow is used
ANCHOR_SECONDS = 3.0  # from one anchor to the next
OVERLAP_SECONDS = 0.7  # in which two anchors are measured, so that their courses can be joined
FASTEST = 70.0  # frames/s that are measured; of more only some
LID_PAIRS = (
    ((159, 145), (158, 153), (160, 144)),
    ((386, 374), (385, 380), (387, 373)),
)  # upper, lower; right eye first
EYE_ROOM, EYE_FADE = 0.04, 0.03  # distances between the eyes
INNER_LIPS = (13, 14)


class MotionRow(NamedTuple):
    """What is kept of a measured frame.

    displacement: [2, R, 2] from the older and the newer anchor, distances between the eyes; NaN where there is none.
    head: [2, 5] as in `FaceMotion`, from either anchor. anchor: the older one's number.
    """

    seconds: float
    anchor: int
    displacement: Values
    head: Values
    lids: Values
    mouth: float
    light: float
    eye_distance: float


class _Anchor:
    """A frame from which motion is measured."""

    def __init__(self, number: int, seconds: float, picture: NDArray[np.uint8], points: Values):
        self.number, self.seconds, self.picture, self.points = number, seconds, picture, points
        landmarks = convert_to_ibug(points)[:, :2]
        self.model = HeadModel(points, landmarks, EYES_APART, SHAPE, FLOW_STEP)
        self.weights = weigh_regions(landmarks, EYES_APART, SHAPE, FLOW_STEP)
        self.head = np.zeros((4, 2))  # found in the frame before: where the search starts
        self._eyes = draw_eyes(landmarks)

    def cover_eyes(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture [200, 160] with the anchor's eyes in its own light: lids drag the flow beside them along."""
        gain = float(picture.mean()) / max(float(self.picture.mean()), 1.0)
        return np.asarray(
            cv2.add(
                cv2.multiply(picture, 1 - self._eyes, dtype=cv2.CV_32F),
                cv2.multiply(self.picture, gain * self._eyes, dtype=cv2.CV_32F),
            ).clip(0, 255),
            np.uint8,
        )


class MotionMeter:
    """Measures one face over one uninterrupted stretch. Frames come one by one; little more than rows is kept.

    A frame that follows the one before within less than 1 / `FASTEST` s is left out.
    """

    def __init__(self) -> None:
        self.rows: list[MotionRow] = []
        self._anchors: list[_Anchor] = []
        self._reference: Values | None = None  # rigid points [N, 2] of the first frame in the small picture
        self._unit = 1.0  # distance between the eyes in the first frame, px
        self._last = -np.inf
        self._steady = np.zeros(SHAPE, np.uint8)
        self._search = _create_search()

    def __getstate__(self) -> dict[str, Any]:
        """All but OpenCV's search, so that a meter can be pickled and goes on as if it never stopped."""
        return {name: value for name, value in vars(self).items() if name != "_search"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._search = _create_search()

    def add_frame(self, pixels: NDArray[np.uint8], mesh: FaceMesh, seconds: float) -> None:
        """Measure the next frame, uint8 RGB [H, W, 3], in which the face has these points. seconds: since the start."""
        if seconds - self._last < 0.95 / FASTEST:
            return
        self._last = seconds
        place, eye_distance = self._place_face(mesh.points)
        crop = FaceCrop(pixels, place)
        points = mesh.points.copy()
        points[:, :2] = place.map_to_picture(mesh.points[:, :2])
        points[:, 2] /= place.scale
        self._change_anchors(seconds, crop, points)
        displacement, head = np.full((2, len(REGION_NAMES), 2), np.nan), np.full((2, 5), np.nan)
        lids = _measure_lids(points) / EYES_APART
        for slot, anchor in enumerate(self._anchors):
            displacement[slot] = self._measure_regions(anchor, crop) / EYES_APART
            displacement[slot, LID_REGIONS] = np.stack([np.zeros(2), -lids], 1)  # the flow does not see them
            head[slot] = self._measure_head(anchor, place)
        self.rows.append(
            MotionRow(
                seconds,
                self._anchors[0].number,
                displacement,
                head,
                lids,
                float(np.hypot(*(points[INNER_LIPS[0], :2] - points[INNER_LIPS[1], :2]))) / EYES_APART,
                float(self._steady[40:180, 40:120].mean()),
                eye_distance,
            )
        )

    def take_rows(self) -> list[MotionRow]:
        """The rows measured since the last call; they are not kept. `join_rows` makes a `FaceMotion` of all."""
        rows, self.rows = self.rows, []
        return rows

    def finish(self) -> FaceMotion:
        """The motion over all rows that were not taken. Raises ValueError without any."""
        return join_rows(self.rows)

    def _place_face(self, points: Values) -> tuple[Similarity, float]:
        """Where the small picture is in the frame, and the distance between the eyes there, px."""
        landmarks = convert_to_ibug(points)[:, :2]
        eyes = np.array([landmarks[36:42].mean(0), landmarks[42:48].mean(0)])
        eye_distance = float(np.hypot(*(eyes[1] - eyes[0])))
        rigid = points[RIGID_POINTS]
        if self._reference is None:
            place = place_first_face(eyes)
            self._reference = place.map_to_picture(rigid[:, :2])
            self._unit = eye_distance
        return fit_similarity(self._reference, rigid[:, :2]), eye_distance

    def _change_anchors(self, seconds: float, crop: FaceCrop, points: Values) -> None:
        newest = self._anchors[-1] if self._anchors else None
        if newest is None or seconds - newest.seconds >= ANCHOR_SECONDS:
            self._anchors.append(_Anchor(newest.number + 1 if newest else 0, seconds, crop.read_picture(), points))
        if len(self._anchors) == 2 and seconds - self._anchors[1].seconds >= OVERLAP_SECONDS:
            self._anchors.pop(0)

    def _measure_regions(self, anchor: _Anchor, crop: FaceCrop) -> Values:
        """The displacement [R, 2] px of the regions since the anchor, without the head's motion."""
        model = anchor.model
        anchor.head = anchor.head + model.fit_flow(self._measure_flow(anchor, crop), anchor.head)
        flow = self._measure_flow(anchor, crop)
        rest = model.fit_flow(flow, anchor.head)
        anchor.head = anchor.head + rest
        left = flow - model.draw_field(rest)
        return np.asarray(np.einsum("rn,nc->rc", anchor.weights.astype(np.float64), left))

    def _measure_flow(self, anchor: _Anchor, crop: FaceCrop) -> Values:
        """The flow [N, 2] px on the grid from the anchor to the frame with the head's motion undone."""
        field = anchor.model.draw_field(anchor.head).reshape(*anchor.model.grid, 2).astype(np.float32)
        motion = cv2.resize(field, SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
        self._steady = crop.read_picture(np.asarray(motion))
        self._steady = anchor.cover_eyes(self._steady)
        flow = self._search.calc(anchor.picture, self._steady, None)
        return np.asarray(flow[::FLOW_STEP, ::FLOW_STEP].reshape(-1, 2), np.float64)

    def _measure_head(self, anchor: _Anchor, place: Similarity) -> Values:
        """[5]: x, y of the head, distances between the eyes; roll, turn, nod, degrees, from the anchor's pose on.

        They come from the flow: the mesh jumps when lids close.
        """
        head = anchor.head
        x, y = place.map_to_frame(np.array([SHAPE[1] / 2, SHAPE[0] / 2]) + head[0]) / self._unit
        roll = np.arctan2(place.b, place.a) + (head[1, 1] - head[2, 0]) / 2 / EYES_APART
        # A turn and a nod move what is near (small z) to the right and down.
        return np.array([x, y, *np.rad2deg([roll, -head[3, 0] / EYES_APART, -head[3, 1] / EYES_APART])])


def _create_search() -> Any:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def join_rows(rows: list[MotionRow]) -> FaceMotion:
    """The motion of a face over all rows of a segment. Raises ValueError for no rows."""
    if not rows:
        raise ValueError("expected at least one measured frame")
    columns = MotionRow(*(np.array(values) for values in zip(*rows, strict=True)))  # type: ignore[arg-type]
    times: Any = columns.seconds
    displacement = join_courses(times, columns.anchor, columns.displacement)  # type: ignore[arg-type]
    head = join_courses(times, columns.anchor, columns.head[:, :, None])[:, 0]  # type: ignore
    return FaceMotion(
        times,
        REGION_NAMES,
        displacement,
        estimate_noise(displacement),
        head - np.median(head, axis=0),
        columns.lids,
        np.asarray(columns.mouth),
        np.asarray(columns.light),
        float(np.median(columns.eye_distance)),
    )


def estimate_noise(displacement: Values) -> Values:
    """Standard deviation [R] of a component at rest from displacements [T, R, 2], by second differences in time."""
    if len(displacement) < 3:
        return np.full(displacement.shape[1], np.nan)
    bends = displacement[1:-1] - (displacement[:-2] + displacement[2:]) / 2
    return np.asarray(1.4826 * np.median(np.abs(bends), axis=(0, 2)) / np.sqrt(1.5))


def pack_rows(rows: list[MotionRow]) -> dict[str, NDArray[Any]]:
    """The rows as arrays [T, ...] by name, to be stored."""
    return {name: np.array(values) for name, values in zip(MotionRow._fields, zip(*rows, strict=True), strict=True)}


def unpack_rows(arrays: Mapping[str, NDArray[Any]]) -> list[MotionRow]:
    """The rows of `pack_rows`, from its arrays [T, ...]."""
    return [MotionRow(*values) for values in zip(*(arrays[name] for name in MotionRow._fields), strict=True)]


def draw_eyes(landmarks: Values) -> NDArray[np.float32]:
    """Mask [200, 160] of the eyes at landmarks [68, 2], 1 inside and fading around."""
    mask = np.zeros(SHAPE, np.float32)
    for eye in (landmarks[36:42], landmarks[42:48]):
        cv2.fillConvexPoly(mask, np.rint(cv2.convexHull(eye.astype(np.float32))[:, 0]).astype(np.int32), 1.0)
    room = round(EYE_ROOM * EYES_APART)
    wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * room + 1, 2 * room + 1)))
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), EYE_FADE * EYES_APART), np.float32)


def _measure_lids(points: Values) -> Values:
    """Opening [2] px of the person's left and right eye: the mean of three distances between the lids."""
    right, left = (
        float(np.mean([np.hypot(*(points[up, :2] - points[low, :2])) for up, low in pairs])) for pairs in LID_PAIRS
    )
    return np.array([left, right])

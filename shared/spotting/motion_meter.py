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
from shared.spotting.head_pose import measure_pose
from shared.spotting.regions import REGION_NAMES, weigh_regions
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
INNER_LIPS = (13, 14)


class MotionRow(NamedTuple):
    """What is kept of a measured frame.

    displacement: [2, R, 2] from the older and the newer anchor, distances between the eyes; NaN where there is none.
    anchor: the older one's number.
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


class MotionMeter:
    """Measures one face over one uninterrupted stretch. Frames come one by one; little more than rows is kept.

    A frame that follows the one before within less than 1 / `FASTEST` s is left out.
    """

    def __init__(self) -> None:
        self.rows: list[MotionRow] = []
        self._anchors: list[_Anchor] = []
        self._reference: Values | None = None  # rigid points [N, 2] of the first frame in the small picture
        self._solid: Values | None = None  # the same [N, 3] in distances between the eyes
        self._last = -np.inf
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

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
        displacement = np.full((2, len(REGION_NAMES), 2), np.nan)
        for slot, anchor in enumerate(self._anchors):
            displacement[slot] = self._measure_regions(anchor, crop) / EYES_APART
        self.rows.append(
            MotionRow(
                seconds,
                self._anchors[0].number,
                displacement,
                self._measure_head(mesh.points, place, eye_distance),
                _measure_lids(points) / EYES_APART,
                float(np.hypot(*(points[INNER_LIPS[0], :2] - points[INNER_LIPS[1], :2]))) / EYES_APART,
                float(crop.read_picture()[40:180, 40:120].mean()),
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
            self._solid = rigid / eye_distance
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
        anchor.head = anchor.head + model.fit_flow(self._measure_flow(anchor, crop))
        flow = self._measure_flow(anchor, crop)
        rest = model.fit_flow(flow)
        anchor.head = anchor.head + rest
        left = flow - model.draw_field(rest)
        return np.asarray(np.einsum("rn,nc->rc", anchor.weights.astype(np.float64), left))

    def _measure_flow(self, anchor: _Anchor, crop: FaceCrop) -> Values:
        """The flow [N, 2] px on the grid from the anchor to the frame with the head's motion undone."""
        field = anchor.model.draw_field(anchor.head).reshape(*anchor.model.grid, 2).astype(np.float32)
        motion = cv2.resize(field, SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
        steady = crop.read_picture(np.asarray(motion))
        flow = self._search.calc(anchor.picture, steady, None)  # type: ignore[call-overload]
        return np.asarray(flow[::FLOW_STEP, ::FLOW_STEP].reshape(-1, 2), np.float64)

    def _measure_head(self, points: Values, place: Similarity, eye_distance: float) -> Values:
        """[5]: x, y of the head, distances between the eyes; roll, turn, nod since the first frame, degrees."""
        assert self._solid is not None
        x, y = place.map_to_frame(np.array([SHAPE[1] / 2, SHAPE[0] / 2]))
        unit = place.scale * EYES_APART
        return np.array([x / unit, y / unit, *measure_pose(self._solid, points[RIGID_POINTS] / eye_distance)])


def join_rows(rows: list[MotionRow]) -> FaceMotion:
    """The motion of a face over all rows of a segment. Raises ValueError for no rows."""
    if not rows:
        raise ValueError("expected at least one measured frame")
    columns = MotionRow(*(np.array(values) for values in zip(*rows, strict=True)))  # type: ignore[arg-type]
    times: Any = columns.seconds
    displacement = join_courses(times, columns.anchor, columns.displacement)  # type: ignore[arg-type]
    head = columns.head - np.median(columns.head, axis=0)
    return FaceMotion(
        times,
        REGION_NAMES,
        displacement,
        estimate_noise(displacement),
        head,
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


def _measure_lids(points: Values) -> Values:
    """Opening [2] px of the person's left and right eye: the mean of three distances between the lids."""
    right, left = (
        float(np.mean([np.hypot(*(points[up, :2] - points[low, :2])) for up, low in pairs])) for pairs in LID_PAIRS
    )
    return np.array([left, right])

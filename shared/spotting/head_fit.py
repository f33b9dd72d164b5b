"""The head's motion in a dense flow: eight parameters, affine and depth, of which a rigid head needs six.

A head that turns or nods by a small angle moves a point by the angle times the point's depth (Longuet-Higgins &
Prazdny 1980, orthographic). So each component of the flow is fitted by 1, x, y and the depth of the face there.
A rigid head scales both components alike and rolls both. Only a large turn strains its picture a little. So strain is
fitted against a resistance: a forehead that rises alone would otherwise be a nod and a face that grows in height.
Geman-McClure weights (1985) leave skin out that moves beyond the fit: far from it the weight goes to 0, as its square.
Eyes, brows and mouth are outside the fit. The chin, which speech moves, counts little.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.spotting.face_motion import Values

Singles = NDArray[np.float32]

HEAD_ROUNDS = 5  # of reweighting
RESIDUAL_SCALE = 2.385  # spreads of the residuals at which a weight is a quarter
RESISTANCE = 0.3  # against strain, in squares of px for each pixel of the fit
# What of the motion's [2, 4] parameters strains the picture: unlike scales, and unlike rolls.
STRAINS = np.array([((0, 1, 0, 0), (0, 0, -1, 0)), ((0, 0, 1, 0), (0, 1, 0, 0))], np.float64).reshape(2, 8)
SOFTEST = 0.02  # px: least spread of the residuals
KERNEL = 0.12  # distances between the eyes: how far a mesh point's depth reaches
HOLES = (  # landmarks whose surroundings move with expressions, and how far, in distances between the eyes
    (tuple(range(17, 27)), 0.14),
    (tuple(range(36, 48)), 0.14),
    (tuple(range(48, 60)), 0.18),
)
JAW_WIDTH = 1.3  # distances between the eyes: within, the skin follows the jaw
JAW_TRUST = 0.15  # without the chin, the fit would swing there; with all of it, speech would move the brows
THIN = 2  # every second pixel of the grid is fitted
COARSE = 8  # px between the places whose depth is interpolated from the mesh
FACE_RIM = 0.92  # of the face's outline, from its middle: what is nearer to the outline is background now and then


class HeadModel:
    """The terms of the fit on every `step`-th pixel of a picture of a face.

    points: the mesh [478, 3] px in the picture. landmarks: [68, 2] px. shape: H, W.
    """

    def __init__(self, points: Values, landmarks: Values, eye_distance: float, shape: tuple[int, int], step: int):
        y, x = (axis.astype(np.float64) for axis in np.mgrid[: shape[0] : step, : shape[1] : step])
        self.grid = x.shape
        places = np.stack([x.ravel(), y.ravel()], 1)
        depth = _spread_depth(points, KERNEL * eye_distance, shape)[::step, ::step].ravel() / eye_distance
        middle = landmarks.mean(0)
        across = (places - middle) / eye_distance
        self.terms = np.concatenate([np.ones((len(places), 1)), across, depth[:, None]], 1)
        trust = trust_rigid_skin(points, landmarks, eye_distance, shape)[::step, ::step].ravel()
        self.inside = np.flatnonzero(trust)[::THIN]
        self._trust, self._fitted = trust[self.inside], self.terms[self.inside]

    def fit_flow(self, flow: Values, before: Values) -> Values:
        """The head's further motion [4, 2] in a flow [N, 2], px, on the grid's N pixels, after the motion `before`."""
        seen = flow[self.inside]
        weights = self._trust
        found = np.zeros((4, 2))
        for _ in range(HEAD_ROUNDS):
            weighted = self._fitted * weights[:, None]
            # einsum, not BLAS: the sums must not depend on how many threads share them
            normal = np.kron(np.eye(2), np.einsum("ni,nj->ij", weighted, self._fitted) + 1e-9 * np.eye(4))
            resistance = RESISTANCE * weights.sum() * STRAINS.T @ STRAINS
            wanted = np.einsum("ni,nj->ji", weighted, seen).ravel() - resistance @ before.T.ravel()
            found = np.linalg.solve(normal + resistance, wanted).reshape(2, 4).T
            lengths = np.hypot(*(seen - self._fitted @ found).T)
            spread = max(float(np.median(lengths)), SOFTEST)
            weights = self._trust / (1 + (lengths / (RESIDUAL_SCALE * spread)) ** 2) ** 2
        return np.asarray(found)

    def draw_field(self, head: Values) -> Values:
        """The motion [N, 2] px of a head's parameters [4, 2] on the grid's pixels."""
        return np.asarray(self.terms @ head)


def _spread_depth(points: Values, reach: float, shape: tuple[int, int]) -> Values:
    """The depth [H, W] px of each pixel."""
    y, x = (axis.astype(np.float64) for axis in np.mgrid[: shape[0] : COARSE, : shape[1] : COARSE])
    middle = (COARSE - 1) / 2  # so that the coarse pixels are the means of their parts
    coarse = interpolate_depth(points, np.stack([x.ravel() + middle, y.ravel() + middle], 1), reach)
    return np.asarray(cv2.resize(coarse.reshape(x.shape), shape[::-1], interpolation=cv2.INTER_LINEAR), np.float64)


def interpolate_depth(points: Values, places: Values, reach: float) -> Values:
    """The depth [N] px at places [N, 2] px between mesh points [478, 3], by Gaussian weights of `reach` px."""
    distances = ((places[:, None] - points[None, :, :2]) ** 2).sum(-1)
    near = distances - distances.min(1, keepdims=True)  # far from all points the nearest one counts
    weights = np.exp(-0.5 * near / reach**2)
    return np.asarray(weights @ points[:, 2] / weights.sum(1))


def trust_rigid_skin(points: Values, landmarks: Values, eye_distance: float, shape: tuple[int, int]) -> Values:
    """Weights [H, W], 0 to 1, of the face within its outline: eyes, brows and mouth have none, the chin a low one."""
    inside = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(points[:, :2].astype(np.float32))[:, 0]
    middle = hull.mean(0)
    cv2.fillConvexPoly(inside, np.rint(middle + FACE_RIM * (hull - middle)).astype(np.int32), 1)
    for indices, reach in HOLES:
        for x, y in landmarks[list(indices)]:
            cv2.circle(inside, (round(float(x)), round(float(y))), max(1, round(reach * eye_distance)), 0, -1)
    # The jaw: from half-way between nose and mouth down to the chin.
    nose, mouth, chin = landmarks[33], landmarks[48:60].mean(0), landmarks[8]
    half, top = JAW_WIDTH * eye_distance / 2, float(nose[1] + mouth[1]) / 2
    low, high = (round(float(mouth[0]) - half), round(top)), (round(float(mouth[0]) + half), round(float(chin[1])) + 20)
    trust = inside.astype(np.float32)
    cv2.rectangle(trust, low, high, 0.0, -1)
    trust = np.where(inside > 0, np.maximum(trust, JAW_TRUST), 0)
    return trust.astype(np.float64)

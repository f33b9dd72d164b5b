"""Motion of a head in three dimensions, as seen in the picture, and light that changes along a plane.

A head that turns or nods by a small angle moves each point by the angle times the point's depth (Longuet-Higgins &
Prazdny 1980, orthographic). The depth of a face is close to a surface of second order in x and y. So the motion is a
shift, a roll, a scale, and turn and nod times one surface, which all frames of a clip share. The terms of first order
belong to the surface: without them its vertex could only lie in the middle of the picture, and a head that already
looks aside could not turn. Light multiplies each frame by 1 + a + bx + cy (Negahdaripour 1998).

Positions x (to the right) and y (down) are shares of the picture's longer side from its middle. Motion has that unit.
"""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

LIGHT_TERMS = 3  # 1, x, y
# A free field: shift, roll, scale, stretch and shear, and three terms of second order for u and for v.
FREE_TERMS = 12
SURFACE_TERMS = 5  # x, y, x^2, xy, y^2
RIGID_TERMS = 6  # shift (two), roll, scale, turn, nod
ROUNDS = 20  # of the alternation: it converges in a few
CURVATURE = np.array([0.0, 0.0, 1.0, 1.0, 1.0])  # the terms of second order among those of a surface
# A face falls back towards the ears, and a quarter as much towards forehead and chin.
MEAN_SURFACE = np.array([0.0, 0.0, 1.0, 0.0, 0.25]) / np.hypot(1, 0.25)
PRIOR = 0.1


def centred_positions(shape: tuple[int, int]) -> tuple[Doubles, Doubles]:
    """x [1, W] and y [H, 1] of the pixels of a picture of this shape (H, W)."""
    height, width = shape
    y, x = ((np.arange(size) - (size - 1) / 2) / max(shape) for size in shape)
    return x.reshape(1, width), y.reshape(height, 1)


def light_fields(shape: tuple[int, int]) -> Doubles:
    """[3, H, W]: 1, x and y."""
    x, y = centred_positions(shape)
    return np.stack(np.broadcast_arrays(np.ones(shape), x, y))


def free_fields(shape: tuple[int, int]) -> Doubles:
    """[12, 2, H, W]: the fields (u, v) of a motion of second order."""
    one, x, y = light_fields(shape)
    zero = np.zeros(shape)
    fields = [(one, zero), (zero, one), (-y, x), (x, y), (x, -y), (y, x)]
    for term in (x * x, x * y, y * y):
        fields += [(term, zero), (zero, term)]
    return np.array(fields)


def rigid_terms(surface: Doubles) -> Doubles:
    """The coefficients [12, 6] of `free_fields` for shift, roll, scale, turn and nod of a head with this surface [5].

    The surface has the coefficients of x, y, x^2, xy and y^2. A turn moves points to the right, a nod down.
    """
    terms = np.zeros((FREE_TERMS, RIGID_TERMS))
    terms[:4, :4] = np.eye(4)
    terms[:, 4] = TURN_TERMS @ surface
    terms[:, 5] = NOD_TERMS @ surface
    return terms


def _surface_to_free_terms() -> tuple[Doubles, Doubles]:
    """Two matrices [12, 5]: the free coefficients of the field (term, 0), and of (0, term), per term of a surface."""
    turn, nod = np.zeros((2, FREE_TERMS, SURFACE_TERMS))
    roll, scale, stretch, shear = range(2, 6)
    turn[[scale, stretch], 0] = 0.5  # (x, 0)
    turn[[roll, shear], 1] = -0.5, 0.5  # (y, 0)
    nod[[roll, shear], 0] = 0.5  # (0, x)
    nod[[scale, stretch], 1] = 0.5, -0.5  # (0, y)
    for term in range(3):
        turn[6 + 2 * term, 2 + term] = nod[7 + 2 * term, 2 + term] = 1
    return turn, nod


TURN_TERMS, NOD_TERMS = _surface_to_free_terms()


def fit_surface(motions: Doubles, precisions: Doubles) -> Doubles:
    """The surface [5] of one rigid head that explains free motions [T, 12] best, near that of a mean face.

    precisions: [T, 12, 12], the inverse covariance of each motion. Turn, nod and the rest are fitted for the surface,
    and the surface for them, in alternation. The curvature is drawn to the mean face by `PRIOR` of what the motions
    tell. Without it, the surface of a head that rests would take the form of the expression.
    """
    surface: Doubles = MEAN_SURFACE
    for _ in range(ROUNDS):
        normal, right = np.zeros((SURFACE_TERMS, SURFACE_TERMS)), np.zeros(SURFACE_TERMS)
        for motion, precision in zip(motions, precisions, strict=True):
            rigid = project_motion(motion, precision, surface)
            per_term = rigid[4] * TURN_TERMS + rigid[5] * NOD_TERMS
            rest = motion.copy()
            rest[:4] -= rigid[:4]
            normal += per_term.T @ precision @ per_term
            right += per_term.T @ precision @ rest
        prior = CURVATURE * (PRIOR * np.trace(normal) / SURFACE_TERMS)
        found = np.linalg.lstsq(normal + np.diag(prior), right + prior * MEAN_SURFACE)[0]
        size = np.linalg.norm(found * CURVATURE)
        if size == 0:
            break
        surface = found / size
    return surface


def project_motion(motion: Doubles, precision: Doubles, surface: Doubles) -> Doubles:
    """The rigid motion [6] nearest to a free one [12] in the metric of its precision [12, 12]."""
    terms = rigid_terms(surface)
    weighted = terms.T @ precision
    return np.asarray(np.linalg.lstsq(weighted @ terms, weighted @ motion)[0])

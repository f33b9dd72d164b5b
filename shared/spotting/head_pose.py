"""Roll, turn and nod of a head from its points in three dimensions."""

import numpy as np

from shared.spotting.face_motion import Values


def measure_pose(reference: Values, points: Values) -> Values:
    """[3]: roll (clockwise in the picture), turn (nose to the picture's right), nod (nose down), degrees.

    The rotation that takes `reference` [N, 3] (x, y, z; z away from the camera) to `points` [N, 3] (Kabsch 1976).
    """
    p, q = reference - reference.mean(0), points - points.mean(0)
    left, _, right = np.linalg.svd(p.T @ q)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left @ flip @ right).T
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    turn = np.arctan2(-rotation[0, 2], rotation[2, 2])
    nod = np.arctan2(-rotation[1, 2], np.hypot(rotation[0, 2], rotation[2, 2]))
    return np.asarray(np.rad2deg([roll, turn, nod]))

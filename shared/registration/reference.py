"""One robust fit of motion and light between a reference picture and another picture.

Lucas & Kanade 1981, with a model of motion and light for the whole picture (Bergen et al. 1992; Negahdaripour 1998).
Cauchy's estimator reweights the residuals, so that the pixels of the expression and of a resting background hardly
count. Pixels near the corners count little from the start: there a crop around a face shows what is behind the head.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.registration.head_model import Doubles, light_fields
from shared.registration.warping import read_displaced

ROUNDS_PER_FIT = 10  # most iterations
CLOSE = 1e-5  # share of the longer side: a smaller step ends a fit
CAUCHY = 2.385  # scale, in spreads of the residuals: 95 % efficiency for normal residuals
BORDER = 0.05  # share of each side that is left out: there the motion brings in what the reference does not show
OVAL = 0.8  # of half the sides: radius at which a pixel counts 1/e; its fourth power makes the middle flat
BRIGHT = 0.98  # of full scale: brighter pixels are clipped and show neither motion nor light


@dataclass(frozen=True)
class Fit:
    """Coefficients [P + 3] of motion (shares of the longer side) and light, and their inverse covariance."""

    coefficients: Doubles
    precision: Doubles


class ReferencePicture:
    """A grey picture [H, W], 0..1, and the change of its brightness per unit of each coefficient.

    fields: [P, 2, H, W], the motion (u, v) per unit of each coefficient, in shares of the longer side.
    """

    def __init__(self, grey: NDArray[Any], fields: Doubles) -> None:
        height, width = grey.shape
        top, left = max(1, round(BORDER * height)), max(1, round(BORDER * width))
        self.inner = slice(top, -top), slice(left, -left)
        self.fields, self.light = fields * max(grey.shape), light_fields(grey.shape)
        values = grey.astype(np.float64)
        down, across = np.gradient(values)
        slopes = [*(across * u + down * v for u, v in self.fields), *(-values * light for light in self.light)]
        self.values = values[self.inner].ravel()
        self.slopes = np.array([slope[self.inner] for slope in slopes]).reshape(len(slopes), -1)
        x, y = (np.linspace(-1, 1, size) for size in (width, height))
        oval = np.exp(-((np.hypot(x, y[:, None]) / OVAL) ** 4))
        self.trust = (oval * (values < BRIGHT))[self.inner].ravel()

    def fit_picture(self, grey: NDArray[Any], start: Doubles) -> Fit:
        """Motion and light from here to the picture `grey` [H, W], found from `start` [P + 3]; `start` if none is
        better."""
        current, best = start, Fit(start, np.eye(len(start)))
        least = np.inf
        for _ in range(ROUNDS_PER_FIT):
            read = self.read_through(grey, current)
            left = read - self.expect_values(current)
            trust = self.trust * (read < BRIGHT)
            counted = np.abs(left[trust > 0.5])
            spread = 1.4826 * float(np.median(counted)) if len(counted) else 0.0
            if spread >= least:
                break
            weights = trust / (1 + (left / (CAUCHY * spread + 1e-12)) ** 2)
            weighted = self.slopes * weights
            # einsum, not BLAS: the sums must not depend on how many threads share them, or artifacts would
            normal = np.einsum("in,jn->ij", weighted, self.slopes)
            least, best = spread, Fit(current, normal / (spread + 1e-12) ** 2)
            step = np.linalg.lstsq(normal, np.einsum("in,n->i", weighted, left))[0]
            current = current - step
            if np.abs(step).max() < CLOSE:
                return Fit(current, best.precision)
        return best

    def read_through(self, grey: NDArray[Any], coefficients: Doubles) -> Doubles:
        """The other picture, moved back by a motion: its inner pixels [N]."""
        motion = np.tensordot(coefficients[: len(self.fields)], self.fields, 1)
        return np.asarray(read_displaced(grey, motion)[self.inner].ravel(), np.float64)

    def expect_values(self, coefficients: Doubles) -> Doubles:
        """This picture in the other one's light: its inner pixels [N]."""
        change = np.tensordot(coefficients[len(self.fields) :], self.light, 1)[self.inner].ravel()
        return np.asarray(self.values * (1 + change))

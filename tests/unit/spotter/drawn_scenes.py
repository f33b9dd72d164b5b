"""Drawn persons on grey ground, where a test wants them: frames uint8 [T, H, W, 3] RGB."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth.identity import draw_identity

Pixels = NDArray[np.uint8]
SIDE = 240  # px of a drawn person at scale 1; 48 of them lie between the eyes
GROUND = 96


@cache
def draw_person(subject: int) -> Pixels:
    """A drawn person [240, 240, 3], the face in the middle."""
    person = draw_identity(77, subject, (480, 640))
    picture = np.clip(np.rint(person.image), 0, 255).astype(np.uint8)
    middle = 2 * person.landmarks[[36, 45]].mean(0) + 1  # source px
    left, top = (round(float(at)) for at in (middle[0] - 480, middle[1] - 430))
    padded = cv2.copyMakeBorder(picture, 200, 200, 200, 200, cv2.BORDER_REPLICATE)
    part = padded[top + 200 : top + 1160, left + 200 : left + 1160]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def show_persons(
    shown: Sequence[tuple[int, float, float, float]],
    size: tuple[int, int] = (320, 640),
    seed: int = 0,
    ground: int = GROUND,
) -> Pixels:
    """A frame [H, W, 3] of `size` with persons: number, centre x and y px, scale. Later ones cover earlier ones."""
    frame = np.full((*size, 3), ground, np.uint8)
    for subject, x, y, scale in shown:
        half = (SIDE - 1) / 2
        matrix = np.array([[scale, 0, x - scale * half], [0, scale, y - scale * half]])
        person = draw_person(subject)
        cv2.warpAffine(
            person,
            matrix,
            size[::-1],
            frame,
            cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
            cv2.BORDER_TRANSPARENT,
        )
    noise = np.random.default_rng(seed).normal(0, 1, frame.shape)
    return np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)

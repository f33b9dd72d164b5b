"""Pairs of frames whose true motion is known at every pixel: a drawn face that shifts, bulges or makes an expression.

The second frame shows at p the skin that the first one shows at p + length * B(p), where B is a motion's backward field
(longest vector 1). Both frames are sampled from the person's picture, which has twice the resolution. So no
interpolated frame is interpolated again. The largest displacement is `length`, px. Up to 20 px, each motion is
one-to-one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth import true_motion
from merstream.synth.identity import OVERSAMPLING, Identity, draw_identity
from merstream.synth.warping import pixel_grid

DRAWN = (384, 512)  # rows, columns of the drawn picture, in which a face has the size that it has in a crop
CROP = (280, 224)  # rows, columns of a pair
BORDER = 24  # px: not scored, as skin there may leave the image
BUMP_SIGMA = 22.0  # px: a quarter of the distance between the eyes, as of a drawn action unit
EXPRESSION = ("4L", "4R", "12L", "12R")  # brows lowered, mouth corners pulled: fields wide enough for 20 px
NOISE, FLICKER = 2.0, 0.01  # standard deviation, grey levels; relative change of the second frame's light
DISTURBANCES = ("none", "noise", "flicker")
ROUNDS = 60  # fixed-point iterations of the true flow; its error is below 1e-3 px at 20 px
Floats = NDArray[Any]


@dataclass(frozen=True)
class KnownPair:
    """Two grey frames uint8 [H, W] and the true flow float32 [2, H, W] (u, v) from first to second, px."""

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    true_flow: Floats

    @property
    def inner(self) -> tuple[slice, ...]:
        """The index of the scored pixels of a flow."""
        return np.s_[:, BORDER:-BORDER, BORDER:-BORDER]


class MovingFace:
    """One drawn person, and the backward fields B float32 [2, rows, columns] of its motions."""

    def __init__(self, seed: int) -> None:
        self.person = draw_identity(seed, 1, DRAWN)
        self.x, self.y = pixel_grid(*DRAWN)
        self.seed = seed
        self.fields = {name: make(self.person, np.random.default_rng(seed)) for name, make in MOTIONS.items()}

    def draw_pair(self, motion: str, length: float, disturbance: str) -> KnownPair:
        """A pair with this motion, `length` px at most, and one of `DISTURBANCES`; equal arguments give equal bytes."""
        back = np.float32(length) * self.fields[motion]
        rows, columns = self.crop_slices()
        rng = np.random.default_rng([self.seed, round(1000 * length)])
        first, second = (self.sample_luma(offset)[rows, columns] for offset in (np.zeros_like(back), back))
        first, second = disturb_frames(first, second, disturbance, rng)
        return KnownPair(first, second, self.invert_field(back)[:, rows, columns])

    def crop_slices(self) -> tuple[slice, slice]:
        """Rows and columns of the crop around the face's centre."""
        centre = self.person.landmarks.mean(0)[::-1]
        top, left = (round(c - size / 2) for c, size in zip(centre, CROP, strict=True))
        return slice(top, top + CROP[0]), slice(left, left + CROP[1])

    def sample_luma(self, back: Floats) -> Floats:
        """The grey frame float32 [rows, columns] that shows at p the picture's p + back(p)."""
        x, y = ((axis + part + 0.5) * OVERSAMPLING - 0.5 for axis, part in zip((self.x, self.y), back, strict=True))
        luma = self.person.image @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.asarray(cv2.remap(luma, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))

    def invert_field(self, back: Floats) -> Floats:
        """The flow [2, rows, columns] of the backward field: solves q + back(q) = p for q - p, by fixed points."""
        flow = np.zeros_like(back)
        for _ in range(ROUNDS):
            at = self.x + flow[0], self.y + flow[1]
            flow = np.stack([-cv2.remap(part, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in back])
        return flow


def disturb_frames(
    first: Floats, second: Floats, disturbance: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two frames [H, W] as a camera with this disturbance would give them, rounded to grey levels."""
    if disturbance == "flicker":
        second = second * (1 + FLICKER * rng.choice([-1, 1]))
    if disturbance == "noise":
        first, second = (frame + rng.normal(0, NOISE, frame.shape) for frame in (first, second))
    first, second = (np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in (first, second))
    return first, second


def shift_everything(person: Identity, rng: np.random.Generator) -> Floats:
    """The whole picture shifts one way, between 20 and 70 degrees from an axis."""
    angle = np.deg2rad(rng.uniform(20, 70)) + rng.integers(4) * np.pi / 2
    return np.broadcast_to(np.array([np.cos(angle), np.sin(angle)])[:, None, None], (2, *DRAWN)).astype(np.float32)


def bulge_twice(person: Identity, rng: np.random.Generator) -> Floats:
    """Two Gaussian bumps move in their own directions: one on a brow, one beside the mouth; the rest is still."""
    x, y = pixel_grid(*DRAWN)
    field = np.zeros((2, *DRAWN), np.float32)
    for landmark in (19, 54):
        across, down = person.landmarks[landmark]
        angle = rng.uniform(0, 2 * np.pi)
        bump = np.exp(-((x - across) ** 2 + (y - down) ** 2) / (2 * BUMP_SIGMA**2))
        field += np.array([np.cos(angle), np.sin(angle)], np.float32)[:, None, None] * bump.astype(np.float32)
    return np.asarray(field / np.hypot(*field).max())


def make_expression(person: Identity, rng: np.random.Generator) -> Floats:
    """Brows and mouth corners move together as action units of drawn clips do; the head rests."""
    weights = np.stack([np.zeros(len(EXPRESSION)), np.ones(len(EXPRESSION))])
    motion = true_motion.ClipMotion(
        np.arange(2), EXPRESSION, weights, np.zeros((2, 5)), person.landmarks, DRAWN, (0, 0, DRAWN[1], DRAWN[0])
    )
    mapper = true_motion.SourceMapper(motion)
    field = np.stack(mapper.source_coordinates(1)) - np.stack([mapper.x, mapper.y])
    return np.asarray(field / np.hypot(*field).max(), np.float32)


MOTIONS: dict[str, Callable[[Identity, np.random.Generator], Floats]] = {
    "shift": shift_everything,
    "bump": bulge_twice,
    "expression": make_expression,
}

"""Drawn persons whose faces move as a test says, and wider scenes that show several of them."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth.clip import crop_box, render_frames
from merstream.synth.difficulty import Difficulty
from merstream.synth.identity import Identity, draw_identity
from merstream.synth.true_motion import ClipMotion

Frames = NDArray[np.uint8]
Layer = Callable[[NDArray[np.uint8], int], None]  # draws into the scene of one frame number

SIDE = 200  # px of a person's square picture. The face's box is about 108 px wide in it
UNITS = ("12L", "12R", "4L", "4R")  # a smile with a frown: it moves mouth, cheeks and brows
LENGTH, APEX = 24, 10  # frames of a scene
RISE_AND_FALL = [np.sin(np.pi * t / APEX / 2) ** 2 if t < APEX else 1 - 0.9 * (t - APEX) / 13 for t in range(LENGTH)]


@cache
def drawn_identity(subject: int) -> Identity:
    return draw_identity(11, subject, (SIDE, SIDE))


def drawn_motion(subject: int, strengths: Iterable[float]) -> ClipMotion:
    """The motion of a person whose action units are at `strengths` [T], px of the longest vector."""
    face = drawn_identity(subject).landmarks
    weights = np.repeat(np.array([*strengths], float)[:, None], len(UNITS), axis=1)
    numbers, size = np.arange(len(weights)), (SIDE, SIDE)
    return ClipMotion(numbers, UNITS, weights, np.zeros((len(weights), 5)), face, size, crop_box(face, size))


def drawn_frames(subject: int, strengths: Iterable[float], noise: float = 1.2) -> Frames:
    """Frames [T,H,W,3] of a person with this course of strengths; every frame has noise of its own."""
    motion = drawn_motion(subject, strengths)
    drawn = render_frames(
        np.random.default_rng(subject), drawn_identity(subject), motion, Difficulty(noise=noise, flicker=0)
    )
    return np.stack(list(drawn))


@cache
def person(subject: int, peak: float) -> Frames:
    """`LENGTH` frames of a person whose expression reaches `peak` px at `APEX`. With 0 it is a portrait."""
    return drawn_frames(subject, [peak * strength for strength in RISE_AND_FALL])


def place(
    frames: Frames, left: int | Sequence[int], top: int = 30, scale: float = 1.0, when: range = range(LENGTH)
) -> Layer:
    """Frames at a place of a scene (px), or at one place per frame, while `when` says so."""

    def draw(scene: NDArray[np.uint8], number: int) -> None:
        if number not in when:
            return
        at = left if isinstance(left, int) else left[number]
        picture = cv2.resize(frames[number], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        seen = slice(max(-at, 0), scene.shape[1] - at)
        part = picture[:, seen]
        scene[top : top + len(part), max(at, 0) : max(at, 0) + part.shape[1]] = part

    return draw


def scene(*layers: Layer, seed: int = 0) -> Frames:
    """`LENGTH` frames [T,260,640,3] of a patterned wall with these layers, the last one in front, and noise."""
    random = np.random.default_rng(seed)
    pattern = cv2.GaussianBlur(random.integers(0, 255, (260, 640, 3)).astype(np.float32), (0, 0), 3)
    wall = cv2.normalize(pattern, None, 70, 180, cv2.NORM_MINMAX).astype(np.uint8)  # type: ignore[call-overload]
    frames = []
    for number in range(LENGTH):
        shown = wall.copy()
        for layer in layers:
            layer(shown, number)
        frames.append(np.clip(shown + random.normal(0, 1.5, shown.shape), 0, 255).astype(np.uint8))
    return np.stack(frames)

"""What the drawn maps show: expressions of five classes, and motion without an expression.

The prototypes are those of `merstream.synth.emotions`, and combinations that EMFACS and DISFA's authors name for anger,
fear and sadness (class `others`, as in CASME II). Each has the action units (AUs) that always move, and optional ones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merstream.synth.action_units import MIDLINE_AUS
from merstream.synth.emotions import ONE_SIDED_CHANCES
from services.trainer.recogniser.labels import NO_CLASS, SHIPPED_UNITS

LEAST_PRESENT = 0.25  # amplitude from which on an AU counts as shown
JAW_DROP = 26  # AU of the distractors that the model does not predict


@dataclass(frozen=True)
class MapExpression:
    """AUs that move together. chance: its share within its class."""

    chance: float
    core_aus: tuple[int, ...]
    optional_aus: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class MovedSkin:
    """One AU on one side: "L", "R", or "" on the midline. amplitude: 1 for the expression's typical AU."""

    au_number: int
    side: str
    amplitude: float


PRESSED = ((24, 0.2),)
EXPRESSIONS: dict[str, tuple[MapExpression, ...]] = {
    "happiness": (
        MapExpression(0.4, (12,), ((14, 0.1), (24, 0.1))),
        MapExpression(0.4, (6, 12), ((7, 0.15), (24, 0.05))),
        MapExpression(0.2, (6, 12, 25)),
    ),
    "surprise": (
        MapExpression(0.45, (1, 2), ((25, 0.15),)),
        MapExpression(0.25, (1, 2, 5), ((25, 0.2),)),
        MapExpression(0.15, (1, 2, 25, JAW_DROP), ((5, 0.4),)),
        MapExpression(0.15, (2,), ((5, 0.3), (1, 0.3))),
    ),
    "disgust": (
        MapExpression(0.3, (9,), ((4, 0.3), (10, 0.2))),
        MapExpression(0.25, (4, 9), ((7, 0.3), (10, 0.2), (17, 0.1))),
        MapExpression(0.15, (4, 7, 9), ((10, 0.15),)),
        MapExpression(0.3, (10,), ((4, 0.3), (25, 0.1))),
    ),
    "repression": (
        MapExpression(0.3, (14,), ((17, 0.2), (24, 0.2))),
        MapExpression(0.25, (15,), ((17, 0.5), *PRESSED)),
        MapExpression(0.25, (17,), ((15, 0.3), (14, 0.2), *PRESSED)),
        MapExpression(0.2, (24,), ((14, 0.2), (17, 0.2))),
    ),
    "others": (
        MapExpression(0.3, (4,), ((5, 0.1), *PRESSED)),
        MapExpression(0.2, (4, 7), ((17, 0.1), *PRESSED)),
        MapExpression(0.1, (4, 5, 7), ((24, 0.3),)),
        MapExpression(0.15, (1, 4), ((15, 0.5), (17, 0.2))),
        MapExpression(0.1, (1, 2, 4), ((20, 0.6), (5, 0.4))),
        MapExpression(0.05, (7,)),
        MapExpression(0.1, (20,), ((25, 0.3), (14, 0.15))),
    ),
}
# Motion of one to three AUs drawn by chance. No class belongs to it: it teaches the action units alone.
ANY_UNITS = "any"
# Shares of the drawn maps. The three classes of MEGC2019 are about equal: `others`, `disgust` and `repression` are all
# negative.
SHARES = {"happiness": 0.22, "surprise": 0.22, "disgust": 0.1, "repression": 0.09, "others": 0.11} | {
    NO_CLASS: 0.14,
    ANY_UNITS: 0.12,
}
STRAY_UNITS = (1, 2, 5, 7, 14, 17, 25)


def draw_kinds(rng: np.random.Generator, count: int) -> list[str]:
    """`count` keys of SHARES in these proportions."""
    return [str(kind) for kind in rng.choice(list(SHARES), count, p=list(SHARES.values()))]


def draw_moved_skin(rng: np.random.Generator, kind: str) -> list[MovedSkin]:
    """The AUs of one map of this kind; those of NO_CLASS are motions of a mouth that speaks, or none."""
    if kind == NO_CLASS:
        return _draw_speech(rng) if rng.random() < 0.4 else []
    if kind == ANY_UNITS:
        units = rng.choice(SHIPPED_UNITS, rng.integers(1, 4), replace=False)
        return [part for unit in units.tolist() for part in _draw_sides(rng, unit, rng.uniform(0.5, 1.2))]
    choices = EXPRESSIONS[kind]
    chosen = choices[rng.choice(len(choices), p=[choice.chance for choice in choices])]
    moved = [part for number in chosen.core_aus for part in _draw_sides(rng, number, rng.uniform(0.6, 1.2))]
    for number, chance in chosen.optional_aus:
        if rng.random() < chance:
            moved += _draw_sides(rng, number, rng.uniform(0.35, 0.9))
    present = {part.au_number for part in moved}
    if rng.random() < 0.1:
        number = int(rng.choice([unit for unit in STRAY_UNITS if unit not in present]))
        moved += _draw_sides(rng, number, rng.uniform(0.1, 0.4))
    return moved


def mark_present_units(moved: list[MovedSkin]) -> NDArray[np.float32]:
    """[K] 0 or 1: which of SHIPPED_UNITS move by LEAST_PRESENT, and by a third of the strongest."""
    least = max([LEAST_PRESENT, *(part.amplitude / 3 for part in moved)])
    shown = {part.au_number for part in moved if part.amplitude >= least}
    return np.array([unit in shown for unit in SHIPPED_UNITS], np.float32)


def _draw_sides(rng: np.random.Generator, number: int, amplitude: float) -> list[MovedSkin]:
    if number in MIDLINE_AUS or number == JAW_DROP:
        return [MovedSkin(number, "", amplitude)]
    strong, weak = rng.permutation(["L", "R"]).tolist()
    if rng.random() < max(0.05, ONE_SIDED_CHANCES.get(number, 0.0)):
        return [MovedSkin(number, strong, amplitude)]
    return [MovedSkin(number, strong, amplitude), MovedSkin(number, weak, amplitude * (1 - 0.45 * rng.beta(1.2, 2.5)))]


def _draw_speech(rng: np.random.Generator) -> list[MovedSkin]:
    """Lips that part or close, a jaw that moves, corners that go in or out: both sides alike."""
    corners = float(rng.normal(0, 0.35))
    return [
        MovedSkin(25, "", float(rng.normal(0, 0.8))),
        MovedSkin(JAW_DROP, "", float(rng.normal(0, 0.8))),
        *(MovedSkin(20, side, corners) for side in "LR"),
    ]

"""What a person moves when an emotion shows: prototypes with variants, a person's own habits, and what a coder sees."""

from dataclasses import dataclass

import numpy as np

from merstream.synth.action_units import MIDLINE
from merstream.synth.difficulty import Difficulty


@dataclass(frozen=True)
class Variant:
    """One way in which an emotion shows: AUs always there, and AUs that may join, with their chances."""

    chance: float
    core: tuple[int, ...]
    joins: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Movement:
    """One AU of one clip. `side` "L", "R" or "" (both, or midline); each peak px of a 480-row frame at the apex."""

    number: int
    side: str
    peaks: tuple[tuple[str, float], ...]
    coded: bool  # does it stand in the coding sheet?


# Shares as in CASME II's five classes (99, 63, 32, 27, 25 of 246 clips).
SHARES = {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25}
PROTOTYPES: dict[str, tuple[Variant, ...]] = {
    "happiness": (
        Variant(0.55, (6, 12), ((7, 0.1), (25, 0.1))),
        Variant(0.45, (12,), ((6, 0.3), (14, 0.1), (25, 0.1))),
    ),
    "surprise": (
        Variant(0.6, (1, 2), ((5, 0.5), (25, 0.3))),
        Variant(0.25, (1, 2, 5), ((25, 0.3),)),
        Variant(0.15, (2, 5), ((1, 0.5), (25, 0.2))),
    ),
    "disgust": (
        Variant(0.45, (4, 9), ((7, 0.3), (10, 0.25), (17, 0.1))),
        Variant(0.2, (9,), ((4, 0.3), (10, 0.2))),
        Variant(0.15, (10,), ((4, 0.5), (25, 0.15))),
        Variant(0.2, (4, 7, 9), ((10, 0.15),)),
    ),
    "repression": (
        Variant(0.35, (15,), ((17, 0.5), (14, 0.15))),
        Variant(0.35, (14,), ((17, 0.35), (15, 0.15))),
        Variant(0.3, (17,), ((15, 0.3), (14, 0.3), (20, 0.15))),
    ),
    "others": (
        Variant(0.45, (4,), ((7, 0.25), (5, 0.05))),
        Variant(0.25, (4, 7), ((17, 0.1),)),
        Variant(0.1, (7,), ((4, 0.4),)),
        Variant(0.1, (1, 4), ((2, 0.2),)),
        Variant(0.1, (20,), ((25, 0.3), (14, 0.2))),
    ),
}
# What class `others` borrows when it moves as another class may: labels overlap in real sheets too.
BORROWED = (Variant(0.3, (14,)), Variant(0.3, (17,)), Variant(0.2, (2,)), Variant(0.2, (12,), ((4, 0.4),)))
OFTEN_ONE_SIDED = {12: 0.15, 14: 0.45, 10: 0.25, 15: 0.15, 7: 0.15, 2: 0.15, 6: 0.05, 20: 0.1}


@dataclass(frozen=True)
class Habits:
    """One person's way: which variants it prefers, how strong it moves, which side is the weaker."""

    preference: dict[str, tuple[float, ...]]
    strength: float
    weaker: str


def draw_habits(rng: np.random.Generator, difficulty: Difficulty) -> Habits:
    """A person's habits from that person's own generator."""
    preference = {
        emotion: tuple(rng.dirichlet([4 * variant.chance + 0.3 for variant in variants]))
        for emotion, variants in PROTOTYPES.items()
    }
    return Habits(preference, float(rng.uniform(*difficulty.expressivity)), "LR"[rng.integers(2)])


def draw_emotions(rng: np.random.Generator, clips: int) -> list[str]:
    """One emotion per clip of a person, in CASME II's proportions; a person usually lacks one of the rarer classes."""
    shares = dict(SHARES)
    if rng.random() < 0.6:
        del shares[list(shares)[rng.integers(2, 5)]]
    ends = np.cumsum(list(shares.values())) / sum(shares.values())
    places = (rng.random() + np.arange(clips)) / clips % 1
    return [list(shares)[i] for i in rng.permutation(np.searchsorted(ends, places, side="right"))]


def draw_movements(rng: np.random.Generator, emotion: str, habits: Habits, difficulty: Difficulty) -> list[Movement]:
    """The AUs of one clip, strongest part first drawn; the core AUs of its variant are always coded."""
    variants, chances = PROTOTYPES[emotion], habits.preference[emotion]
    if emotion == "others" and rng.random() < difficulty.overlap:
        variants, chances = BORROWED, tuple(variant.chance for variant in BORROWED)
    variant = variants[rng.choice(len(variants), p=chances)]
    joined = [number for number, chance in variant.joins if rng.random() < chance * difficulty.optional]
    general = rng.uniform(0, 1)  # one clip is weak or strong as a whole; AUs vary around it
    moved = [_movement(rng, number, general, True, habits, difficulty) for number in variant.core]
    for number in joined:
        moved.append(_movement(rng, number, 0.7 * general, rng.random() >= difficulty.missed, habits, difficulty))
    if rng.random() < difficulty.stray:
        foreign = [n for n in (1, 2, 5, 7, 14, 17) if n not in (*variant.core, *joined)]
        moved.append(_movement(rng, int(rng.choice(foreign)), 0.0, False, habits, difficulty))
    return sorted(moved, key=lambda movement: movement.number)


def _movement(
    rng: np.random.Generator, number: int, general: float, coded: bool, habits: Habits, difficulty: Difficulty
) -> Movement:
    low, high = difficulty.amplitude
    relative = np.clip(0.75 * general + 0.25 * rng.uniform(), 0, 1)
    peak = float(np.clip((low + (high - low) * relative) * habits.strength, low, high))
    if number in MIDLINE:
        return Movement(number, "", (("", peak),), coded)
    if rng.random() < OFTEN_ONE_SIDED.get(number, 0.0):
        side = "LR"[rng.integers(2)]
        return Movement(number, side, ((side, peak),), coded)
    weak = peak * (1 - difficulty.asymmetry * float(rng.beta(1.2, 2.5)))
    other = "R" if habits.weaker == "L" else "L"
    return Movement(number, "", ((other, peak), (habits.weaker, weak)), coded)


def coded(movements: list[Movement]) -> str:
    """The coding sheet's string: "4+L7", "R12", "1+2"."""
    return "+".join(f"{movement.side}{movement.number}" for movement in movements if movement.coded)

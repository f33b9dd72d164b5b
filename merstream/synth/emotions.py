"""The action units of an emotion: prototypes with variants, a person's habits, and the coder's view."""

from dataclasses import dataclass

import numpy as np

from merstream.synth.action_units import MIDLINE_AUS
from merstream.synth.difficulty import Difficulty


@dataclass(frozen=True)
class ExpressionVariant:
    """One expression of an emotion: AUs that always move, and optional AUs with their chances."""

    chance: float
    core_aus: tuple[int, ...]
    optional_aus: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class AuMovement:
    """One AU of one clip. side: "L", "R" or "" (both, or midline); peaks: px of a 480-row frame at the apex."""

    au_number: int
    side: str
    peaks: tuple[tuple[str, float], ...]
    coded: bool  # whether the coding sheet has it


# Shares as in CASME II's five classes (99, 63, 32, 27, 25 of 246 clips).
EMOTION_COUNTS = {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25}
EMOTION_PROTOTYPES: dict[str, tuple[ExpressionVariant, ...]] = {
    "happiness": (
        ExpressionVariant(0.55, (6, 12), ((7, 0.1), (25, 0.1))),
        ExpressionVariant(0.45, (12,), ((6, 0.3), (14, 0.1), (25, 0.1))),
    ),
    "surprise": (
        ExpressionVariant(0.6, (1, 2), ((5, 0.5), (25, 0.3))),
        ExpressionVariant(0.25, (1, 2, 5), ((25, 0.3),)),
        ExpressionVariant(0.15, (2, 5), ((1, 0.5), (25, 0.2))),
    ),
    "disgust": (
        ExpressionVariant(0.45, (4, 9), ((7, 0.3), (10, 0.25), (17, 0.1))),
        ExpressionVariant(0.2, (9,), ((4, 0.3), (10, 0.2))),
        ExpressionVariant(0.15, (10,), ((4, 0.5), (25, 0.15))),
        ExpressionVariant(0.2, (4, 7, 9), ((10, 0.15),)),
    ),
    "repression": (
        ExpressionVariant(0.35, (15,), ((17, 0.5), (14, 0.15))),
        ExpressionVariant(0.35, (14,), ((17, 0.35), (15, 0.15))),
        ExpressionVariant(0.3, (17,), ((15, 0.3), (14, 0.3), (20, 0.15))),
    ),
    "others": (
        ExpressionVariant(0.45, (4,), ((7, 0.25), (5, 0.05))),
        ExpressionVariant(0.25, (4, 7), ((17, 0.1),)),
        ExpressionVariant(0.1, (7,), ((4, 0.4),)),
        ExpressionVariant(0.1, (1, 4), ((2, 0.2),)),
        ExpressionVariant(0.1, (20,), ((25, 0.3), (14, 0.2))),
    ),
}
# Chance that the lips press on each other (AU 24) as well: who holds an expression back closes the mouth.
LIP_PRESS_CHANCES = {"repression": 0.25, "others": 0.08, "disgust": 0.05}
# Variants for clips of class `others` that move like another class: labels overlap in real sheets too.
BORROWED_VARIANTS = (
    ExpressionVariant(0.3, (14,)),
    ExpressionVariant(0.3, (17,)),
    ExpressionVariant(0.2, (2,)),
    ExpressionVariant(0.2, (12,), ((4, 0.4),)),
)
ONE_SIDED_CHANCES = {12: 0.15, 14: 0.45, 10: 0.25, 15: 0.15, 7: 0.15, 2: 0.15, 6: 0.05, 20: 0.1}


@dataclass(frozen=True)
class PersonHabits:
    """One person's habits: preferred variants, strength of motion, and the weaker side."""

    preference: dict[str, tuple[float, ...]]
    strength: float
    weaker_side: str


def draw_habits(rng: np.random.Generator, difficulty: Difficulty) -> PersonHabits:
    """A person's habits from that person's own generator."""
    preference = {
        emotion: tuple(rng.dirichlet([4 * variant.chance + 0.3 for variant in variants]))
        for emotion, variants in EMOTION_PROTOTYPES.items()
    }
    return PersonHabits(preference, float(rng.uniform(*difficulty.expressivity)), "LR"[rng.integers(2)])


def draw_emotions(rng: np.random.Generator, clips: int) -> list[str]:
    """One emotion per clip of a person, in CASME II's proportions; a person usually lacks one of the rarer classes."""
    shares = dict(EMOTION_COUNTS)
    if rng.random() < 0.6:
        del shares[list(shares)[rng.integers(2, 5)]]
    ends = np.cumsum(list(shares.values())) / sum(shares.values())
    quantiles = (rng.random() + np.arange(clips)) / clips % 1
    return [list(shares)[i] for i in rng.permutation(np.searchsorted(ends, quantiles, side="right"))]


def draw_movements(
    rng: np.random.Generator, emotion: str, habits: PersonHabits, difficulty: Difficulty
) -> list[AuMovement]:
    """The AUs of one clip, sorted by number; the core AUs of its variant are always coded."""
    variants, chances = EMOTION_PROTOTYPES[emotion], habits.preference[emotion]
    if emotion == "others" and rng.random() < difficulty.overlap:
        variants, chances = BORROWED_VARIANTS, tuple(variant.chance for variant in BORROWED_VARIANTS)
    variant = variants[rng.choice(len(variants), p=chances)]
    joined = [number for number, chance in variant.optional_aus if rng.random() < chance * difficulty.optional]
    general = rng.uniform(0, 1)  # one clip is weak or strong as a whole; AUs vary around it
    moved = [_draw_movement(rng, number, general, True, habits, difficulty) for number in variant.core_aus]
    for number in joined:
        moved.append(_draw_movement(rng, number, 0.7 * general, rng.random() >= difficulty.missed, habits, difficulty))
    if rng.random() < difficulty.stray:
        foreign = [n for n in (1, 2, 5, 7, 14, 17) if n not in (*variant.core_aus, *joined)]
        moved.append(_draw_movement(rng, int(rng.choice(foreign)), 0.0, False, habits, difficulty))
    return sorted(moved, key=lambda movement: movement.au_number)


def add_lip_press(
    rng: np.random.Generator,
    movements: list[AuMovement],
    emotion: str,
    habits: PersonHabits,
    difficulty: Difficulty,
) -> list[AuMovement]:
    """The movements, in some clips with AU 24; only the connected skin has it.

    `rng` is a generator of its own, so that nothing else of the clip depends on it. Lips that part do not press.
    """
    if difficulty.skin == "patches" or any(movement.au_number == 25 for movement in movements):
        return movements
    if rng.random() >= LIP_PRESS_CHANCES.get(emotion, 0.0) * difficulty.optional:
        return movements
    coded = rng.random() >= difficulty.missed
    press = _draw_movement(rng, 24, float(rng.uniform(0, 0.7)), coded, habits, difficulty)
    return sorted([*movements, press], key=lambda movement: movement.au_number)


def _draw_movement(
    rng: np.random.Generator,
    au_number: int,
    clip_strength: float,
    coded: bool,
    habits: PersonHabits,
    difficulty: Difficulty,
) -> AuMovement:
    low, high = difficulty.amplitude
    relative = np.clip(0.75 * clip_strength + 0.25 * rng.uniform(), 0, 1)
    peak = float(np.clip((low + (high - low) * relative) * habits.strength, low, high))
    if au_number in MIDLINE_AUS:
        return AuMovement(au_number, "", (("", peak),), coded)
    if rng.random() < ONE_SIDED_CHANCES.get(au_number, 0.0):
        side = "LR"[rng.integers(2)]
        return AuMovement(au_number, side, ((side, peak),), coded)
    weak = peak * (1 - difficulty.asymmetry * float(rng.beta(1.2, 2.5)))
    other = "R" if habits.weaker_side == "L" else "L"
    return AuMovement(au_number, "", ((other, peak), (habits.weaker_side, weak)), coded)


def coded_action_units(movements: list[AuMovement]) -> str:
    """The coding sheet's string: "4+L7", "R12", "1+2"."""
    return "+".join(f"{movement.side}{movement.au_number}" for movement in movements if movement.coded)

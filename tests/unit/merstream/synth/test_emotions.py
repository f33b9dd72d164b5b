"""Prototypes, a person's habits, and the coder's notes."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from merstream.synth import action_units, emotions
from merstream.synth.difficulty import DEFAULT_DIFFICULTY, Difficulty

seeds = st.integers(0, 2**32 - 1)
emotion_names = st.sampled_from(sorted(emotions.EMOTION_PROTOTYPES))


def drawn(seed: int, emotion: str, difficulty: Difficulty = DEFAULT_DIFFICULTY) -> list[emotions.AuMovement]:
    rng = np.random.default_rng(seed)
    return emotions.draw_movements(rng, emotion, emotions.draw_habits(rng, difficulty), difficulty)


@given(seeds, emotion_names)
def test_the_coded_units_hold_a_whole_prototype(seed: int, emotion: str) -> None:
    text = emotions.coded_action_units(drawn(seed, emotion))
    assert re.fullmatch(r"[LR]?\d+(\+[LR]?\d+)*", text)
    coded = {int(unit.strip("LR")) for unit in text.split("+")}
    variants = emotions.EMOTION_PROTOTYPES[emotion] + (emotions.BORROWED_VARIANTS if emotion == "others" else ())
    fitting = [
        v for v in variants if set(v.core_aus) <= coded <= {*v.core_aus, *(number for number, _ in v.optional_aus)}
    ]
    assert fitting


@given(seeds, emotion_names)
def test_amplitudes_keep_to_their_range(seed: int, emotion: str) -> None:
    low, high = DEFAULT_DIFFICULTY.amplitude
    for movement in drawn(seed, emotion):
        assert movement.au_number in action_units.AU_NUMBERS
        for _, peak in movement.peaks:
            assert low * (1 - DEFAULT_DIFFICULTY.asymmetry) <= peak <= high


@given(seeds, emotion_names)
def test_no_strays_and_no_borrowing_when_switched_off(seed: int, emotion: str) -> None:
    clean = Difficulty(stray=0, missed=0, overlap=0, optional=0)
    numbers = tuple(movement.au_number for movement in drawn(seed, emotion, clean))
    assert numbers in {variant.core_aus for variant in emotions.EMOTION_PROTOTYPES[emotion]}
    assert all(movement.coded for movement in drawn(seed, emotion, clean))


def test_lips_press_in_repression_only_where_the_skin_is_connected_and_the_lips_are_closed() -> None:
    pressed = Counter[str]()
    for emotion in ("repression", "happiness", "surprise"):
        for seed in range(300):
            rng = np.random.default_rng(seed)
            habits = emotions.draw_habits(rng, DEFAULT_DIFFICULTY)
            before = emotions.draw_movements(rng, emotion, habits, DEFAULT_DIFFICULTY)
            after = emotions.add_lip_press(np.random.default_rng(seed), before, emotion, habits, DEFAULT_DIFFICULTY)
            numbers = [movement.au_number for movement in after]
            assert [movement for movement in after if movement.au_number != 24] == before
            assert numbers == sorted(numbers)
            assert not {24, 25} <= set(numbers)
            pressed[emotion] += 24 in numbers
            patches = Difficulty(skin="patches")
            assert emotions.add_lip_press(np.random.default_rng(0), before, emotion, habits, patches) == before
    assert 50 < pressed["repression"] < 100
    assert pressed["happiness"] == pressed["surprise"] == 0


@pytest.mark.parametrize("number", [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17])
def test_every_unit_of_cd6me_is_coded_in_some_clips(number: int) -> None:
    coded = 0
    for subject in range(60):
        rng = np.random.default_rng(subject)
        habits = emotions.draw_habits(rng, DEFAULT_DIFFICULTY)
        for emotion in emotions.draw_emotions(rng, 10):
            moved = emotions.draw_movements(rng, emotion, habits, DEFAULT_DIFFICULTY)
            coded += any(movement.au_number == number and movement.coded for movement in moved)
    assert coded > 600 * 0.02


def test_classes_are_as_unequal_as_in_casme2() -> None:
    felt = Counter(e for s in range(200) for e in emotions.draw_emotions(np.random.default_rng(s), 10))
    total = sum(felt.values())
    for emotion, share in emotions.EMOTION_COUNTS.items():
        assert felt[emotion] / total == pytest.approx(share / 246, abs=0.06)
    kinds = [len(set(emotions.draw_emotions(np.random.default_rng(s), 10))) for s in range(200)]
    assert {3, 4, 5} >= set(kinds)
    assert len(set(kinds)) > 1


def test_one_emotion_shows_in_many_ways() -> None:
    for emotion in emotions.EMOTION_PROTOTYPES:
        assert len({emotions.coded_action_units(drawn(seed, emotion)) for seed in range(60)}) >= 5


@pytest.mark.parametrize(
    "wrong", [{"amplitude": (2.0, 1.0)}, {"amplitude": (1.0, 9.0)}, {"nosie": 1.0}, {"noise": -1.0}]
)
def test_impossible_difficulties_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Difficulty.model_validate(wrong)

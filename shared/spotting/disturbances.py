"""Blinks and speech in the course of a face, and what they do to the motion of its regions.

Both move skin near the lids and the mouth again and again in much the same way. So the recording itself says by how
much: while they last, a motion must exceed what this person's usual blink or syllable does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.spotting.face_motion import Values
from shared.spotting.leaks import QuietCourse
from shared.spotting.noise import measure_noise
from shared.spotting.regions import REGIONS
from shared.spotting.resampling import bend_course
from shared.spotting.spotting_settings import SpottingSettings

Runs = list[tuple[int, int]]  # first index, and the one after the last

FEWEST_BLINKS = 3  # from which a person's usual blink is known
SYLLABLE_LAG = 0.13  # s, half the time of a syllable
SYLLABLE_GAP = 0.4  # s, longest between turns of the lips in a phrase
SYLLABLE_TURNS = 7  # least number of them: each syllable has two, a single expression up to three
TURNS_APART = 0.07  # s
SPEAKING = [index for index, region in enumerate(REGIONS) if region.name in ("upper lip", "lower lip", "chin")]
FAR_FROM_LIDS = [i for i, region in enumerate(REGIONS) if region.part == "mouth" or "nose" in region.name]
BROWS = [index for index, region in enumerate(REGIONS) if region.part == "brows"]


@dataclass(frozen=True)
class Disturbances:
    """Frames of blinks and of spoken phrases, and what is added to thresholds [T, R] in the latter."""

    blinks: Runs
    speech: Runs
    speaking: Values


def find_disturbances(quiet: QuietCourse, rate: float, settings: SpottingSettings) -> Disturbances:
    """The blinks and the phrases of a segment of `rate` frames/s."""
    speech = find_speech(quiet, rate, settings)
    syllables = bend_course(quiet.displacement, max(1, round(SYLLABLE_LAG * rate)))
    speaking = measure_speech_excess(np.hypot(syllables[..., 0], syllables[..., 1]), speech, settings)
    return Disturbances(find_runs(quiet.closure.max(1) > 1 - settings.blink_closed), speech, speaking)


def find_runs(mask: NDArray[np.bool_]) -> Runs:
    """The runs of True in a mask [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def find_speech(quiet: QuietCourse, rate: float, settings: SpottingSettings) -> Runs:
    """Stretches in which lips and chin turn again and again."""
    lag = max(1, round(SYLLABLE_LAG * rate))
    bends = bend_course(quiet.displacement[:, SPEAKING], lag)
    sizes, noise = np.hypot(bends[..., 0], bends[..., 1]), measure_noise(bends, lag, rate)
    strength = (sizes / np.maximum(1.5 * settings.smallest, settings.spreads * noise)).max(1)
    turns: list[int] = []
    for at in np.argsort(-strength):
        if strength[at] < 1:
            break
        if all(abs(int(at) - turn) >= TURNS_APART * rate for turn in turns):
            turns.append(int(at))
    phrases: list[list[int]] = []
    for turn in sorted(turns):
        if phrases and turn - phrases[-1][-1] <= SYLLABLE_GAP * rate:
            phrases[-1].append(turn)
        else:
            phrases.append([turn])
    room = round(SYLLABLE_LAG * rate)
    return [(max(0, p[0] - room), p[-1] + room + 1) for p in phrases if len(p) >= SYLLABLE_TURNS]


def measure_blink_excess(sizes: Values, blinks: Runs, rate: float, settings: SpottingSettings) -> Values:
    """By how much a blink of this person moves regions [T, R], from second differences [T, R]; 0 between blinks.

    For each region the median over the segment's blinks of the largest one in it, times the settings' factor.
    Mouth and nose do not move with the lids.
    """
    excess = np.zeros_like(sizes)
    if not blinks:
        return excess
    room = max(1, round(settings.beside_blink * rate))
    peaks = np.array([sizes[max(0, first - room) : last + room].max(0) for first, last in blinks])
    usual = np.median(peaks, axis=0) if len(blinks) >= FEWEST_BLINKS else peaks.min(0)
    usual[FAR_FROM_LIDS] = 0
    for first, last in blinks:
        excess[max(0, first - room) : last + room] = settings.blink_excess * usual
    return excess


def measure_speech_excess(sizes: Values, speech: Runs, settings: SpottingSettings) -> Values:
    """By how much syllables of this person move regions [T, R], from second differences [T, R]; 0 elsewhere.

    For each region a high quantile over all phrases. For lips and chin, which speak, it is twice the largest; for the
    brows, which may move for as long as a phrase, the median.
    """
    excess = np.zeros_like(sizes)
    if not speech:
        return excess
    spoken = np.concatenate([sizes[first:last] for first, last in speech])
    usual = np.quantile(spoken, settings.speech_quantile, axis=0)
    usual[BROWS] = np.median(spoken[:, BROWS], axis=0)
    usual[SPEAKING] = 2 * spoken[:, SPEAKING].max(0)
    for first, last in speech:
        excess[first:last] = settings.speech_excess * usual
    return excess

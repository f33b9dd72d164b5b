"""Where a part of the face moves and comes back: bumps at several scales of time, in units of the noise."""

from dataclasses import dataclass

import numpy as np

from shared.spotting.bump import Bump, measure_bump
from shared.spotting.face_motion import Values
from shared.spotting.regions import REGIONS, FacePart
from shared.spotting.spotting_settings import SpottingSettings

PARTS: tuple[FacePart, ...] = ("brows", "eyes", "middle", "mouth")
PART_REGIONS = {part: [i for i, region in enumerate(REGIONS) if region.part == part] for part in PARTS}


@dataclass(frozen=True)
class Candidate:
    """A bump of one part of the face.

    strength: in units of the threshold. moved: [R, 2] how far each region of the face is at the apex from the mean of
    onset and offset, distances between the eyes. threshold: [R] of the regions at this scale.
    """

    part: FacePart
    bump: Bump
    strength: float
    moved: Values
    threshold: Values
    scale: float

    @property
    def size(self) -> float:
        """The largest motion of the part's regions, distances between the eyes."""
        return float(np.hypot(*self.moved[PART_REGIONS[self.part]].T).max())


def bend_course(course: Values, lag: int) -> Values:
    """Second differences [T, ...] of a course [T, ...] over `lag` frames; the ends are repeated."""
    padded = np.concatenate([np.repeat(course[:1], lag, 0), course, np.repeat(course[-1:], lag, 0)])
    return np.asarray(course - (padded[: -2 * lag] + padded[2 * lag :]) / 2)


def find_candidates(course: Values, rate: float, settings: SpottingSettings) -> list[Candidate]:
    """All bumps above the threshold in a course [T, R, 2] of `rate` frames/s; one motion at many scales."""
    found = []
    for scale in settings.scales:
        lag = max(1, round(scale * rate))
        if 2 * lag >= len(course):
            break
        bends = bend_course(course, lag)
        spread = 1.4826 * np.median(np.abs(bends), axis=0).max(-1)
        threshold = np.maximum(settings.smallest + settings.per_second * scale, settings.spreads * spread)
        strength = np.hypot(bends[..., 0], bends[..., 1]) / threshold
        for part, regions in PART_REGIONS.items():
            if part == "eyes" and not settings.lids:
                continue
            score = _score_part(strength[:, regions], settings.alone)
            for at in _find_peaks(score):
                if score[at] < 1:
                    continue
                if candidate := _measure_candidate(
                    course, bends[at], strength[at], threshold, part, at, lag, rate, settings
                ):
                    found.append(candidate)
    return found


def _score_part(strength: Values, alone: float) -> Values:
    """Score [T] of a part's regions [T, r]: the mean of the two strongest, or the strongest one times `alone`."""
    order = np.sort(strength, axis=1)
    return np.asarray(np.maximum(order[:, -2:].mean(1), alone * order[:, -1]))


def _find_peaks(score: Values) -> list[int]:
    middle = score[1:-1]
    return [int(at) for at in 1 + np.flatnonzero((middle > score[:-2]) & (middle >= score[2:]))]


def _measure_candidate(
    course: Values,
    bend: Values,
    strength: Values,
    threshold: Values,
    part: FacePart,
    at: int,
    lag: int,
    rate: float,
    settings: SpottingSettings,
) -> Candidate | None:
    regions = [i for i in PART_REGIONS[part] if strength[i] >= 0.5 * strength[PART_REGIONS[part]].max()]
    sizes = np.hypot(*bend[regions].T)
    weights = strength[regions] / strength[regions].sum()
    direction = bend[regions] / sizes[:, None] * weights[:, None]
    line = np.einsum("trc,rc->t", course[:, regions], direction)
    expected = float(weights @ sizes)
    bump = measure_bump(line, at, max(1, lag // 2), round(2.2 * lag) + 2, expected)
    if bump is None or bump.height < settings.comes_back * max(bump.rise, bump.fall) or bump.height < 0.6 * expected:
        return None
    if not settings.shortest * rate <= bump.length <= settings.longest * rate:
        return None
    first, apex, last = (int(np.clip(round(x), 0, len(course) - 1)) for x in (bump.onset, bump.apex, bump.offset))
    moved = course[apex] - (course[first] + course[last]) / 2
    height = float(bump.height / (weights @ threshold[regions]))
    if height < 1:
        return None
    return Candidate(part, bump, height, moved, threshold, lag / rate)

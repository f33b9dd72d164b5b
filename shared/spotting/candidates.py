"""Where a part of the face moves and comes back: bumps at several scales of time, in units of the noise."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.spotting.bump import Bump, measure_bump
from shared.spotting.disturbances import (
    Disturbances,
    Runs,
    find_disturbances,
    measure_blink_excess,
)
from shared.spotting.face_motion import Values
from shared.spotting.leaks import QuietCourse
from shared.spotting.noise import measure_noise
from shared.spotting.regions import LID_REGIONS, REGIONS, FacePart
from shared.spotting.resampling import bend_course, running_median, smooth_over_time
from shared.spotting.spotting_settings import SpottingSettings

Cause = Literal["", "blink", "speech", "inside-larger"]

PARTS: tuple[FacePart, ...] = ("brows", "eyes", "middle", "mouth")
BESIDE_LIDS: tuple[FacePart, ...] = ("brows", "middle")  # whose skin a blink may pull along
PART_REGIONS = {part: [i for i, region in enumerate(REGIONS) if region.part == part] for part in PARTS}


@dataclass(frozen=True)
class Candidate:
    """A bump of one part of the face, with its height in units of the threshold.

    usual: the same without what is added in blinks and speech. cause: what explains it if it is above the usual
    threshold alone. moved: [R, 2] how far each region of the face is at the apex from the mean of onset and offset,
    distances between the eyes. threshold: [R] the usual one. regions, direction: what moves, [r], and whereto, [r, 2].
    """

    part: FacePart
    bump: Bump
    strength: float
    usual: float
    cause: Cause
    moved: Values
    threshold: Values
    regions: tuple[int, ...]
    direction: Values

    @property
    def size(self) -> float:
        """The largest motion of the part's regions, distances between the eyes."""
        return float(np.hypot(*self.moved[PART_REGIONS[self.part]].T).max())

    def draw_line(self, displacement: Values) -> Values:
        """The motion along its own direction in displacements [T, R, 2]: [T]."""
        return np.asarray(np.einsum("trc,rc->t", displacement[:, list(self.regions)], self.direction))


@dataclass(frozen=True)
class ScaledCourse:
    """Displacement [T, R, 2] and its second differences at one scale, with thresholds.

    usual: [R]. excess: [T, R] each, what is added in blinks and in speech. opening: [T] of the lips. closure: [T, 2].
    rest: [T, R, 2], the displacement of the person's face at rest around that time.
    """

    lag: int
    displacement: Values
    rest: Values
    bends: Values
    usual: Values
    excess: dict[Cause, Values]
    blinks: Runs
    opening: Values
    closure: Values

    @classmethod
    def from_course(
        cls,
        displacement: Values,
        rest: Values,
        quiet: QuietCourse,
        disturbances: Disturbances,
        lag: int,
        rate: float,
        settings: SpottingSettings,
    ) -> "ScaledCourse":
        """The scale of `lag` frames of a displacement [T, R, 2] that may be smoother than the quiet one."""
        bends = bend_course(displacement, lag)
        sizes = np.hypot(bends[..., 0], bends[..., 1])
        noisy = np.minimum(settings.spreads * measure_noise(bends, lag, rate), settings.coarsest)
        usual = np.maximum(settings.smallest + settings.per_second * lag / rate, noisy)
        usual[LID_REGIONS] = np.maximum(usual[LID_REGIONS], settings.smallest_lid * (1 + lag / rate))
        excess: dict[Cause, Values] = {
            "blink": measure_blink_excess(sizes, disturbances.blinks, rate, settings),
            "speech": disturbances.speaking,
        }
        return cls(lag, displacement, rest, bends, usual, excess, disturbances.blinks, quiet.opening, quiet.closure)


def find_candidates(quiet: QuietCourse, rate: float, settings: SpottingSettings) -> list[Candidate]:
    """All bumps above the threshold in a course of `rate` frames/s; one motion at many scales."""
    disturbances = find_disturbances(quiet, rate, settings)
    bridged = bridge_runs(quiet.displacement, disturbances.blinks, max(1, round(settings.beside_blink * rate / 2)))
    rest = running_median(quiet.displacement, round(settings.rest_window * rate))
    found = []
    for scale in settings.scales:
        lag = max(1, round(scale * rate))
        if lag >= len(bridged):
            break
        displacement = quiet.displacement
        if scale >= settings.long_from:
            displacement = smooth_over_time(bridged, settings.smooth * lag)
        course = ScaledCourse.from_course(displacement, rest, quiet, disturbances, lag, rate, settings)
        usual = np.hypot(*np.moveaxis(course.bends, -1, 0)) / course.usual
        for part, regions in PART_REGIONS.items():
            score = _score_part(usual[:, regions], settings.alone)
            for at in _find_peaks(score, 1.0):
                candidate = _measure_candidate(course, part, at, rate, settings)
                if candidate:
                    found.append(candidate)
    return found


def bridge_runs(displacement: Values, runs: Runs, room: int) -> Values:
    """The displacement [T, R, 2] with a straight line across each run and `room` frames on both sides of it."""
    bridged = displacement.copy()
    for first, last in runs:
        low, high = max(0, first - room - 1), min(len(bridged) - 1, last + room)
        share = (np.arange(low, high + 1) - low) / max(high - low, 1)
        bridged[low : high + 1] = displacement[low] + share[:, None, None] * (displacement[high] - displacement[low])
    return bridged


def _score_part(strength: Values, alone: float) -> Values:
    """Score [T] of a part's regions [T, r]: the mean of the two strongest, or the strongest one times `alone`."""
    order = np.sort(strength, axis=1)
    return np.asarray(np.maximum(order[:, -2:].mean(1), alone * order[:, -1]))


def _find_peaks(score: Values, least: float) -> list[int]:
    middle = score[1:-1]
    return [int(at) for at in 1 + np.flatnonzero((middle > score[:-2]) & (middle >= score[2:]) & (middle >= least))]


def _measure_candidate(
    course: ScaledCourse, part: FacePart, at: int, rate: float, settings: SpottingSettings
) -> Candidate | None:
    """The bump around a peak of the score, measured on the motion of the strongest regions along its own direction."""
    bend, lag = course.bends[at], course.lag
    strength = np.hypot(*bend.T) / course.usual
    regions = [i for i in PART_REGIONS[part] if strength[i] >= 0.5 * strength[PART_REGIONS[part]].max()]
    sizes = np.hypot(*bend[regions].T)
    weights = strength[regions] / strength[regions].sum()
    direction = bend[regions] / sizes[:, None] * weights[:, None]
    reach = round(2.2 * lag) + 2
    start = max(0, at - 2 * reach)
    near = slice(start, at + 2 * reach)
    line = np.einsum("trc,rc->t", course.displacement[near, regions], direction)
    expected = float(weights @ sizes)
    if course.lag >= settings.long_from * rate:
        line = np.maximum(
            line, np.einsum("trc,rc->t", course.rest[near, regions], direction) - settings.below_rest * expected
        )
    bump = measure_bump(line, at - start, max(1, lag // 2), reach, expected)
    if bump is None or bump.height < max(settings.comes_back * max(bump.rise, bump.fall), 0.6 * expected):
        return None
    bump = bump.shifted(start)
    if not settings.shortest * rate <= bump.length <= min(settings.longest * rate, settings.stretch * lag + 2):
        return None
    added = {cause: float(weights @ excess[at, regions]) for cause, excess in course.excess.items()}
    last = len(course.displacement) - 1
    if part == "eyes" and course.closure[max(0, int(bump.onset)) : int(bump.offset) + 2].max() > settings.squint:
        return None  # a blink
    onset, apex, offset = (int(np.clip(round(x), 0, last)) for x in (bump.onset, bump.apex, bump.offset))
    if part in ("middle", "mouth"):
        # Lips that part show teeth, which the flow cannot follow: a motion between open lips must be a large one.
        open_before_and_after = float(course.opening[[onset, offset]].min())
        added["inside-larger"] = settings.open_excess * max(open_before_and_after - settings.wide_open, 0.0)
    usual = float(weights @ course.usual[regions])
    if bump.height < usual:
        return None
    strong = bump.height / (usual + sum(added.values()))
    cause: Cause = "" if strong >= 1 else max(added, key=lambda name: added[name])
    if part in BESIDE_LIDS and _is_in_step(bump, course.blinks, settings.beside_blink * rate):
        cause = "blink"
    moved = course.displacement[apex] - (course.displacement[onset] + course.displacement[offset]) / 2
    return Candidate(part, bump, strong, bump.height / usual, cause, moved, course.usual, tuple(regions), direction)


def _is_in_step(bump: Bump, runs: Runs, room: float) -> bool:
    """Whether a bump starts and ends with one of the runs, to `room` frames."""
    return any(max(abs(bump.onset - first), abs(bump.offset - last)) <= room for first, last in runs)

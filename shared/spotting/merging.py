"""From bumps at many scales, in several parts of a face, to events: each motion once."""

from dataclasses import dataclass

import numpy as np

from shared.spotting.candidates import PART_REGIONS, Candidate
from shared.spotting.face_motion import Values
from shared.spotting.spotting_settings import SpottingSettings

LARGER = 1.2  # a motion around another one of the same part is at least so many times as large

SAME_MOTION = 0.5  # intersection over union from which on two measurements are of one motion


@dataclass(frozen=True)
class Group:
    """Motions of several parts that are one event; the strongest leads."""

    members: tuple[Candidate, ...]

    @property
    def lead(self) -> Candidate:
        return max(self.members, key=lambda candidate: candidate.usual)


def overlap_share(one: Candidate, other: Candidate) -> float:
    """Intersection over union of two motions in time."""
    a, b = one.bump, other.bump
    shared = min(a.offset, b.offset) - max(a.onset, b.onset)
    return max(0.0, shared) / (max(a.offset, b.offset) - min(a.onset, b.onset))


def choose_motions(candidates: list[Candidate], settings: SpottingSettings) -> list[Candidate]:
    """Of one part's candidates each motion once: the strongest of those that overlap, and shorter ones inside."""
    chosen: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.usual):
        if not any(_is_same_motion(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _is_same_motion(one: Candidate, other: Candidate) -> bool:
    """Whether two motions of a part overlap and neither lies well inside a larger other one."""
    a, b = one.bump, other.bump
    shared = min(a.offset, b.offset) - max(a.onset, b.onset)
    if shared <= 0.2 * min(a.length, b.length):
        return False
    for short, long in ((one, other), (other, one)):
        if lies_inside(short, long):
            return long.size < LARGER * short.size  # the same motion with slow drift around it
    return True


def lies_inside(one: Candidate, other: Candidate) -> bool:
    """Whether a motion lies within another one that lasts twice as long or longer."""
    a, b = one.bump, other.bump
    shared = min(a.offset, b.offset) - max(a.onset, b.onset)
    return shared >= 0.8 * a.length and b.length >= 2 * a.length


def drop_traces(motions: list[Candidate], displacement: Values, settings: SpottingSettings) -> list[Candidate]:
    """The motions without those that only follow a much larger one of another part, in displacements [T, R, 2]."""
    return [
        motion for motion in motions if not any(_is_trace(motion, other, displacement, settings) for other in motions)
    ]


def _is_trace(motion: Candidate, other: Candidate, displacement: Values, settings: SpottingSettings) -> bool:
    if other.part == motion.part or other.size < settings.leak_ratio * motion.size:
        return False
    a, b = motion.bump, other.bump
    if min(a.offset, b.offset) - max(a.onset, b.onset) < 0.3 * a.length:
        return False
    low, high = max(0, int(a.onset - 0.3 * a.length)), int(a.offset + 0.3 * a.length) + 1
    small, large = motion.draw_line(displacement[low:high]), other.draw_line(displacement[low:high])
    if np.ptp(large) < settings.leak_ratio * np.ptp(small):
        return False
    return abs(float(np.corrcoef(small, large)[0, 1])) >= settings.leak_likeness


def group_motions(motions: list[Candidate], settings: SpottingSettings) -> list[Group]:
    """Motions of different parts at the same time as one event."""
    groups: list[list[Candidate]] = []
    for motion in sorted(motions, key=lambda c: -c.usual):
        # What a blink or speech explains says nothing against the rest.
        alike = [group for group in groups if bool(group[0].cause) == bool(motion.cause)]
        others = [group for group in alike if motion.part not in {member.part for member in group}]
        fitting = [group for group in others if overlap_share(group[0], motion) >= settings.same]
        if fitting:
            max(fitting, key=lambda g: overlap_share(g[0], motion)).append(motion)
        else:
            groups.append([motion])
    return [Group(tuple(members)) for members in groups]


def measure_feet(group: Group, candidates: list[Candidate]) -> tuple[float, float]:
    """Onset and offset of an event, frames, from all measurements of its motion.

    Each of its parts was measured at several scales. Slow drift around a motion lengthens a measurement, and hardly
    anything shortens it. So the quarter of the shortest ones bounds the answer.
    """
    parts, lead = {member.part for member in group.members}, group.lead
    alike = [
        candidate.bump
        for candidate in candidates
        if candidate.part in parts
        and bool(candidate.cause) == bool(lead.cause)
        and candidate.bump.onset < lead.bump.apex < candidate.bump.offset
        and overlap_share(candidate, lead) >= SAME_MOTION
    ]
    bump = sorted(alike, key=lambda each: each.length)[(len(alike) - 1) // 4]
    return bump.onset, bump.offset


def moving_regions(group: Group, share: float) -> list[int]:
    """Regions whose motion is at least `share` of the largest in units of the threshold, the strongest first."""
    strength = np.zeros(len(group.lead.threshold))
    for member in group.members:
        regions = PART_REGIONS[member.part]
        strength[regions] = np.hypot(*member.moved[regions].T) / member.threshold[regions]
    return [int(i) for i in np.argsort(-strength, kind="stable") if strength[i] >= max(share * strength.max(), 1e-9)]

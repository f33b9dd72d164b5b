"""From bumps at many scales, in several parts of a face, to events: each motion once."""

from dataclasses import dataclass

import numpy as np

from shared.spotting.candidates import PART_REGIONS, Candidate
from shared.spotting.spotting_settings import SpottingSettings


@dataclass(frozen=True)
class Group:
    """Motions of several parts that are one event; the strongest leads."""

    members: tuple[Candidate, ...]

    @property
    def lead(self) -> Candidate:
        return max(self.members, key=lambda candidate: candidate.strength)


def overlap_share(one: Candidate, other: Candidate) -> float:
    """Intersection over union of two motions in time."""
    a, b = one.bump, other.bump
    shared = min(a.offset, b.offset) - max(a.onset, b.onset)
    return max(0.0, shared) / (max(a.offset, b.offset) - min(a.onset, b.onset))


def choose_motions(candidates: list[Candidate], settings: SpottingSettings) -> list[Candidate]:
    """Of one part's candidates each motion once: the strongest of those that overlap, and small ones inside larger."""
    chosen: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.strength):
        if not any(_is_same_motion(candidate, other, settings) for other in chosen):
            chosen.append(candidate)
    return chosen


def _is_same_motion(one: Candidate, other: Candidate, settings: SpottingSettings) -> bool:
    a, b = one.bump, other.bump
    shared = min(a.offset, b.offset) - max(a.onset, b.onset)
    if shared <= 0.2 * min(a.length, b.length):
        return False
    if overlap_share(one, other) >= 0.4:
        return True
    nested = shared >= 0.8 * min(a.length, b.length) and max(a.length, b.length) > 2 * min(a.length, b.length)
    if not nested:
        return True  # the shoulders of one motion
    short, long = (one, other) if a.length < b.length else (other, one)
    return short.size < settings.inside * long.size and short is one


def group_motions(motions: list[Candidate], settings: SpottingSettings) -> list[Group]:
    """Motions of different parts at the same time as one event."""
    groups: list[list[Candidate]] = []
    for motion in sorted(motions, key=lambda c: -c.strength):
        others = [group for group in groups if motion.part not in {member.part for member in group}]
        fitting = [group for group in others if overlap_share(group[0], motion) >= settings.same]
        if fitting:
            max(fitting, key=lambda g: overlap_share(g[0], motion)).append(motion)
        else:
            groups.append([motion])
    return [Group(tuple(members)) for members in groups]


def moving_regions(group: Group, share: float) -> list[int]:
    """Regions whose motion is at least `share` of the largest in units of the threshold, the strongest first."""
    strength = np.zeros(len(group.lead.threshold))
    for member in group.members:
        regions = PART_REGIONS[member.part]
        strength[regions] = np.hypot(*member.moved[regions].T) / member.threshold[regions]
    return [int(i) for i in np.argsort(-strength, kind="stable") if strength[i] >= max(share * strength.max(), 1e-9)]

"""Spotting: expressions in the motion of a face, with reasons where an event may be something else.

A second difference in time, s(t) = u(t) - (u(t - k) + u(t + k)) / 2, at several scales k cancels slow drift. Where the
strongest regions of a part of the face exceed the noise, their motion is projected on its own direction. Onset and
offset come from the rise and the fall of this course. Pure functions; docs/explanation/stages/spotting.md.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from shared.spotting.candidates import PARTS, find_candidates
from shared.spotting.events import EventSide, SpottedEvent
from shared.spotting.face_motion import FaceMotion
from shared.spotting.flags import flag_event
from shared.spotting.leaks import remove_leaks
from shared.spotting.merging import (
    Group,
    choose_motions,
    drop_traces,
    group_motions,
    measure_feet,
    moving_regions,
)
from shared.spotting.regions import REGIONS
from shared.spotting.spotting_settings import DEFAULT_SPOTTING, SpottingSettings

FEWEST_FRAMES = 8
TIMED = ("times", "displacement", "head", "lids", "mouth", "light")  # what a motion has of each frame
ONE_SIDE = 0.35  # share of a region's motion below which that of its mirror image counts as none


def spot_events(motion: FaceMotion, settings: SpottingSettings = DEFAULT_SPOTTING) -> list[SpottedEvent]:
    """The events of one segment, sorted by onset; flagged ones among them. A segment under 8 frames has none.

    A long segment is searched block by block, so that memory stays small and the baseline follows the person.
    """
    found = []
    for (start, end), block in _split_blocks(motion, settings):
        found += [event for event in _spot_block(block, settings) if start <= event.apex < end]
    return sorted(found, key=lambda event: event.onset)


def _split_blocks(motion: FaceMotion, settings: SpottingSettings) -> Iterator[tuple[tuple[float, float], FaceMotion]]:
    """Blocks with the times whose apices count; around them a block has room for the longest event."""
    if len(motion.times) == 0:
        return
    first, last = float(motion.times[0]), float(motion.times[-1])
    count = max(1, round((last - first) / settings.block))
    edges = np.linspace(first, last, count + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        inside = (motion.times >= start - 2 * settings.longest) & (motion.times <= end + 2 * settings.longest)
        cut = {name: getattr(motion, name)[inside] for name in TIMED}
        yield (start, end), replace(motion, **cut)


def _spot_block(motion: FaceMotion, settings: SpottingSettings) -> list[SpottedEvent]:
    if len(motion.times) < FEWEST_FRAMES:
        return []
    rate = 1 / float(np.median(np.diff(motion.times)))
    quiet = remove_leaks(motion, rate)
    candidates = find_candidates(quiet, rate, settings)
    motions = [
        motion for part in PARTS for motion in choose_motions([c for c in candidates if c.part == part], settings)
    ]
    groups = group_motions(drop_traces(motions, quiet.displacement, settings), settings)
    start, end = float(motion.times[0]), float(motion.times[-1])
    events = [_describe_event(group, measure_feet(group, candidates), (start, end), rate, settings) for group in groups]
    return [flag_event(event, group, groups, motion, settings) for event, group in zip(events, groups, strict=True)]


def _describe_event(
    group: Group, feet: tuple[float, float], span: tuple[float, float], rate: float, settings: SpottingSettings
) -> SpottedEvent:
    """feet: onset and offset, frames. span: first and last time of the segment, s."""
    start, end = span
    onset, apex, offset = (float(start + place / rate) for place in (feet[0], group.lead.bump.apex, feet[1]))
    onset, offset = max(onset, start), min(offset, end)  # they may lie outside
    moving = moving_regions(group, 0.5)
    return SpottedEvent(
        onset,
        apex,
        offset,
        "micro" if offset - onset <= settings.micro + 2 / rate else "macro",
        max(member.size for member in group.members),
        group.lead.usual,
        tuple(REGIONS[index].name for index in moving),
        _find_side(group),
    )


def _find_side(group: Group) -> EventSide:
    """The side that moves alone. Regions on the midline say nothing."""
    moved = np.hypot(*group.lead.moved.T)
    sides = {"left": 0.0, "right": 0.0}
    for index in moving_regions(group, 0.2):
        side = REGIONS[index].name.split()[0]
        if side in sides:
            sides[side] = max(sides[side], float(moved[index]))
    if max(sides.values()) == 0 or min(sides.values()) > ONE_SIDE * max(sides.values()):
        return "both"
    return "left" if sides["left"] > sides["right"] else "right"

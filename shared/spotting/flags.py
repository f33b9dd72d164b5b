"""Why a spotted event may not be an expression of its own."""

from dataclasses import replace

import numpy as np

from shared.spotting.events import EventFlag, SpottedEvent
from shared.spotting.face_motion import FaceMotion
from shared.spotting.merging import Group, lies_inside
from shared.spotting.spotting_settings import SpottingSettings

BORDER_SECONDS = 0.05
QUICK_SHARE = 0.75
MUCH_TOO_QUICK = 2.5  # times the speed above which a strong event is flagged, too
EDGE = 0.25  # share of a larger motion's length in which it starts, and in which it ends
HEAD_STEP = 0.1  # s over which the head's speed is measured


def flag_event(
    event: SpottedEvent, group: Group, groups: list[Group], motion: FaceMotion, settings: SpottingSettings
) -> SpottedEvent:
    """The event with its reasons. group: what it is made of. groups: those of all events of the segment."""
    found = [
        *_flag_cause(group),
        *_flag_head(event, motion, settings),
        *_flag_light(event, motion, settings),
        *([] if group.lead.cause == "inside-larger" else _flag_inside(group, groups, settings)),
        *_flag_rate(motion, settings),
        *_flag_border(event, motion),
    ]
    return replace(event, flags=tuple(found))


def _flag_cause(group: Group) -> list[EventFlag]:
    """Blink or speech, if no part of the face moves more than they do to this person."""
    if not group.lead.cause:
        return []
    if group.lead.cause == "inside-larger":
        return [EventFlag("inside-larger", "The mouth is wide open meanwhile, and this motion is small beside that.")]
    if group.lead.cause == "blink":
        reason = "The lids close meanwhile. The motion lasts as long, or is no more than in this person's blinks."
        return [EventFlag("blink", reason)]
    return [EventFlag("speech", "The lips move again and again, and this motion is no more than in their other turns.")]


def _flag_head(event: SpottedEvent, motion: FaceMotion, settings: SpottingSettings) -> list[EventFlag]:
    rate = 1 / float(np.median(np.diff(motion.times)))
    step = max(1, round(HEAD_STEP * rate))
    first, last = np.searchsorted(motion.times, (event.onset, event.offset))
    way = motion.head[max(0, first - step) : last + 1]
    if len(way) <= step:
        return []
    moved = (way[step:] - way[:-step]) / (step / rate)
    # What is exceeded for a quarter of the event; a jerk at the end of a long one says little.
    speed = float(np.quantile(np.hypot(moved[:, 0], moved[:, 1]), QUICK_SHARE))
    turn = float(np.quantile(np.abs(moved[:, 2:]).max(1), QUICK_SHARE))
    excess = max(speed / settings.fastest_head, turn / settings.fastest_turn)
    if excess < (MUCH_TOO_QUICK if event.strength >= settings.strong_in_motion else 1):
        return []
    if speed > settings.fastest_head:
        return [EventFlag("head", f"The head moves by {speed:.1f} distances between the eyes a second.")]
    return [EventFlag("head", f"The head turns by {turn:.0f} degrees a second.")]


def _flag_light(event: SpottedEvent, motion: FaceMotion, settings: SpottingSettings) -> list[EventFlag]:
    inside = motion.light[(motion.times >= event.onset) & (motion.times <= event.offset)]
    change = float(np.ptp(inside)) / max(float(np.median(motion.light)), 1.0) if len(inside) else 0.0
    if change > settings.light_change and event.strength < settings.strong:
        return [EventFlag("light", f"The light on the face changes by {100 * change:.0f} %, and the motion is weak.")]
    return []


def _flag_inside(group: Group, groups: list[Group], settings: SpottingSettings) -> list[EventFlag]:
    """A motion of regions that a larger event moves much more."""
    mine = group.lead
    for other in groups:
        for larger in other.members:
            if larger.part != mine.part or not lies_inside(mine, larger):
                continue
            around = float(np.hypot(*larger.moved[list(mine.regions)].T).max())
            moved = float(np.hypot(*mine.moved[list(mine.regions)].T).max())
            if moved < settings.inside * around:
                reason = f"A larger motion of the same skin is under way; this is {100 * moved / around:.0f} % of it."
                return [EventFlag("inside-larger", reason)]
            place = (mine.bump.apex - larger.bump.onset) / larger.bump.length
            if min(place, 1 - place) < EDGE and moved < settings.inside_edge * larger.size:
                return [EventFlag("inside-larger", "A larger motion of this part of the face starts or ends.")]
    return []


def _flag_rate(motion: FaceMotion, settings: SpottingSettings) -> list[EventFlag]:
    rate = 1 / float(np.median(np.diff(motion.times)))
    if rate < settings.slowest:
        return [EventFlag("low-rate", f"{rate:.0f} frames a second are too few to tell when it starts and ends.")]
    return []


def _flag_border(event: SpottedEvent, motion: FaceMotion) -> list[EventFlag]:
    if min(event.onset - motion.times[0], motion.times[-1] - event.offset) < BORDER_SECONDS:
        return [EventFlag("border", "It touches the start or the end of what was seen.")]
    return []

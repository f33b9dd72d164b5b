"""Why a spotted event may not be an expression of its own."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.spotting.events import EventFlag, SpottedEvent
from shared.spotting.face_motion import FaceMotion, Values
from shared.spotting.regions import REGION_INDEX, REGIONS

if TYPE_CHECKING:
    from shared.spotting.spotting_settings import SpottingSettings

Span = tuple[float, float]


def find_blinks(motion: FaceMotion, settings: "SpottingSettings") -> list[Span]:
    """Times (s) in which an eye is closed below the settings' share of what it is around."""
    rate = 1 / float(np.median(np.diff(motion.times)))
    usual = running_median(motion.lids, max(3, round(3 * rate)))
    shut = np.asarray((motion.lids < settings.blink_closed * usual).any(1))
    return find_spans(shut, motion.times)


def running_median(values: Values, width: int) -> Values:
    """Median [T, ...] over `width` frames around each frame, on every tenth of it."""
    step = max(1, width // 10)
    places = np.arange(0, len(values), step)
    medians = np.array([np.median(values[max(0, at - width // 2) : at + width // 2 + 1], axis=0) for at in places])
    frames = np.arange(len(values))
    flat = medians.reshape(len(places), -1)
    return np.stack([np.interp(frames, places, line) for line in flat.T], 1).reshape(values.shape)


def find_spans(mask: NDArray[np.bool_], times: Values) -> list[Span]:
    """First and last of the times [T] of each run of True in a mask [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(float(times[a]), float(times[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def flag_events(events: list[SpottedEvent], motion: FaceMotion, settings: "SpottingSettings") -> list[SpottedEvent]:
    flagged = []
    blinks = find_blinks(motion, settings)
    speech = _find_speech(events)
    for event in events:
        flags = []
        for start, end in blinks:
            if start - 0.1 <= event.apex <= end + 0.1 and not _moves_mouth(event):
                flags.append(EventFlag("blink", f"An eye is closed from {start:.2f} to {end:.2f} s."))
                break
        speed = head_speed(motion, event)
        if speed > settings.fastest_head:
            flags.append(EventFlag("head", f"The head moves by {speed:.2f} distances between the eyes a second."))
        if event in speech:
            flags.append(EventFlag("speech", "The mouth alone moves, three times or more in a row."))
        if min(event.onset - motion.times[0], motion.times[-1] - event.offset) < 0.05:
            flags.append(EventFlag("border", "The event touches the border of what was seen."))
        flagged.append(replace(event, flags=tuple(flags)))
    return flagged


def _moves_mouth(event: SpottedEvent) -> bool:
    return REGIONS[REGION_INDEX[event.regions[0]]].part in ("mouth", "middle")


def head_speed(motion: FaceMotion, event: SpottedEvent) -> float:
    inside = (motion.times >= event.onset) & (motion.times <= event.offset)
    if inside.sum() < 3:
        return 0.0
    rate = 1 / float(np.median(np.diff(motion.times)))
    step = max(1, round(0.1 * rate))
    way = motion.head[:, :2]
    moved = np.hypot(*(way[step:] - way[:-step]).T) / (step / rate)
    at = np.flatnonzero(inside)
    part = moved[max(0, at[0] - step) : at[-1]]
    return float(part.max()) if len(part) else 0.0


def _find_speech(events: list[SpottedEvent]) -> set[SpottedEvent]:
    short = [event for event in events if event.offset - event.onset < 1]
    mouth = [event for event in short if all(REGIONS[REGION_INDEX[name]].part == "mouth" for name in event.regions)]
    mouth.sort(key=lambda event: event.onset)
    runs: list[list[SpottedEvent]] = []
    for event in mouth:
        if runs and event.onset - runs[-1][-1].offset <= 0.5:
            runs[-1].append(event)
        else:
            runs.append([event])
    return {event for run in runs if len(run) >= 3 for event in run}

"""A spotted expression, and the reasons for which it may be something else."""

from dataclasses import dataclass
from typing import Literal

EventKind = Literal["micro", "macro"]
EventSide = Literal["both", "left", "right"]  # the person's own
FlagName = Literal["blink", "head", "speech", "light", "inside-larger", "low-rate", "border"]


@dataclass(frozen=True)
class EventFlag:
    """Why an event may not be an expression of its own: a name, and a sentence with figures."""

    name: FlagName
    reason: str


@dataclass(frozen=True)
class SpottedEvent:
    """One event. onset, apex, offset: s from the first frame of the recording, to a fraction of a frame.

    size: displacement at the apex, distances between the eyes. strength: size in units of the threshold, 1 or more.
    regions: those that moved, the strongest first.
    """

    onset: float
    apex: float
    offset: float
    kind: EventKind
    size: float
    strength: float
    regions: tuple[str, ...]
    side: EventSide = "both"
    flags: tuple[EventFlag, ...] = ()

"""Which events of a face were announced: each once, after it has ended, and revised if a later look sees it otherwise.

A later look may see that an event went on, or that it was part of a larger movement.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from shared.spotting.events import EventFlag, SpottedEvent

LOOKS_WITHOUT = 2  # looks in a row that do not see an announced event, after which it is asked why
INSIDE = 0.8  # share of an event that lies in a larger one that it is part of


@dataclass(frozen=True)
class LiveSettings:
    """Times, s. window: over which events are spotted. gap: between two looks.

    settle: for how long an event must be over before it is announced. same: intersection over union from which an
    event of two looks is one. changed: below which it is another stretch of time. memory: how long after its end an
    announced event can be revised.
    """

    window: float = 15.0
    gap: float = 0.4
    settle: float = 0.6
    same: float = 0.3
    changed: float = 0.7
    memory: float = 4.0


@dataclass(eq=False)
class LiveEvent:
    """An event that was announced. announced: s, the time of the frame after which. revision: 0 for the first word.

    frames: numbers of the frames nearest onset, apex and offset. confidence: how sure the network is of the face, 0 to
    1. missed: looks in a row that did not see the event.
    """

    face: int
    spotted: SpottedEvent
    announced: float
    frames: tuple[int, int, int]
    confidence: float
    number: int = 0
    revision: int = 0
    missed: int = 0


Placement = tuple[tuple[int, int, int], float]
PlaceEvent = Callable[[SpottedEvent], Placement]


@dataclass
class EventBoard:
    """The announced events of one uninterrupted stretch of a face. `face`: its number."""

    face: int
    settings: LiveSettings = field(default_factory=LiveSettings)
    _events: list[LiveEvent] = field(default_factory=list)  # that can still be revised
    _before: Sequence[SpottedEvent] = ()  # at the look before

    def take_look(
        self, spotted: Sequence[SpottedEvent], now: float, place: PlaceEvent, final: bool = False
    ) -> Iterator[LiveEvent]:
        """Yield the events that are new or revised after a look at the last seconds.

        spotted: all events that it found. now: s, the time of its last frame. place: gives an event's `frames` and
        `confidence`. final: nothing will follow, so that all events have ended.
        """
        ended = [event for event in spotted if final or event.offset <= now - self.settings.settle]
        matches = self._match_events(ended)
        for event, known in zip(ended, matches, strict=True):
            if known is not None:
                known.missed = 0
                if self._revise_event(known, event, place):
                    yield known
            elif event.offset > now - self.settings.memory and (final or self._was_seen(event)):
                self._events.append(LiveEvent(self.face, event, now, *place(event)))
                yield self._events[-1]
        for known in self._events:
            if known not in matches and known.announced < now and self._explain_loss(known, spotted):
                yield known
        self._before = spotted
        self._events = [known for known in self._events if known.spotted.offset > now - self.settings.memory]

    def _match_events(self, ended: Sequence[SpottedEvent]) -> list[LiveEvent | None]:
        """For each event the announced one that it is. Those that overlap most come first."""
        likeness = [
            (overlap_events(known.spotted, event), row, known)
            for row, event in enumerate(ended)
            for known in self._events
        ]
        matches: list[LiveEvent | None] = [None] * len(ended)
        for share, row, known in sorted(likeness, key=lambda each: -each[0]):
            if share >= self.settings.same and matches[row] is None and known not in matches:
                matches[row] = known
        return matches

    def _was_seen(self, event: SpottedEvent) -> bool:
        """Whether the look before saw the event as it is now: one that still goes on changes."""
        return any(overlap_events(event, other) >= self.settings.changed for other in self._before)

    def _revise_event(self, known: LiveEvent, event: SpottedEvent, place: PlaceEvent) -> bool:
        """Take over what a later look says, if it differs enough to be said."""
        names = [[flag.name for flag in each.flags] for each in (known.spotted, event)]
        moved = overlap_events(known.spotted, event) < self.settings.changed
        if not moved and names[0] == names[1] and known.spotted.kind == event.kind:
            return False
        known.spotted, known.revision = event, known.revision + 1
        known.frames, known.confidence = place(event)
        return True

    def _explain_loss(self, known: LiveEvent, spotted: Sequence[SpottedEvent]) -> bool:
        """Flag an announced event that a larger one has swallowed. Others stay as they were announced."""
        known.missed += 1
        if known.missed != LOOKS_WITHOUT or known.spotted.flags:
            return False
        for event in spotted:
            shared = min(event.offset, known.spotted.offset) - max(event.onset, known.spotted.onset)
            if shared >= INSIDE * (known.spotted.offset - known.spotted.onset):
                reason = f"At a second look it is part of a movement from {event.onset:.2f} to {event.offset:.2f} s."
                known.spotted = replace(known.spotted, flags=(EventFlag("inside-larger", reason),))
                known.revision += 1
                return True
        return False


def overlap_events(one: SpottedEvent, other: SpottedEvent) -> float:
    """Intersection over union of two events in time."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    return max(0.0, shared) / (max(one.offset, other.offset) - min(one.onset, other.onset))

"""Events are announced once, after they have ended, and revised if a later look sees them otherwise."""

from dataclasses import replace

from merstream.live.event_board import EventBoard, LiveEvent, overlap_events
from shared.spotting.events import EventFlag, SpottedEvent

SMILE = SpottedEvent(2.0, 2.2, 2.4, "micro", 0.02, 3.0, ("left mouth corner",))
FROWN = replace(SMILE, onset=3.0, apex=3.2, offset=3.4, regions=("glabella",))


def place(event: SpottedEvent) -> tuple[tuple[int, int, int], float]:
    return (round(event.onset * 30), round(event.apex * 30), round(event.offset * 30)), 0.9


def look(board: EventBoard, now: float, *events: SpottedEvent, final: bool = False) -> list[LiveEvent]:
    return list(board.take_look(events, now, place, final))


def test_an_event_is_announced_once_it_was_over_for_a_while_and_seen_twice() -> None:
    board = EventBoard(1)
    assert look(board, 2.5, SMILE) == []  # just over
    assert look(board, 2.9, SMILE) == []  # 0.5 s
    (event,) = look(board, 3.0, SMILE)
    assert (event.spotted, event.announced, event.frames, event.revision) == (SMILE, 3.0, (60, 66, 72), 0)
    assert look(board, 3.25, SMILE) == []


def test_an_event_that_only_one_look_saw_waits_for_the_next() -> None:
    board = EventBoard(1)
    assert look(board, 3.1, SMILE) == []
    assert len(look(board, 3.35, SMILE)) == 1


def test_an_event_that_still_grows_is_not_announced() -> None:
    board = EventBoard(1)
    look(board, 3.0, replace(SMILE, offset=2.3))
    assert look(board, 3.2, replace(SMILE, offset=2.6)) == []  # half as long at the look before


def test_two_events_at_once_are_told_apart_by_their_times() -> None:
    board, whole = EventBoard(1), replace(SMILE, onset=1.8, offset=3.0, kind="macro")
    look(board, 3.4, SMILE, whole)
    assert [event.spotted for event in look(board, 3.65, SMILE, whole)] == [SMILE, whole]
    assert look(board, 3.9, whole, SMILE) == []


def test_one_announced_event_is_only_one_of_two_that_a_later_look_sees() -> None:
    board, part = EventBoard(1), replace(SMILE, offset=2.25)
    look(board, 2.9, SMILE)
    (event,) = look(board, 3.15, SMILE)
    look(board, 3.4, SMILE, part)
    (second,) = look(board, 3.65, SMILE, part)
    assert (event.spotted, second.spotted) == (SMILE, part)


def test_a_later_look_that_differs_revises() -> None:
    board = EventBoard(1)
    look(board, 2.9, SMILE)
    (event,) = look(board, 3.15, SMILE)
    longer = replace(SMILE, offset=2.9, kind="macro")
    assert look(board, 3.6, longer) == [event]
    assert (event.spotted, event.revision, event.frames) == (longer, 1, (60, 66, 87))
    flagged = replace(longer, flags=(EventFlag("blink", "An eye is closed."),))
    assert look(board, 3.85, flagged) == [event]
    assert look(board, 4.1, replace(flagged, offset=2.88)) == []  # hardly another time


def test_an_event_that_a_larger_one_swallows_is_flagged_at_the_second_look_without_it() -> None:
    board, larger = EventBoard(1), replace(SMILE, onset=1.0, offset=3.9, kind="macro")
    look(board, 2.9, SMILE)
    (event,) = look(board, 3.15, SMILE)
    assert look(board, 3.4, larger) == []
    assert look(board, 3.65, larger) == [event]
    assert [flag.name for flag in event.spotted.flags] == ["inside-larger"]
    assert "1.00 to 3.90 s" in event.spotted.flags[0].reason


def test_an_event_that_no_later_look_sees_stays_as_it_was() -> None:
    board = EventBoard(1)
    look(board, 2.9, SMILE)
    (event,) = look(board, 3.15, SMILE)
    assert [look(board, now) for now in (3.4, 3.65, 3.9)] == [[], [], []]
    assert event.spotted == SMILE


def test_what_is_long_over_is_not_announced_any_more() -> None:
    board = EventBoard(1)
    look(board, 6.3, SMILE)
    assert look(board, 6.5, SMILE) == []  # ended 4.1 s ago


def test_at_the_end_everything_has_ended() -> None:
    board = EventBoard(7)
    (event,) = look(board, 2.45, SMILE, final=True)
    assert event.face == 7


def test_overlap_is_intersection_over_union() -> None:
    assert overlap_events(SMILE, SMILE) == 1
    assert overlap_events(SMILE, FROWN) == 0
    assert abs(overlap_events(SMILE, replace(SMILE, onset=2.2, offset=2.6)) - 1 / 3) < 1e-9

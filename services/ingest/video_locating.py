"""Which recorded frames a row means: by count, by time, or refused where the two differ."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from services.ingest.catalogue.annotated_seconds import SPAN_ROLES
from services.ingest.catalogue.entry import FoundClip, Seconds
from shared.errors import BadData
from shared.video.clock import VideoClock
from shared.video.decoding import check_packets
from shared.video.index import VideoIndex, read_file_index
from shared.video.reading import locate_frames

MOST_DIFFERENCE = 1  # frames, up to which two readings of a number count as the same
MOST_NAMED = 20  # frames that a note names one by one
Places = tuple[int | None, ...]  # of onset, apex and offset among the recorded frames


def locate_clip(found: FoundClip) -> FoundClip:
    """The clip with `span`, and with `times` if its video is uneven. A folder of frames stays as it is.

    Raises BadData, with the row, if the video cannot be read, ends too early, or if the row may mean other frames.
    """
    if found.kind != "video" or found.span is not None:
        return found
    choice = ""
    try:
        index = read_file_index(found.files[0])
        choice = f" ({index.choice})" if index.choice else ""
        return _locate_in_index(found, index)
    except BadData as fault:
        raise BadData(f"{found.location or found.sample.identity}: {fault}{choice}") from None


def _locate_in_index(found: FoundClip, index: VideoIndex) -> FoundClip:
    clock = VideoClock(index, found.fps)
    places, notes = _choose_reading(found, clock)
    onset, apex, offset = places
    if onset is None or offset is None or offset <= onset:
        raise BadData(f"{index.name}: expected a clip of two frames or more, got one frame; correct the row.")
    span = range(onset, offset + 1)
    check_packets(index, span)
    times = clock.true_times(span)
    if any(b <= a for a, b in pairwise(times)):
        raise BadData(
            f"{index.name}: expected rising time stamps, got equal or falling ones between frames "
            f"{index.numbers[onset]} and {index.numbers[offset]}; convert the video to a constant frame rate."
        )
    if times:
        notes += _describe_holes(clock, span)
    if index.choice:
        notes.append(index.choice)
    return replace(found, span=(onset, apex, offset), times=times, notes=found.notes + tuple(notes))


def _choose_reading(found: FoundClip, clock: VideoClock) -> tuple[Places, list[str]]:
    """The places of onset, apex and offset, and notes on how they were found."""
    index, numbers = clock.index, (found.onset, found.apex, found.offset)
    if found.seconds and not found.numbered:
        _require_rate(clock, "seconds")
        if index.restart is not None:
            _count_after_restart(found, index, (index.count - 1, None, None))
        return _places_at(clock, found.seconds), []
    counted, notes = _count_places(index, numbers)
    last = len(index.numbers) - 1 if counted[-1] is None else counted[-1]
    # An AVI may begin with empty chunks. They have numbers, but seconds count from the first frame.
    even = clock.is_even(last) and not index.numbers[0]
    if even or index.lost or clock.rate is None or found.numbering == "counted" or index.restart is not None:
        locate_frames(index, found.onset, found.offset)
    if index.restart is not None and index.numbers[last] >= index.restart:
        return _count_after_restart(found, index, counted), notes
    if found.numbering == "timed" or found.seconds:
        _require_rate(clock, "numbering by time" if found.numbering else "seconds")
    if clock.rate is None:
        if even:  # a high-speed recording that is played slowly: the sheet knows its rate
            return counted, notes
        raise BadData(
            f"{index.name}: expected {found.fps:g} frames per second as in the row, got an uneven video of "
            f"{_list_rates(index)}; correct fps, or convert the video to a constant frame rate."
        )
    timed = _places_at(clock, [None if each is None else each / clock.rate for each in numbers], strict=False)
    if found.seconds:
        return _agree_with_seconds(index, numbers, found.seconds, _places_at(clock, found.seconds), counted, timed), []
    if found.numbering == "timed":
        return _require_places(index, timed), ["frame numbers were read by time (column numbering)"]
    if found.numbering == "counted":
        return counted, [*notes, "frame numbers were counted (column numbering)"] if not even else notes
    if not even and _differ(counted, timed):
        raise BadData(_describe_readings(index, numbers, counted, timed))
    if not even and counted != timed:
        notes.append("frame numbers were counted; by time they mean neighbouring frames")
    return counted, notes


def _count_after_restart(found: FoundClip, index: VideoIndex, counted: Places) -> Places:
    """The counted places, if the clip lies in one of the recordings that were joined, and asks for no time."""
    if index.numbers[counted[0] or 0] < (index.restart or 0):
        raise BadData(
            f"{index.name}: expected one recording, got time stamps that begin anew at frame {index.restart}, within "
            "the clip; split the video there."
        )
    if found.seconds or found.numbering == "timed":
        raise BadData(
            f"{index.name}: expected frame numbers by count, got times in a file whose time stamps begin anew at frame "
            f"{index.restart}; write frame numbers, or split the video there."
        )
    return counted


def _require_rate(clock: VideoClock, what: str) -> None:
    if clock.rate is None:
        raise BadData(
            f"{clock.index.name}: expected fps as the video has it for {what}, got {clock.fps:g} in the row and "
            f"{_list_rates(clock.index)} in the video; correct fps, or write frame numbers."
        )


def _list_rates(index: VideoIndex) -> str:
    rates = sorted({f"{rate:.4g}" for rate in index.rates})
    return f"{' or '.join(rates) or 'no stated number of'} frames per second"


def _count_places(index: VideoIndex, numbers: Places) -> tuple[Places, list[str]]:
    """Places by number. A number without a recorded frame takes the one before it, which a player goes on showing."""
    places: list[int | None] = []
    notes = []
    for role, number in zip(SPAN_ROLES, numbers, strict=True):
        if number is None or number >= index.count:
            places.append(None)
            continue
        place = max(index.frames_between(0, number).stop - 1, 0)
        if index.numbers[place] != number and number not in index.lost:
            notes.append(f"the {role} frame {number} was not recorded: frame {index.numbers[place]} was taken")
        places.append(place)
    onset = places[0] or 0
    empty = index.numbers[onset] - onset - sum(number < index.numbers[onset] for number in index.lost)
    if empty:
        notes.append(f"{empty} frames before the onset were not recorded: frame numbers count their empty places")
    return tuple(places), notes


def _places_at(clock: VideoClock, seconds: Sequence[float | None], strict: bool = True) -> Places:
    places = tuple(None if each is None else clock.find_place(each) for each in seconds)
    if strict:
        for role, each, place in zip(SPAN_ROLES, seconds, places, strict=True):
            if each is not None and place is None:
                raise BadData(
                    f"{clock.index.name}: expected the {role} within the video, got {each:g} s and a video of "
                    f"{clock.index.seconds[-1]:.3f} s; correct the row."
                )
    return places


def _require_places(index: VideoIndex, timed: Places) -> Places:
    if timed[0] is None or timed[-1] is None:
        raise BadData(
            f"{index.name}: expected the clip within the video, got frame numbers that lie, by time, beyond its "
            f"{index.seconds[-1]:.3f} s; correct the row."
        )
    return timed


def _differ(some: Sequence[int | None], others: Sequence[int | None]) -> bool:
    return any(
        (a is None) != (b is None) or (a is not None and b is not None and abs(a - b) > MOST_DIFFERENCE)
        for a, b in zip(some, others, strict=True)
    )


def _agree_with_seconds(
    index: VideoIndex, numbers: Places, seconds: Seconds, given: Places, counted: Places, timed: Places
) -> Places:
    """The frames at the given seconds, where the numbers, counted or by time, mean the same."""
    twice = [role for role in range(len(SPAN_ROLES)) if numbers[role] is not None and given[role] is not None]
    for reading in (counted, timed):
        if not _differ([given[role] for role in twice], [reading[role] for role in twice]):
            return tuple(reading[role] if given[role] is None else given[role] for role in range(len(SPAN_ROLES)))
    cells = ", ".join(
        f"{SPAN_ROLES[role]} {numbers[role]} and {SPAN_ROLES[role]}_s {seconds[role]:g}" for role in twice
    )
    raise BadData(
        f"{index.name}: expected frames and seconds that agree within a frame, got {cells}; the seconds mean the "
        f"frames {', '.join(str(index.numbers[given[role] or 0]) for role in twice)}; correct or empty one of them."
    )


def _describe_readings(index: VideoIndex, numbers: Places, counted: Places, timed: Places) -> str:
    rows = ", ".join(
        f"{role} {number} is {_describe_place(index, by_count)} by count or {_describe_place(index, by_time)} by time"
        for role, number, by_count, by_time in zip(SPAN_ROLES, numbers, counted, timed, strict=True)
        if number is not None
    )
    empty = f"one that begins with {index.numbers[0]} empty frames," if index.numbers[0] else "an uneven recording"
    return (
        f"{index.name}: expected frames at equal steps, got {empty} in which numbers have two meanings: "
        f"{rows}; add a column numbering with counted or timed, or write onset_s, apex_s and offset_s in seconds."
    )


def _describe_place(index: VideoIndex, place: int | None) -> str:
    return "beyond the end" if place is None else f"frame {index.numbers[place]} ({index.seconds[place]:.3f} s)"


def _describe_holes(clock: VideoClock, span: range) -> list[str]:
    """Notes that name the frames which an uneven recording lacks or has twice, by their numbers by time."""
    due = clock.due_numbers(span)
    known = set(due)
    missing = [number for number in range(due[0], due[-1] + 1) if number not in known]
    doubled = sorted({number for number in known if due.count(number) > 1})
    notes = ["uneven recording: each frame keeps its true time"]
    if missing:
        notes.append(f"not recorded between onset and offset, by time: frames {_name_some(missing)}")
    if doubled:
        notes.append(f"recorded more than once between onset and offset, by time: frames {_name_some(doubled)}")
    return notes


def _name_some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:MOST_NAMED]))
    return shown if len(numbers) <= MOST_NAMED else f"{shown} and {len(numbers) - MOST_NAMED} more"

"""Which number in a file's name is its frame's: decided from all names of a folder, and of the other folders.

The frame's number differs from file to file. A size, a rate or a clip's name does not. A name whose number can be read
in two ways is refused.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

LARGE_SHARE = 0.25  # of a series: numbers without a file, or files of another pattern
MOST_COPIES = 2  # of one file
DIGITS = 18  # longest number. Of a longer one, for example a checksum, the last digits count
SPARSE_SHARE = 0.9  # of a series: a number with more holes is a clock, which no sheet uses for frames
SECONDS_PER_UNIT = {"us": 1e-6, "ms": 1e-3, "msec": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0}
TIME_TOLERANCE = 0.1  # frames, distance of a time from a frame at the row's rate, beside the rounding of the time

# A decimal is a number of its own, where no word is before it: "0.005", "t0.005", not "shot01.0001" or "v2.0001".
_NUMBER = re.compile(r"(?:(?<![^\W_])(?<!\.)|(?<=(?<![^\W_])t))(?:0|[1-9]\d*)\.\d+|\d+")
_UNIT = re.compile(r"(?:[ _]?(us|msec|ms|seconds|secs|sec)|(s))(?=[\W_]|$)")
_COPY_MARK = re.compile(r"(?: \(\d+\)|(?: -|_| ) ?(?:copy|kopie)(?: ?\(?\d+\)?)?)(?=\.\w+$)", re.IGNORECASE)
_TIME_OF_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\.(?:[01]\d|2[0-3])(?:[0-5]\d){2}\d*")
_SINCE_1970 = re.compile(r"(?<!\d)1\d{12}(?:\d{3}){0,2}$")
Habits = Mapping[str, int]  # by pattern of names: which of its numbers counts the frames


@dataclass(frozen=True)
class NameReading:
    """Files by frame number. `left_out` says why a numbered file is no frame, `fault` why no number can be told.

    `counters` has the number that was chosen, by pattern, where the names of this folder alone decide it.
    """

    numbers: Mapping[int, Sequence[str]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fault: str = ""
    counters: Habits = field(default_factory=dict)


@dataclass(frozen=True)
class _Series:
    """Names that differ only in their numbers."""

    pattern: str
    names: list[str]
    values: list[tuple[str, ...]]

    def column(self, group: int) -> list[int]:
        return [int(row[group].replace(".", "")[-DIGITS:]) for row in self.values]


@dataclass(frozen=True)
class _Choice:
    """The number that counts the frames. `rivals` are further numbers that may do so, `timed` says it is a time."""

    group: int
    rivals: tuple[int, ...] = ()
    timed: bool = False
    decided: bool = True  # by these names, not by those of other folders


def read_frame_names(names: Iterable[str], habits: Habits | None = None, fps: float | None = None) -> NameReading:
    """The frame number of each name. Names without a number are no frames.

    `habits` decide where the names alone do not. `fps` (frames per second) turns times in names into numbers.
    """
    names = sorted(names)
    left_out = _find_copies(names)
    series = _group_by_pattern(name for name in names if name not in left_out)
    notes = tuple(f"{name} was left out: {reason}" for name, reason in left_out.items())
    if not series:
        return NameReading(left_out=left_out, notes=notes)
    if len(series) > 1 and _counts_in_hexadecimal(names):
        return NameReading(fault=f"names with decimal frame numbers, got hexadecimal ones ({names[0]}, {names[-1]})")
    readings = [_read_series(each, habits or {}, fps) for each in series]
    chosen = readings[0] if len(readings) == 1 else _combine_series(series, readings)
    return replace(chosen, left_out={**left_out, **chosen.left_out}, notes=notes + chosen.notes)


def most_common_counters(readings: Iterable[Habits]) -> Habits:
    """By pattern, the number that counts the frames in most folders."""
    votes: dict[str, Counter[int]] = defaultdict(Counter)
    for counters in readings:
        for pattern, group in counters.items():
            votes[pattern][group] += 1
    return {pattern: counts.most_common(1)[0][0] for pattern, counts in votes.items()}


def count_holes(numbers: Iterable[int]) -> int:
    """How many whole numbers between the smallest and the largest are not among `numbers`."""
    known = set(numbers)
    return max(known) - min(known) + 1 - len(known)


def _find_copies(names: Sequence[str]) -> dict[str, str]:
    """Copies as file managers name them, whose original is there: "img3 (1).jpg", "img3 - Copy.jpg".

    Many copies of one name are frames: a browser saves "img.jpg", "img (1).jpg", "img (2).jpg".
    """
    known = {name.casefold() for name in names}
    marked = {name: original for name in names if (original := _COPY_MARK.sub("", name)) != name}
    copies = Counter(original.casefold() for original in marked.values())
    return {
        name: f"it is a copy of {original}"
        for name, original in marked.items()
        if original.casefold() in known and copies[original.casefold()] <= MOST_COPIES
    }


def _group_by_pattern(names: Iterable[str]) -> list[_Series]:
    """Series of names, the longest first."""
    found: dict[str, _Series] = {}
    for name in names:
        stem = name.rpartition(".")[0].casefold()
        values = tuple(_NUMBER.findall(stem))
        if values:
            pattern = _NUMBER.sub("#", stem)
            series = found.setdefault(pattern, _Series(pattern, [], []))
            series.names.append(name)
            series.values.append(values)
    return sorted(map(_split_decimals, found.values()), key=lambda series: -len(series.names))


def _split_decimals(series: _Series) -> _Series:
    """A decimal whose whole part is the same everywhere, but not 0, is two numbers: "clip 2.0001"."""
    for group in reversed(range(len(series.values[0]))):
        wholes = {row[group].partition(".")[0] for row in series.values}
        if all("." in row[group] for row in series.values) and len(wholes) == 1 and wholes != {"0"}:
            rows = [(*row[:group], *row[group].split("."), *row[group + 1 :]) for row in series.values]
            parts = series.pattern.split("#")
            parts[group + 1 : group + 1] = ["."]
            series = _Series("#".join(parts), series.names, rows)
    return series


def _counts_in_hexadecimal(names: Sequence[str]) -> bool:
    """Whether the parts in which names differ are hexadecimal numbers of one length that count without a hole."""
    stems = [name.rpartition(".")[0].casefold() for name in names]
    start = next((at for at, letters in enumerate(zip(*stems, strict=False)) if len(set(letters)) > 1), 0)
    tails = [re.match(r"[0-9a-f]*", stem[start:]) for stem in stems]
    digits = [tail[0] for tail in tails if tail]
    rests = {stem[start + len(part) :] for stem, part in zip(stems, digits, strict=True)}
    if len(digits) < 3 or len(rests) > 1 or len(set(map(len, digits))) > 1 or not all(digits):
        return False
    text = "".join(digits)
    counted = [int(part, 16) for part in digits]
    return (
        not text.isdecimal() and not text.isalpha() and len(set(counted)) == len(counted) and not count_holes(counted)
    )


def _read_series(series: _Series, habits: Habits, fps: float | None) -> NameReading:
    choice = _choose_counter(series, habits.get(series.pattern))
    if choice.rivals:
        return NameReading(fault=_describe_two_readings(series, choice))
    if choice.timed:
        return _read_times(series, choice.group, fps)
    numbers: dict[int, list[str]] = defaultdict(list)
    for name, number in zip(series.names, series.column(choice.group), strict=True):
        numbers[number].append(name)
    return NameReading(numbers, counters={series.pattern: choice.group} if choice.decided else {})


def _choose_counter(series: _Series, habit: int | None) -> _Choice:
    columns = [series.column(group) for group in range(len(series.values[0]))]
    different = [len(set(column)) for column in columns]
    varying = [group for group, count in enumerate(different) if count > 1]
    known = {tuple(columns[group]): group for group in reversed(varying) if _seconds_per_unit(series, group) is None}
    counting = sorted(known.values())  # of equal numbers the first
    counting = [group for group in counting if not _is_clock(series, group)] or counting
    if not varying:
        return _Choice(len(columns) - 1 if habit is None else habit, decided=False)
    if not counting:
        return _Choice(varying[0], tuple(varying[1:]), timed=True)
    if len(counting) == 1:
        return _Choice(counting[0])
    unique = [group for group in counting if different[group] == len(series.names)]
    dense = [group for group in unique if _share_of_holes(columns[group]) < LARGE_SHARE]
    if len(dense) == 1 and not any(
        _run_together(columns[dense[0]], columns[other]) and _share_of_holes(columns[other]) <= SPARSE_SHARE
        for other in unique
        if other != dense[0]
    ):
        return _Choice(dense[0])
    if habit in counting:
        return _Choice(habit, decided=False)
    return _Choice(counting[0], tuple(counting[1:]))


def _is_clock(series: _Series, group: int) -> bool:
    """Whether a number is a time of day behind a date, or counts from 1970 in milliseconds or finer."""
    texts = [".".join(row[max(group - 1, 0) : group + 1]) for row in series.values]
    return all(_TIME_OF_DAY.fullmatch(text) or _SINCE_1970.search(text) for text in texts)


def _share_of_holes(column: Sequence[int]) -> float:
    holes = count_holes(column)
    return holes / (holes + len(column))


def _run_together(column: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two columns of different numbers rise together, or one falls as the other rises."""
    ordered = [value for _, value in sorted(zip(column, other, strict=True))]
    return all(a < b for a, b in pairwise(ordered)) or all(a > b for a, b in pairwise(ordered))


def _describe_two_readings(series: _Series, choice: _Choice) -> str:
    """From the last name, whose numbers differ most from each other."""
    name, values = series.names[-1], series.values[-1]
    readings = " or ".join(f"frame {int(values[group].replace('.', ''))}" for group in (choice.group, *choice.rivals))
    return f"names in which one number counts the frames, got several that change: {name} may be {readings}"


def _seconds_per_unit(series: _Series, group: int) -> float | None:
    """Seconds per unit of a number that is a time: it has a unit of time behind it, or it is a decimal."""
    parts = series.pattern.split("#")
    behind = _UNIT.match(parts[group + 1])
    if behind and (behind[0] != parts[group + 1] or group + 2 == len(parts)):  # "_s7" is no unit
        return SECONDS_PER_UNIT[behind[1] or behind[2]]
    return 1.0 if all("." in row[group] for row in series.values) else None


def _read_times(series: _Series, group: int, fps: float | None) -> NameReading:
    """Frame number = time x rate, where every time is that of a frame."""
    unit = _seconds_per_unit(series, group) or 1.0
    texts = [row[group] for row in series.values]
    numbers: dict[int, list[str]] = defaultdict(list)
    for name, text in zip(series.names, texts, strict=True):
        exact = float(text) * unit * (fps or 0.0)
        rounding = 0.5 * 10.0 ** -len(text.partition(".")[2]) * unit * (fps or 0.0)
        if fps is None or rounding > 0.5 or abs(exact - round(exact)) > TIME_TOLERANCE + rounding:
            rate = "" if fps is None else f" that are no frames at {fps:g} frames per second"
            return NameReading(fault=f"names with frame numbers, got times{rate} ({name})")
        numbers[round(exact)].append(name)
    return NameReading(numbers, notes=(f"file names hold times: frame numbers are time x {fps:g} frames per second",))


def _combine_series(series: Sequence[_Series], readings: Sequence[NameReading]) -> NameReading:
    """Patterns whose numbers complete each other are one series. Otherwise a large majority is the series."""
    main, firsts = readings[0], ", ".join(each.names[0] for each in series[:3])
    together: dict[int, list[str]] = defaultdict(list)
    for reading in readings:
        for number, names in reading.numbers.items():
            together[number] += names
    apart = len(together) == sum(len(reading.numbers) for reading in readings)
    if apart and not any(reading.fault for reading in readings) and count_holes(together) <= count_holes(main.numbers):
        note = f"names of {len(series)} patterns were taken for one series: {firsts}"
        counters = {pattern: group for reading in readings for pattern, group in reading.counters.items()}
        return NameReading(together, notes=(note,), counters=counters)
    others = [name for each in series[1:] for name in each.names]
    if len(others) >= LARGE_SHARE * len(series[0].names):
        return NameReading(fault=f"names of one pattern, got {len(series)}: {firsts}")
    note = f"{len(others)} files with names of another pattern were left out: {', '.join(others[:3])}"
    reason = f"its name has another pattern than {series[0].names[0]}"
    return replace(main, left_out=dict.fromkeys(others, reason), notes=(*main.notes, note))

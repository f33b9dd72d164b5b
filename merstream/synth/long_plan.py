"""The plan of a long drawn video: which events there are and when, from a seed."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from merstream.synth.action_units import MIDLINE_AUS
from merstream.synth.difficulty import DEFAULT_DIFFICULTY, Difficulty
from merstream.synth.emotions import (
    EMOTION_PROTOTYPES,
    AuMovement,
    PersonHabits,
    draw_emotions,
    draw_habits,
    draw_movements,
)
from merstream.synth.identity import random_generator
from merstream.synth.long_events import (
    DEFAULT_SETTINGS,
    KINDS,
    EventKind,
    EventSide,
    LongVideoSettings,
    Span,
    VideoEvent,
)

# Largest displacement of an action unit, px of a 480-row frame. Above it, fields that add up would fold over.
MACRO_LIMIT_PX, LID_LIMIT_PX, LIP_LIMIT_PX = 9.0, 4.0, 2.0
LIP_AUS, LID_AUS = frozenset({24, 25}), frozenset({5, 6, 7})
REST_SECONDS = 0.4  # least time without an expression between two, and at the video's ends
ATTEMPTS = 200  # random places tried for an event; without one it is left out


def plan_events(
    seed: int,
    subject: int,
    seconds: float,
    *,
    number: int = 1,
    settings: LongVideoSettings | None = None,
    difficulty: Difficulty = DEFAULT_DIFFICULTY,
) -> list[VideoEvent]:
    """The events of the video `number` of a person, sorted by onset. They depend on the arguments alone.

    `difficulty` gives the action units' amplitudes, as in the clips. Where there is no room for an event it is left
    out, so short videos have fewer.
    """
    return _EventPlanner(seed, subject, number, seconds, settings or DEFAULT_SETTINGS, difficulty).plan()


@dataclass
class _TakenTimes:
    """Intervals that do not overlap, sorted."""

    spans: list[tuple[float, float]] = field(default_factory=list)

    def is_free(self, start: float, end: float) -> bool:
        at = bisect_left(self.spans, (start, end))
        return all(other[1] <= start or end <= other[0] for other in self.spans[max(at - 1, 0) : at + 1])

    def reserve_span(self, start: float, end: float) -> None:
        insort(self.spans, (start, end))


class _EventPlanner:
    """Places phrases, posture shifts and lights first, then expressions beside or inside them, then blinks.

    Each kind has a generator of its own, so that the rate of one changes little of the others.
    """

    def __init__(
        self,
        seed: int,
        subject: int,
        number: int,
        seconds: float,
        settings: LongVideoSettings,
        difficulty: Difficulty,
    ) -> None:
        self.settings, self.difficulty, self.seconds = settings, difficulty, seconds
        self.habits: PersonHabits = draw_habits(random_generator(seed, subject, 1), difficulty)
        self.rngs = {kind: random_generator(seed, subject, 4, number, at) for at, kind in enumerate(KINDS)}
        self.phrases, self.shifts, self.expressions, self.blinks = (_TakenTimes() for _ in range(4))

    def plan(self) -> list[VideoEvent]:
        phrases = [self._say_phrase(*span) for span in self._place_spans("speech", self.settings.phrase_seconds, 0.8)]
        for phrase in phrases:
            self.phrases.reserve_span(phrase.onset, phrase.offset)
        shifts = list(self._shift_posture())
        lights = list(self._change_light())
        macros = self._express("macro", [])
        micros = self._express("micro", macros)
        blinks = list(self._blink([*macros, *micros], micros))
        return sorted([*phrases, *shifts, *lights, *macros, *micros, *blinks], key=lambda event: event.onset)

    def _count_events(self, kind: EventKind) -> int:
        """The number of events of a kind: rate times length, its fraction a chance."""
        expected = float(getattr(self.settings, kind)) * self.seconds / 60
        return int(expected + self.rngs[kind].random())

    def _find_place(
        self, rng: np.random.Generator, length: float, low: float, high: float, fits: Callable[[float, float], bool]
    ) -> float | None:
        """A random start of `length` between `low` and `high` that `fits`, or None."""
        if high - low < length:
            return None
        for _ in range(ATTEMPTS):
            start = float(rng.uniform(low, high - length))
            if fits(start, start + length):
                return start
        return None

    def _place_spans(self, kind: EventKind, lengths: Span, gap: float) -> Iterator[tuple[float, float]]:
        """Starts and ends of a kind's events, at least `gap` apart."""
        rng, taken = self.rngs[kind], _TakenTimes()
        for _ in range(self._count_events(kind)):
            length = float(rng.uniform(*lengths))
            start = self._find_place(rng, length, REST_SECONDS, self.seconds - REST_SECONDS, taken.is_free)
            if start is not None:
                taken.reserve_span(start - gap, start + length + gap)
                yield start, start + length

    def _say_phrase(self, start: float, end: float) -> VideoEvent:
        """Syllables of uneven strength; the lips do not quite meet between them, and their corners move along."""
        rng = self.rngs["speech"]
        rate = rng.uniform(*self.settings.syllable_rate)
        count = max(1, round((end - start) * rate))
        peaks = start + (np.arange(count) + 0.5 + rng.uniform(-0.12, 0.12, count)) * (end - start) / count
        strengths = rng.uniform(0.35, 0.9, count)
        loudest = int(rng.integers(count))
        strengths[loudest] = 1.0
        dips = (peaks[1:] + peaks[:-1]) / 2
        rests = rng.uniform(0, 0.3, count - 1)
        order = np.argsort(np.r_[start, peaks, dips, end])
        times = np.r_[start, peaks, dips, end][order]
        levels = np.r_[0.0, strengths, rests, 0.0][order]
        corner = float(rng.uniform(0.5, 1.5)) * (1 if rng.random() < 0.5 else -1)  # px: the mouth widens or narrows
        return VideoEvent(
            "speech",
            tuple(times.tolist()),
            tuple(levels.tolist()),
            float(peaks[loudest]),
            units=(("20L", corner), ("20R", corner)),
            opening=float(rng.uniform(*self.settings.opening)),
        )

    def _shift_posture(self) -> Iterator[VideoEvent]:
        """The head goes to another posture and stays there; it moves around its place at the start."""
        rng, settings, before = self.rngs["posture"], self.settings, np.zeros(5)
        largest = np.array([1, 0.5, 1, 1, 0.5]) * np.array(
            [
                settings.posture_px,
                settings.posture_px,
                *np.deg2rad([settings.posture_roll, settings.posture_turn, settings.posture_turn]),
            ]
        )
        for start, end in sorted(self._place_spans("posture", settings.posture_seconds, 1.0)):
            after = rng.choice([-1, 1], 5) * rng.uniform(0.7, 1.0, 5) * largest
            after = np.where(np.abs(before) > 0.3 * largest, 0.0, after)  # back, or away from the middle
            yield VideoEvent(
                "posture",
                (start, end),
                (0.0, 1.0),
                (start + end) / 2,
                before=tuple(before.tolist()),
                after=tuple(after.tolist()),
            )
            self.shifts.reserve_span(start, end)
            before = after

    def _change_light(self) -> Iterator[VideoEvent]:
        """The light gets stronger or weaker, partly from one side, and stays so."""
        rng, before = self.rngs["light"], np.array([1.0, 0.0])
        change = self.settings.light_change
        for start, end in sorted(self._place_spans("light", self.settings.light_seconds, 0.5)):
            gain = before[0]
            while abs(gain - before[0]) < 0.4 * change:
                gain = 1 + rng.uniform(-change, change)
            after = np.array([gain, rng.uniform(-0.4, 0.4) * change])
            yield VideoEvent(
                "light",
                (start, end),
                (0.0, 1.0),
                (start + end) / 2,
                before=tuple(before.tolist()),
                after=tuple(after.tolist()),
            )
            before = after

    def _express(self, kind: Literal["micro", "macro"], around: list[VideoEvent]) -> list[VideoEvent]:
        """The expressions of a kind; a share of them lies inside the expressions `around`."""
        rng, settings = self.rngs[kind], self.settings
        lengths = settings.micro_seconds if kind == "micro" else settings.macro_seconds
        hosts = [around[at] for at in rng.permutation(len(around))]
        found = []
        for emotion in draw_emotions(rng, self._count_events(kind)):
            length = float(rng.uniform(*lengths))
            inside, speaking, shifting = rng.random(3)
            host, start = None, None
            if inside < settings.in_macro and hosts:
                host = hosts.pop()
                start = self._find_place(rng, length, host.times[1], host.times[3], lambda *_: True)
            elif speaking < settings.in_speech:
                start = self._place_among(rng, length, self.phrases)
            elif shifting < settings.in_posture:
                start = self._place_among(rng, length, self.shifts)
            if start is None:
                host = None
                start = self._find_place(rng, length, REST_SECONDS, self.seconds - REST_SECONDS, self._is_quiet)
            if start is None:
                continue
            speaks = not self.phrases.is_free(start, start + length)
            drawn = self._draw_units(rng, kind, emotion, host, speaks)
            if not drawn:
                continue
            if host is None:
                self.expressions.reserve_span(start - REST_SECONDS, start + length + REST_SECONDS)
            found.append(self._shape_expression(rng, kind, start, length, *drawn))
        return found

    def _is_quiet(self, start: float, end: float) -> bool:
        return (
            self.expressions.is_free(start, end)
            and self.phrases.is_free(start - 0.3, end + 0.3)
            and self.shifts.is_free(start - 0.3, end + 0.3)
        )

    def _place_among(self, rng: np.random.Generator, length: float, among: _TakenTimes) -> float | None:
        """A start within one of the spans; of a longer event, so that its middle lies within."""
        if not among.spans:
            return None
        low, high = among.spans[rng.integers(len(among.spans))]
        if high - low < length:
            low, high = low - length / 2, high + length / 2
        low, high = max(low, REST_SECONDS), min(high, self.seconds - REST_SECONDS)
        return self._find_place(rng, length, low, high, self.expressions.is_free)

    def _draw_units(
        self, rng: np.random.Generator, kind: EventKind, emotion: str, host: VideoEvent | None, speaks: bool
    ) -> tuple[str, tuple[tuple[str, float], ...]] | None:
        """The action units with their px; none that the expression around it moves, no lips that speak anyway.

        Where the emotion shares a unit with the expression around it, it is another emotion.
        """
        taken = {int(unit.rstrip("LR")) for unit, _ in host.units} if host else set()
        taken |= LIP_AUS if speaks else set()
        strongest = float(rng.uniform(*self.settings.macro_px)) if kind == "macro" else None
        side = "LR"[rng.integers(2)] if rng.random() < self.settings.one_sided else ""
        for _ in range(ATTEMPTS):
            drawn = draw_movements(rng, emotion, self.habits, self.difficulty)
            movements = [movement for movement in drawn if movement.au_number not in taken]
            if movements and not (host and len(movements) < len(drawn)):
                return emotion, _collect_units(movements, strongest, side)
            emotion = emotion if host is None else str(rng.choice(list(EMOTION_PROTOTYPES)))
        return None

    def _shape_expression(
        self,
        rng: np.random.Generator,
        kind: Literal["micro", "macro"],
        start: float,
        length: float,
        emotion: str,
        units: tuple[tuple[str, float], ...],
    ) -> VideoEvent:
        """A micro-expression rises to its apex and falls. A macro-expression is held between, a little weaker."""
        shares: tuple[float, ...]
        levels: tuple[float, ...]
        if kind == "micro":
            apex = float(rng.uniform(0.3, 0.6))
            shares, levels = (0.0, apex, 1.0), (0.0, 1.0, 0.0)
        else:
            rise, fall = (float(share) for share in rng.uniform([0.15, 0.55], [0.35, 0.8]))
            apex = float(rng.uniform(rise + 0.05, fall - 0.05))
            shares, levels = (0.0, rise, apex, fall, 1.0), (0.0, 0.93, 1.0, 0.93, 0.0)
        times = tuple(start + share * length for share in shares)
        sides = {unit[-1] if unit[-1] in "LR" else "LR" for unit, _ in units}
        side: EventSide = "left" if sides == {"L"} else "right" if sides == {"R"} else "both"
        return VideoEvent(kind, times, levels, start + apex * length, side, emotion, units)

    def _blink(self, expressions: list[VideoEvent], micros: list[VideoEvent]) -> Iterator[VideoEvent]:
        """Blinks beside a share of the expressions, then the others, which leave micro-expressions alone."""
        rng, settings = self.rngs["blink"], self.settings
        around = _TakenTimes()
        for event in sorted(micros, key=lambda event: event.onset):
            around.reserve_span(event.onset - 0.05, event.offset + 0.05)
        starts: list[tuple[float, float]] = []
        for event in expressions:
            length = float(rng.uniform(*settings.blink_seconds))
            if rng.random() < settings.with_blink:
                low, high = max(0.0, event.onset - length), min(self.seconds, event.offset + length)
                start = self._find_place(rng, length, low, high, self.blinks.is_free)
                self._take_blink(start, length, starts)
        for _ in range(self._count_events("blink")):
            length = float(rng.uniform(*settings.blink_seconds))
            start = self._find_place(
                rng,
                length,
                0.1,
                self.seconds - 0.1,
                lambda low, high: self.blinks.is_free(low, high) and around.is_free(low, high),
            )
            self._take_blink(start, length, starts)
        for start, length in sorted(starts):
            shut, open_ = (float(share) for share in rng.uniform([0.28, 0.42], [0.36, 0.5]))
            side: EventSide = "both"
            if rng.random() < settings.winks:
                side = "left" if rng.random() < 0.5 else "right"
            times = (start, start + shut * length, start + open_ * length, start + length)
            closed = {"both": "LR", "left": "L", "right": "R"}[side]
            yield VideoEvent("blink", times, (0.0, 1.0, 1.0, 0.0), (times[1] + times[2]) / 2, side, closed=closed)

    def _take_blink(self, start: float | None, length: float, starts: list[tuple[float, float]]) -> None:
        if start is not None:
            self.blinks.reserve_span(start - 0.25, start + length + 0.25)
            starts.append((start, length))


def _collect_units(movements: list[AuMovement], strongest: float | None, side: str) -> tuple[tuple[str, float], ...]:
    """Each unit with its px at the apex, all scaled so that the largest is `strongest`, if given.

    With a `side`, those of the other side and of the midline are left out, unless there are no others.
    """
    peaks = [(movement.au_number, where, peak) for movement in movements for where, peak in movement.peaks]
    if side:
        peaks = [peak for peak in peaks if peak[1] == side] or peaks
    gain = strongest / max(peak for *_, peak in peaks) if strongest else 1.0
    return tuple((f"{number}{where}", min(gain * peak, _limit_px(number))) for number, where, peak in peaks)


def _limit_px(au_number: int) -> float:
    if au_number in MIDLINE_AUS & LIP_AUS:
        return LIP_LIMIT_PX
    return LID_LIMIT_PX if au_number in LID_AUS else MACRO_LIMIT_PX

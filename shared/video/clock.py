"""The times of a video's frames: whether it is even, and which frame lies at a time."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from shared.video.index import VideoIndex

RATE_TOLERANCE = 0.02  # allowed difference between the rates of a video and of the sheet, as a share: 29.97 is 30
EVEN_STEP = 0.25  # of a frame period, by which the steps of an even video may differ
EVEN_DRIFT = 1.0  # frames, by which an even video may leave the straight line
TIMES_TOLERANCE = 0.1  # of a frame period. Clips that deviate more get their true times
OWN_TICK = 1.5  # ticks between frames. With fewer, stamps are counts and not rounded times
ROUNDING = 1.01  # ticks of the time base, by which rounding moves a stamp


@dataclass(frozen=True)
class VideoClock:
    """The time stamps of `index`, for a sheet that states `fps` frames per second."""

    index: VideoIndex
    fps: float

    @cached_property
    def rate(self) -> float | None:
        """The container's rate that the sheet's one stands for. None if they contradict each other."""
        # The base rate first: the average of an uneven video is lower than the rate at which frames were due.
        average, *others = self.index.rates or (0.0,)
        return next((each for each in (*others, average) if self.agrees_with(each)), None)

    def agrees_with(self, rate: float) -> bool:
        return abs(rate - self.fps) <= RATE_TOLERANCE * self.fps

    def is_even(self, last: int) -> bool:
        """Whether the frames up to the place `last` follow each other in the steps that are usual in the video."""
        seconds = self.index.seconds[: last + 1]
        tolerance = max(EVEN_STEP * self._step, self._rounding)
        straight = max(map(abs, _leave_line(seconds))) <= max(EVEN_DRIFT * self._step, self._rounding)
        return straight and all(abs(b - a - self._step) <= tolerance for a, b in pairwise(seconds))

    def find_place(self, seconds: float) -> int | None:
        """The place of the frame nearest to a time after the first frame. None beyond the last frame."""
        stamps = self.index.seconds
        if not 0 <= seconds <= stamps[-1] + 1 / (self.rate or self.fps):
            return None
        at = bisect_left(stamps, seconds)
        return min(
            (each for each in (at - 1, at) if 0 <= each < len(stamps)), key=lambda each: abs(stamps[each] - seconds)
        )

    def true_times(self, places: range) -> tuple[float, ...]:
        """Seconds from the first of `places`. () if they are even, so that numbers tell the times."""
        seconds = [self.index.seconds[place] - self.index.seconds[places.start] for place in places]
        period = 1 / (self.rate or self.fps)
        if self.is_even(places[-1]) or self.rate is None:
            deviations = _leave_line(seconds)
        else:
            deviations = [each - place * period for place, each in enumerate(seconds)]
        if max(map(abs, deviations)) <= max(TIMES_TOLERANCE * period, self._rounding):
            return ()
        return tuple(seconds)

    def due_numbers(self, places: range) -> list[int]:
        """For each place the number by time: its time, counted in frame periods from the first frame."""
        if self.index.container == "avi":
            return [self.index.numbers[place] for place in places]
        return [round(self.index.seconds[place] * (self.rate or self.fps)) for place in places]

    @cached_property
    def _step(self) -> float:
        """The usual time between frames, s."""
        return median(b - a for a, b in pairwise(self.index.seconds)) if len(self.index.seconds) > 1 else 1 / self.fps

    @property
    def _rounding(self) -> float:
        """Seconds by which rounding may move a stamp. 0 where each frame has a tick of its own, as in an AVI."""
        tick = float(self.index.time_base)
        return 0.0 if self._step < OWN_TICK * tick else ROUNDING * tick


def _leave_line(seconds: Sequence[float]) -> list[float]:
    """Distances from the straight line between the first time and the last."""
    step = (seconds[-1] - seconds[0]) / max(len(seconds) - 1, 1)
    return [each - seconds[0] - place * step for place, each in enumerate(seconds)]

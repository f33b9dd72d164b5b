"""What the spotting can be told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpottingSettings:
    """Lengths are distances between the eyes, times s.

    scales: lags of the second differences. smallest, per_second: least threshold of a region's motion, and what is
    added per second of the scale, since drift grows. spreads: least threshold in robust standard deviations of the
    region's own second differences. alone: factor on the score of a region that moves alone.
    """

    scales: tuple[float, ...] = (0.1, 0.18, 0.3, 0.6, 1.2, 2.0)
    smallest: float = 0.0016
    per_second: float = 0.0004
    spreads: float = 5.5
    coarsest: float = 0.02  # largest threshold that noise alone can make
    alone: float = 0.8
    comes_back: float = 0.6  # share of the larger side by which the motion must come back
    shortest: float = 0.105  # one frame in thirty a second is no event
    longest: float = 5.0
    block: float = 300.0  # s of a segment that are searched at a time
    micro: float = 0.5  # longest micro-expression
    same: float = 0.4  # intersection over union above which motions of two parts are one event
    inside: float = 0.4  # share of a larger event's motion below which a motion in the same regions belongs to it
    inside_edge: float = 0.6  # the same of the part's whole motion while the larger event starts or ends
    smallest_lid: float = 0.004  # least threshold of the lids' opening at the finest scale; twice as much at 1 s
    squint: float = 0.45  # how far an eye closes at most in an expression; further is a blink
    blink_closed: float = 0.75  # share of the usual opening of an eye below which it is closed
    fastest_head: float = 0.6  # distances between the eyes a second
    fastest_turn: float = 40.0  # degrees a second
    strong_in_motion: float = 2.0  # thresholds: such an event is flagged only if the head is much quicker
    light_change: float = 0.05  # share of the face's light that a weak event must not change by
    strong: float = 2.0  # thresholds: an event of this strength is not weak
    slowest: float = 20.0  # frames a second
    blink_excess: float = 2.5  # of the motion in this person's usual blink that the threshold rises by during one
    beside_blink: float = 0.1  # s around a blink that count as blink
    long_from: float = 0.6  # scale from which blinks are bridged and the course is smoothed
    rest_window: float = 20.0  # s around a time whose median is the face at rest
    below_rest: float = 0.1  # of a motion's height that its feet may lie beyond the rest
    smooth: float = 0.05  # of the scale: the Gaussian's standard deviation
    speech_excess: float = 1.3  # of the motion in this person's usual syllable, likewise
    speech_quantile: float = 0.9
    wide_open: float = 0.05  # opening of the lips beyond the usual one
    open_excess: float = 0.4  # of what is beyond that, that a motion of the lower face between open lips must exceed
    stretch: float = 2.8  # longest motion in lags of the scale that finds it
    leak_ratio: float = 4.0  # of a larger motion elsewhere to one that may be its trace
    leak_likeness: float = 0.85  # correlation in time from which it is


DEFAULT_SPOTTING = SpottingSettings()

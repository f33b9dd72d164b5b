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
    smallest: float = 0.0015
    per_second: float = 0.003
    spreads: float = 4.5
    alone: float = 0.8
    lids: bool = False
    comes_back: float = 0.5  # share of the larger side by which the motion must come back
    shortest: float = 0.08
    longest: float = 5.0
    micro: float = 0.5  # longest micro-expression
    same: float = 0.4  # intersection over union above which motions of two parts are one event
    inside: float = 0.4  # share of a larger event's motion below which a motion in the same regions belongs to it
    blink_closed: float = 0.75  # share of the usual opening of an eye below which it is closed
    fastest_head: float = 0.6  # distances between the eyes a second


DEFAULT_SPOTTING = SpottingSettings()

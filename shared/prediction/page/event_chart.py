"""The motion of an event's strongest regions from before its onset until after its offset, as lines of a chart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.prediction.model import PredictedEvent
from shared.spotting.face_motion import FaceMotion, Values

MOST_LINES = 3
WIDTH, HEIGHT = 360.0, 120.0  # of the chart's plot, in units of its SVG
MARGIN = (0.5, 0.6)  # time before and after: seconds at least, and share of the event


@dataclass(frozen=True)
class ChartLine:
    """One region: its name, and x,y of its samples in units of the SVG."""

    region: str
    points: str


@dataclass(frozen=True)
class EventChart:
    """Lines, the x of onset, apex and offset, the y of rest, and `top`: distances between the eyes at full height."""

    lines: tuple[ChartLine, ...]
    marks: tuple[float, float, float]
    rest: float
    top: float
    seconds: tuple[float, float]


def plot_events(events: Sequence[PredictedEvent], motions: Mapping[int, Iterable[FaceMotion]]) -> dict[int, EventChart]:
    """The charts of events by their ids, without those whose face has no motion at that time.

    motions: by face id, one per segment; one is in memory at a time.
    """
    found = {}
    for face, segments in motions.items():
        mine = [event for event in events if event.face == face]
        for motion in segments:
            inside = [event for event in mine if motion.times[0] <= event.apex_seconds <= motion.times[-1]]
            charts = {event.id: _plot_event(event, motion) for event in inside}
            found.update({number: chart for number, chart in charts.items() if chart})
    return found


def _plot_event(event: PredictedEvent, motion: FaceMotion) -> EventChart | None:
    regions = [name for name in event.regions if name in motion.regions][:MOST_LINES]
    if not regions:
        return None
    margin = max(MARGIN[0], MARGIN[1] * event.seconds)
    start = max(float(motion.times[0]), event.onset_seconds - margin)
    end = min(float(motion.times[-1]), event.offset_seconds + margin)
    inside = np.flatnonzero((motion.times >= start) & (motion.times <= end))
    if len(inside) < 2:
        return None
    times = motion.times[inside]
    curves = [_follow_region(event, motion, motion.regions.index(name))[inside] for name in regions]
    low, high = min(0.0, *(float(curve.min()) for curve in curves)), max(float(curve.max()) for curve in curves)
    span = max(high - low, 1e-3)

    def place_times(at: Values) -> Values:
        return (at - start) / (end - start) * WIDTH

    def place_values(value: Values) -> Values:
        return HEIGHT - (value - low) / span * HEIGHT

    x = place_times(times)
    lines = tuple(
        ChartLine(name, _write_points(x, place_values(curve))) for name, curve in zip(regions, curves, strict=True)
    )
    onset, apex, offset = place_times(np.array([event.onset_seconds, event.apex_seconds, event.offset_seconds]))
    rest = float(place_values(np.zeros(1))[0])
    return EventChart(lines, (float(onset), float(apex), float(offset)), rest, high, (start, end))


def _write_points(x: Values, y: Values) -> str:
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))


def _follow_region(event: PredictedEvent, motion: FaceMotion, region: int) -> Values:
    """Way of a region from its place at the onset, along its own direction at the apex: [T] distances of the eyes."""
    course = motion.displacement[:, region]
    onset, apex = (
        np.array([np.interp(at, motion.times, axis) for axis in course.T])
        for at in (event.onset_seconds, event.apex_seconds)
    )
    way = apex - onset
    return np.asarray((course - onset) @ (way / max(float(np.hypot(*way)), 1e-9)))

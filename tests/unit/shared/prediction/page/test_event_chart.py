"""The chart of an event: it starts at rest, has its top at the apex, and one line per region."""

import pytest

from shared.prediction.page.event_chart import HEIGHT, WIDTH, EventChart, plot_events
from tests.unit.merstream.prediction import drawn_prediction as drawn


def chart(number: int, **changes: object) -> EventChart | None:
    event = drawn.EVENTS[number - 1].model_copy(update=changes)
    return plot_events([event], drawn.MOTIONS).get(number)


def test_the_line_is_at_rest_at_the_onset_and_on_top_at_the_apex() -> None:
    found = chart(1)
    assert found is not None
    points = [tuple(map(float, point.split(","))) for point in found.lines[0].points.split()]
    top = min(points, key=lambda point: point[1])
    assert top == (pytest.approx(found.marks[1], abs=0.1), 0.0)
    assert found.top == pytest.approx(0.05)
    assert found.rest == pytest.approx(HEIGHT)
    assert next(y for x, y in points if x >= found.marks[0] - 0.1) == pytest.approx(found.rest, abs=0.2)
    assert 0 < found.marks[0] < found.marks[1] < found.marks[2] < WIDTH
    assert found.seconds == (pytest.approx(0.3), pytest.approx(1.7))


def test_there_is_a_line_for_each_of_the_strongest_regions() -> None:
    found = chart(1, regions=("right mouth corner", "unknown", "left mouth corner"))
    assert found is not None
    assert [line.region for line in found.lines] == ["right mouth corner", "left mouth corner"]


def test_an_event_outside_what_was_followed_has_no_chart() -> None:
    assert chart(1, apex_seconds=3.5) is None
    assert chart(1, regions=()) is None

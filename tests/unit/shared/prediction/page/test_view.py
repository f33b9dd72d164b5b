"""What the page of a prediction says of times."""

import pytest

from shared.prediction.page.view import format_clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.00 s"), (59.994, "59.99 s"), (62.46, "1:02.5"), (119.96, "2:00.0"), (3723.5, "1:02:03.5")],
)
def test_times_are_read_as_on_a_player(seconds: float, text: str) -> None:
    assert format_clock(seconds) == text

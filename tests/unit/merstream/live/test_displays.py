"""The terminal's view, and its lines where there is no terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from merstream.live.live_view import LiveView, describe_moment
from merstream.live.terminal_display import TerminalDisplay, draw_sparkline, draw_view
from tests.unit.merstream.live import drawn_session as drawn


@pytest.fixture(scope="module")
def view() -> LiveView:
    session, recogniser = drawn.play_session()
    recogniser.released = True
    session.recognise_next()
    return describe_moment(session, behind=0.25)


def print_view(view: LiveView) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(draw_view(view))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_terminal_shows_rate_curves_events_and_bars(view: LiveView) -> None:
    text = print_view(replace(view, remarks=("It is dark.",)))
    for part in ("smile  3.2 s  30 frames/s  0.25 s behind  1 micro", "! It is dark.", "mouth corner", "positive 0.90"):
        assert part in text
    assert "█" in text


def test_without_a_terminal_each_event_is_a_line_once_it_was_recognised(view: LiveView) -> None:
    console = Console(file=io.StringIO(), width=110)
    event = view.events[0]
    with TerminalDisplay(console) as display:
        display.show_view(replace(view, waiting=(event.id,)))
        assert console.file.getvalue() == ""  # type: ignore[attr-defined]
        display.show_view(view)
        display.show_view(view)
    (line,) = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line == f"{event.onset_seconds:.2f}-{event.offset_seconds:.2f} s face 1 micro: positive 0.90"


def test_a_sparkline_has_a_gap_where_the_face_was_lost() -> None:
    assert draw_sparkline([-1.0, 0.0, 0.5, 1.0]) == " ▁▅█"
    assert len(draw_sparkline([0.0] * 150)) == 50

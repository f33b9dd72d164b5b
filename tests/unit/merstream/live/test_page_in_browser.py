"""The live page in a real headless Chromium: curves, events as they come, bars, the picture, the end; nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from merstream.live.live_view import LiveView, describe_moment
from merstream.live.page_display import PageDisplay
from tests.unit.merstream.live import drawn_session as drawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LIMIT = 120_000  # ms, for any machine


@pytest.fixture(scope="module")
def views() -> tuple[LiveView, LiveView]:
    """Before and after the recognition of the smile."""
    session, recogniser = drawn.play_session()
    before = describe_moment(session)
    recogniser.released = True
    session.recognise_next()
    return before, describe_moment(session)


@pytest.fixture
def display() -> Iterator[PageDisplay]:
    with PageDisplay() as found:
        yield found


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: "Browser", display: PageDisplay) -> Iterator["Page"]:
    """The open page. Afterwards: no error, and no request but to its own server."""
    faults: list[str] = []
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, color_scheme=request.param)
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith(display.address) else faults.append(asked.url))
    opened.goto(display.address, wait_until="commit")
    yield opened
    context.close()
    assert faults == []


def test_events_appear_and_are_recognised(page: "Page", display: PageDisplay, views: tuple[LiveView, LiveView]) -> None:
    before, after = views
    page.wait_for_selector("#status:has-text('Waiting for the first frame')", timeout=LIMIT)
    display.show_view(replace(before, remarks=("The face is dark.",)), drawn.draw_frames()[-1])
    page.wait_for_selector("#limits li:has-text('The face is dark.')", timeout=LIMIT)
    page.wait_for_selector("#events tr:has-text('…')", timeout=LIMIT)
    page.wait_for_selector("#picture:not([hidden])", timeout=LIMIT)
    page.wait_for_selector(".box", timeout=LIMIT)
    assert page.locator("#micro").text_content() == "1"
    display.show_view(after, drawn.draw_frames()[-1])
    page.wait_for_selector("#recognised .best:has-text('positive')", timeout=LIMIT)
    assert page.locator("#limits").is_hidden()
    # The canvas shows blue where the mouth moves.
    blue = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; " + (
        "for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200 && d[i + 2] > 180 && d[i] < 130) n++; return n; }"
    )
    assert page.locator("#curves").evaluate(blue) > 100


def test_the_end_is_said_and_the_page_asks_no_more(
    page: "Page", display: PageDisplay, views: tuple[LiveView, LiveView]
) -> None:
    display.show_view(replace(views[1], ended=True), None)
    page.wait_for_selector("#status:has-text('The session has ended after 3.2 s')", timeout=LIMIT)
    assert page.evaluate("states.readyState") == 2
    assert page.locator("#none").is_visible()

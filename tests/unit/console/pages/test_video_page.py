"""The page of a video, in a real Chromium, while its prediction arrives."""

import re
from typing import TYPE_CHECKING, Any

from services.console.pages.video_routes import SHOWN_EVENTS, place_events
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import draw_video, publish, publish_prediction
from tests.unit.console.pages.browser import wait_until
from tests.unit.merstream.prediction.drawn_prediction import PREDICTION

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def address_of(client: Client) -> str:
    """Of the only video."""
    (found,) = re.findall(r'href="(/videos/[0-9a-f]{16})"', client.open("/videos").text)
    return str(found)


def test_a_video_is_followed_until_its_prediction_is_in_the_page(lab: Any, chromium: "Browser") -> None:
    video = draw_video("anna 01.mp4")
    publish(lab.bus, "mer.videos", video)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{client.port}{address_of(client)}", wait_until="load")
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        assert "watching" in page.inner_text("#state")
        assert page.locator("#prediction").is_hidden()
        publish_prediction(lab.bus, lab.store, video, PREDICTION.encode())
        wait_until(page, "document.querySelectorAll('#prediction tbody tr').length > 0")
        assert page.locator("#prediction tbody tr").count() == len(PREDICTION.events)
        assert page.locator("svg.line rect[height='18']").count() == len(PREDICTION.events)
        for event in PREDICTION.events:
            assert f"{event.apex_seconds:.2f}" in page.inner_text("#prediction tbody")
        assert "prediction.json" in page.inner_text("#state")
        page.close()


def test_what_is_no_prediction_is_left_out_and_other_addresses_are_refused(full: Client) -> None:
    links = re.findall(r'href="(/videos/[0-9a-f]{16})"', full.open("/videos").text)
    pages = [full.open(link) for link in links]
    assert [page.status for page in pages] == [200, 200, 200]
    assert all('<section id="prediction" data-live hidden>' in page.text for page in pages)
    assert sum("fps: expected more than 0." in page.text for page in pages) == 1
    assert full.open("/videos/0123456789abcdef").status == 404


def test_a_time_line_is_bounded_and_every_mark_can_be_seen() -> None:
    many = PREDICTION.model_copy(update={"events": PREDICTION.events * SHOWN_EVENTS})
    marks = place_events(many)
    assert len(marks) == SHOWN_EVENTS
    assert all(mark.width >= 3 and 0 <= mark.left <= 1000 for mark in marks)

"""The page of a video, in a real Chromium: it grows from its upload to its prediction, and opens each event."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from services.console.pages.video_routes import SHOWN_EVENTS
from services.console.videos import view_reader
from shared.prediction.model import Prediction
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import compute_event, draw_video, publish, recognise_video, spot_video
from tests.unit.console.pages.browser import wait_until
from tests.unit.merstream.prediction.drawn_prediction import ARTIFACTS, MOTIONS, PREDICTION

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VIDEO = draw_video("anna 01.mp4")
DRAFT = PREDICTION.model_copy(
    update={
        "model": None,
        "events": tuple(event.model_copy(update={"recognition": None}) for event in PREDICTION.events),
    }
)


def address_of(client: Client) -> str:
    """Of the only video."""
    (found,) = re.findall(r'href="(/videos/[0-9a-f]{16})"', client.open("/videos").text)
    return str(found)


@contextmanager
def open_page(client: Client, chromium: "Browser", query: str = "") -> "Iterator[Page]":
    """The page of the only video. Afterwards: nothing was refused, failed or asked of somebody else."""
    faults: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    origin = f"http://127.0.0.1:{client.port}"
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.on("request", lambda asked: None if asked.url.startswith(("data:", origin)) else faults.append(asked.url))
    page.goto(f"{origin}{address_of(client)}{query}", wait_until="load")
    wait_until(page, "document.getElementById('connection').textContent === 'live'")
    yield page
    page.close()
    assert faults == []


def count_parts(selector: str) -> str:
    return f"document.querySelectorAll({selector!r}).length"


def publish_predicted(lab: Any, prediction: Prediction = PREDICTION) -> None:
    """A video that has gone all the way."""
    spotted = spot_video(lab.bus, lab.store, VIDEO, DRAFT, MOTIONS)
    features = [compute_event(lab.bus, lab.store, VIDEO, number, held) for number, held in ARTIFACTS.items()]
    recognise_video(lab.bus, lab.store, spotted, features, prediction.encode())


def delete_artifacts(lab: Any, prefix: str) -> None:
    for key in [key for key in lab.store.list_keys(prefix) if key.endswith(".npz")]:
        lab.store.delete(key)


def test_a_page_grows_from_the_upload_to_the_prediction(lab: Any, chromium: "Browser") -> None:
    publish(lab.bus, "mer.videos", VIDEO)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client, open_page(client, chromium) as page:
        assert "watching" in page.inner_text("#state")
        assert page.locator(".prediction").count() == 0

        spotted = spot_video(lab.bus, lab.store, VIDEO, DRAFT, MOTIONS)
        page.locator("tr[data-event]").nth(2).wait_for()  # the page is loaded anew, which ends an evaluation
        assert page.locator(".lanes .mark").count() == 3
        wait_until(page, "document.getElementById('scale').textContent === '5.0 %'")
        page.click("button.open[data-open='1']")
        wait_until(page, f"{count_parts('#event-1 .chart svg')} === 1")
        opened = page.locator("#event-1")
        assert "The stages are at work on this event." in opened.inner_text()
        assert "Not recognised yet." in opened.inner_text()
        page.uncheck("input[data-show='macro']")

        features = [compute_event(lab.bus, lab.store, VIDEO, number, held) for number, held in ARTIFACTS.items()]
        wait_until(page, f"{count_parts('#event-1 .film .cell')} === 8")
        assert opened.locator(".arrows line.under").count() == 30
        assert "Not recognised yet." in opened.inner_text()

        recognise_video(lab.bus, lab.store, spotted, features, PREDICTION.encode())
        wait_until(page, f"{count_parts('#event-1 .bars')} === 3")
        assert "Event 1: micro-expression of face 1, positive" in opened.inner_text()
        assert page.locator("tr[data-event='1'] td").nth(5).inner_text() == "positive 80 %"
        assert page.locator("tr[data-event='3']").is_hidden(), "the filter holds"
        assert page.locator("tr[data-event='1']").get_attribute("class") == "current"
        assert "prediction.json" in page.inner_text("#state")


def test_the_view_places_and_plays_as_that_of_a_file(lab: Any, chromium: "Browser") -> None:
    publish_predicted(lab)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client, open_page(client, chromium) as page:
        mark = page.locator(".mark[data-open='3']")
        box, lane = mark.bounding_box(), page.locator(".lane .plot").nth(1).bounding_box()
        assert box
        assert lane
        assert abs((box["x"] - lane["x"]) / lane["width"] - 2.8 / 4) < 0.01
        pictures = "[...document.querySelectorAll('#lanes img, #faces img')].map(each => each.naturalWidth)"
        wait_until(page, f"{pictures}.every(width => width === 96)")
        assert page.evaluate(pictures) == [96] * 4
        mark.click()
        wait_until(page, f"{count_parts('#event-3 .film')} === 1")
        cell = page.locator("#event-3 .moving").first
        page.locator("#event-3 input[type=range]").fill("4")
        assert page.locator("#event-3 output").inner_text() == "+0.20 s"
        assert cell.evaluate("cell => getComputedStyle(cell).backgroundImage").startswith('url("data:image/webp')
        assert page.locator("#event-3 .bars .track i").first.evaluate("bar => bar.style.width") == "5%"
        page.click("#event-3 h2")
        page.keyboard.press("ArrowLeft")
        wait_until(page, "!!document.querySelector('#event-2:not([hidden])')?.textContent.includes('No face at the')")
        assert page.locator("#event-3").is_hidden()
        page.keyboard.press("Escape")
        assert page.locator("section.event:visible").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_without_faces_no_picture_shows_one(lab: Any, chromium: "Browser") -> None:
    publish_predicted(lab)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        with open_page(client, chromium, "?faces=no") as page:
            page.click("button.open[data-open='1']")
            wait_until(page, f"{count_parts('#event-1 .arrows.schematic')} === 1")
            assert page.locator("#event-1 .film").count() == 0
            assert page.locator(".prediction img:not(.flow, .wheel)").count() == 0
        event = f"{address_of(client)}/events/1"
        bare, whole = (client.open(f"{event}{query}").text for query in ("?faces=no", ""))
        assert (bare.count("<image href="), whole.count("<image href=")) == (0, 1)
        assert ('class="film"' in bare, 'class="film"' in whole) == (False, True)


def test_arrays_that_were_deleted_leave_the_rest(lab: Any) -> None:
    publish_predicted(lab)
    delete_artifacts(lab, "magnifier/event-1")
    with served(lab.bus, lab.store) as client:
        address = address_of(client)
        page = client.open(f"{address}/events/1").text
        assert "what the stages made of it was deleted" in page
        assert 'class="plain chart"' in page
        assert "<small>lip corner puller</small>" in page
        assert [each["face"] for each in client.open(f"{address}/curves").json] == [1, 2]
        delete_artifacts(lab, "spotter/v/r")
        assert client.open(f"{address}/curves").json == []
        assert 'class="plain chart"' not in client.open(f"{address}/events/1").text
        assert client.open(f"{address}/events/9").status == 404
        assert [client.open(f"{address}/faces/{face}").status for face in (1, 2, 3)] == [404, 200, 404]


def test_motion_that_is_too_large_is_refused_with_what_to_do(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_predicted(lab)
    monkeypatch.setattr(view_reader, "LARGEST_MOTION_BYTES", 100)
    with served(lab.bus, lab.store) as client:
        refused = client.get(f"{address_of(client)}/curves")
        sentence = "anna 01.mp4 is too long for the curves of a page. `mer fetch --html` draws them."
        assert (refused.status, refused.detail) == (413, sentence)
        assert 'class="plain chart"' not in client.open(f"{address_of(client)}/events/1").text


def test_a_long_list_is_bounded(lab: Any) -> None:
    many = PREDICTION.model_copy(
        update={"events": tuple(PREDICTION.events[0].model_copy(update={"id": n + 1}) for n in range(SHOWN_EVENTS + 7))}
    )
    publish_predicted(lab, many)
    with served(lab.bus, lab.store) as client:
        page = client.open(address_of(client)).text
        assert page.count("<tr data-event=") == SHOWN_EVENTS
        assert "7 later events are not shown" in page


def test_what_is_no_prediction_is_left_out_and_other_addresses_are_refused(full: Client) -> None:
    links = re.findall(r'href="(/videos/[0-9a-f]{16})"', full.open("/videos").text)
    pages = [full.open(link) for link in links]
    assert [page.status for page in pages] == [200, 200, 200]
    assert all('<div class="prediction">' not in page.text for page in pages)
    assert sum("fps: expected more than 0." in page.text for page in pages) == 1
    assert full.open(f"{links[0]}/curves").status == full.open(f"{links[0]}/events/1").status == 404
    assert full.open("/videos/0123456789abcdef").status == 404

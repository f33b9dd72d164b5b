"""The page in a real headless Chromium: it opens, plays, shows events, obeys keys, and asks for nothing outside."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from merstream.prediction import playable_video
from merstream.prediction.page_writer import write_page
from tests.unit.merstream.prediction import drawn_prediction as drawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LAPTOP = {"width": 1366, "height": 768}
# The colour of a pixel of the chart, in CSS px from its left and top.
PIXEL = """([x, y]) => { const chart = document.getElementById("chart"), ratio = devicePixelRatio;
  const copy = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  copy.drawImage(chart, -x * ratio, -y * ratio);
  return [...copy.getImageData(0, 0, 1, 1).data]; }"""
Opener = Callable[..., "Page"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn.write_video(tmp_path_factory.mktemp("video"))


@pytest.fixture
def show_page(chromium: "Browser", tmp_path: Path) -> Iterator[Opener]:
    """Writes a page and opens it. Afterwards: no error in the console, and no request but for files beside it."""
    faults: list[str] = []
    contexts = []

    def show(prediction: Any = drawn.PREDICTION, scheme: str = "light", fragment: str = "", **options: Any) -> "Page":
        held = options.pop("artifacts", drawn.ARTIFACTS)
        file = write_page(tmp_path / "out", prediction, drawn.MOTIONS, held, **options)
        context = chromium.new_context(viewport=LAPTOP, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on("requestfailed", lambda request: faults.append(f"failed: {request.url[:80]}"))
        page.on(
            "request", lambda asked: None if asked.url.startswith(("data:", "file:")) else faults.append(asked.url[:80])
        )
        page.goto(file.as_uri() + fragment)
        return page

    yield show
    for context in contexts:
        context.close()
    assert faults == []


def wait_until(page: "Page", condition: str) -> None:
    """Playwright's own waiting evaluates text in the page, which the page's policy forbids."""
    limit = time.monotonic() + 120
    while not page.evaluate(condition):
        assert time.monotonic() < limit, condition
        page.wait_for_timeout(20)


def wait_for_video(page: "Page") -> None:
    wait_until(page, "document.getElementById('video').readyState >= 2")


def read_opened(page: "Page") -> list[str]:
    return [str(each.get_attribute("data-event")) for each in page.locator("section.event:visible").all()]


def test_the_page_opens_and_says_what_was_found(show_page: Opener) -> None:
    page = show_page()
    assert page.title() == "two faces.mp4 · merstream"
    assert page.locator(".counts dd").all_inner_texts() == ["1", "1", "1", "2"]
    assert page.locator(".limits li").all_inner_texts() == list(drawn.PREDICTION.remarks)
    assert page.locator("tr[data-event]").count() == 3
    assert read_opened(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= LAPTOP["width"]


def test_the_video_plays_and_an_event_is_found_in_it(show_page: Opener, video: Path) -> None:
    page = show_page(video=video)
    wait_for_video(page)
    assert page.evaluate("video.duration") == pytest.approx(4.0, abs=0.05)
    page.click("button.open[data-open='1']")
    assert page.evaluate("video.currentTime") == pytest.approx(1.0)
    wait_until(page, "!video.seeking")  # no event of the first seek is left
    page.evaluate(
        "video.addEventListener('seeking', () => { window.began ??= video.currentTime; })"
    )  # before it moves on
    page.click("section.event:visible button[data-play]")
    wait_until(page, "window.began !== undefined")
    assert page.evaluate("window.began") == pytest.approx(0.3, abs=0.05)  # half a second before the onset
    wait_until(page, "video.paused")
    assert page.evaluate("video.currentTime") > 1.2  # after the offset
    assert not page.evaluate("video.ended")


def test_a_large_video_is_read_from_beside_the_page(
    show_page: Opener, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playable_video, "EMBEDDED_BYTES", 10)
    page = show_page(video=video)
    wait_for_video(page)
    assert page.evaluate("video.videoWidth") == drawn.SIZE[1]


def test_an_event_opens_with_frames_motion_and_probabilities(show_page: Opener) -> None:
    page = show_page()
    page.click("tr[data-event='1'] td:nth-child(3)")
    assert read_opened(page) == ["1"]
    opened = page.locator("#event-1")
    assert "only on the person's left side" in opened.inner_text()
    assert opened.locator(".cell").count() == 8
    assert opened.locator(".arrows line.under").count() == 30
    assert opened.locator("img.flow").evaluate("image => image.naturalWidth") == 200
    assert opened.locator(".chart polyline").count() == 1
    best = ["positive\n80 %", "happiness\n70 %", "AU 12 lip corner puller\n90 %"]
    assert opened.locator(".bars .best").all_inner_texts() == best
    assert page.evaluate("document.activeElement.id") == "event-1"
    assert page.locator("button.open[data-open='1']").get_attribute("aria-expanded") == "true"
    box = opened.locator("h2").bounding_box()
    assert box is not None
    lanes = page.locator("#lanes").bounding_box()
    assert lanes is not None
    assert lanes["y"] + lanes["height"] <= box["y"] < LAPTOP["height"]  # in sight, below what stays on top


def test_the_pictures_of_the_film_are_those_of_the_event(show_page: Opener) -> None:
    page = show_page(fragment="#event-1")
    recorded, magnified = (page.locator("#event-1 .cell").nth(number).screenshot() for number in (1, 5))
    assert read_mean(recorded) == pytest.approx(120, abs=6)
    assert read_mean(magnified) == pytest.approx(60, abs=6)


def read_mean(png: bytes) -> float:
    import cv2

    picture = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    return float(picture[8:-8, 8:-8].mean())


def test_the_film_moves_by_hand_and_by_itself(show_page: Opener) -> None:
    page = show_page(fragment="#event-1")
    page.locator("#event-1 input[type=range]").fill("4")
    assert page.locator("#event-1 output").inner_text() == "+0.20 s"
    moving = page.locator("#event-1 .moving").first
    assert moving.evaluate("cell => cell.style.getPropertyValue('--x')") == "4"
    page.click("#event-1 .run")
    wait_until(page, "document.querySelector('#event-1 output').textContent !== '+0.20 s'")
    page.click("#event-1 .run")
    assert page.locator("#event-1 .run").get_attribute("aria-pressed") == "false"


def test_a_flagged_event_says_why_and_what_failed(show_page: Opener) -> None:
    page = show_page()
    mark = page.locator(".mark[data-open='2']")
    assert "repeating-linear-gradient" in mark.evaluate("mark => getComputedStyle(mark).backgroundImage")
    plain = page.locator(".mark[data-open='1']").evaluate("mark => getComputedStyle(mark).backgroundImage")
    assert plain == "none"
    mark.click()
    text = page.locator("#event-2").inner_text()
    assert "blink" in text
    assert drawn.BLINK.reason in text
    assert "Not recognised. No face at the onset." in text


def test_keys_walk_through_events_and_close_them(show_page: Opener) -> None:
    page = show_page()
    steps = ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Escape"]
    opened = []
    for key in steps:
        page.keyboard.press(key)
        opened.append(read_opened(page))
    assert opened == [["1"], ["2"], ["3"], ["3"], ["2"], []]
    assert page.evaluate("document.activeElement.dataset.open") == "2"
    page.keyboard.press("Enter")
    assert read_opened(page) == ["2"]


def test_space_plays_and_pauses(show_page: Opener, video: Path) -> None:
    page = show_page(video=video)
    wait_for_video(page)
    page.keyboard.press(" ")
    wait_until(page, "!video.paused && video.currentTime > 0.1")
    page.keyboard.press(" ")
    wait_until(page, "video.paused")
    assert page.evaluate("scrollY") == 0


def test_filters_hide_events_and_keys_skip_them(show_page: Opener) -> None:
    page = show_page()
    page.uncheck("[data-show=flagged]")
    assert page.locator("tr[data-event]:visible").count() == 2
    assert not page.locator(".mark[data-open='2']").is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert read_opened(page) == ["3"]
    page.uncheck("[data-show=macro]")
    assert page.locator("tr[data-event]:visible").count() == 1


def place_in_chart(page: "Page", seconds: float) -> float:
    """x of a time, CSS px, while the whole recording is shown."""
    width = page.evaluate("document.getElementById('chart').clientWidth")
    return float(108 + (width - 108) * seconds / drawn.SECONDS)


def test_the_chart_shows_motion_where_it_was(show_page: Opener) -> None:
    page = show_page()
    wait_until(page, "document.getElementById('chart').height > 50")
    first_row = 10  # y of its middle: above is the left side, below the right one
    blue = page.evaluate(PIXEL, [place_in_chart(page, 1.0), first_row - 5])
    assert blue[2] > blue[0] + 60
    for seconds, y in ((0.3, first_row - 5), (1.0, first_row + 7)):  # at rest; the right side moves less
        red, _, blue_there, _ = page.evaluate(PIXEL, [place_in_chart(page, seconds), y])
        assert blue_there <= red + 30
    page.click("[data-face='2']")
    assert page.locator("#shown-face").inner_text() == "face 2"
    place = [place_in_chart(page, 3.0), 20 + 8]
    wait_until(page, f"(([red, , blue]) => blue > red + 60)(({PIXEL})({place}))")


def test_the_pointer_reads_the_chart_and_a_click_goes_there(show_page: Opener, video: Path) -> None:
    page = show_page(video=video)
    wait_for_video(page)
    page.locator("#chart").hover(position={"x": place_in_chart(page, 1.0), "y": 5})
    assert page.locator("#readout").inner_text() == "1.00 s · mouth corner left 5.0 %, right 2.0 %"
    page.locator("#chart").click(position={"x": place_in_chart(page, 2.0), "y": 5})
    assert page.evaluate("video.currentTime") == pytest.approx(2.0, abs=0.02)


def test_zooming_shows_a_part_of_the_time(show_page: Opener) -> None:
    page = show_page()
    mark = page.locator(".mark[data-open='1']")
    before = mark.bounding_box()
    page.click("[data-zoom='2']")
    after = mark.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] == pytest.approx(2 * before["width"], rel=0.01)
    assert page.locator("#window").evaluate("part => part.style.width") == "50%"
    page.keyboard.press("0")
    assert mark.bounding_box() == before
    page.keyboard.press("+")
    page.keyboard.press("-")
    assert mark.bounding_box() == before


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_it_is_light_or_dark_as_the_machine(show_page: Opener, scheme: str, light: bool) -> None:
    page = show_page(scheme=scheme)
    ink, ground = (
        sum(map(int, page.evaluate(f"getComputedStyle(document.body).{name}.match(/\\d+/g)")[:3])) / 3
        for name in ("color", "backgroundColor")
    )
    assert (ground > 200, ink < 100) == (light, light)
    assert abs(ground - ink) > 150


def test_print_shows_every_event_and_all_time(show_page: Opener) -> None:
    page = show_page(fragment="#event-1")
    page.emulate_media(media="print")
    assert page.locator("section.event:visible").count() == 3
    assert not page.locator(".reel").first.is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_without_faces_an_event_shows_a_drawn_one(show_page: Opener, video: Path) -> None:
    page = show_page(video=video, faces=False, fragment="#event-1")
    assert page.locator("video").count() == 0
    assert page.locator("#event-1 .cell").count() == 0
    assert page.locator("#event-1 .arrows image").count() == 0
    assert page.locator("#event-1 .outline").count() == 9
    assert "no pictures of faces" in page.locator("main").inner_text()


def test_frames_of_the_strip_do_not_cover_each_other(show_page: Opener) -> None:
    strip = [(at, np.full((48, 96, 3), 90, np.uint8)) for at in np.arange(0.05, 4, 0.1)]
    page = show_page(strip=strip)
    boxes = [each.bounding_box() for each in page.locator(".strip img").all() if each.is_visible()]
    edges = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
    assert 3 < len(edges) < 40
    assert all(end <= start for (_, end), (start, _) in pairwise(edges))


def test_a_recording_without_events_or_faces_is_explained(show_page: Opener) -> None:
    page = show_page(drawn.PREDICTION.model_copy(update={"events": ()}))
    assert "No expression was spotted" in page.locator(".nothing").inner_text()
    assert page.evaluate("document.getElementById('chart').height") > 50
    page = show_page(drawn.PREDICTION.model_copy(update={"events": (), "faces": ()}))
    assert "No face was followed" in page.locator(".nothing").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")


def test_many_events_of_a_long_recording_stay_usable(show_page: Opener) -> None:
    events = tuple(drawn.predict_event(number, 1, 6.0 * number, recognition=drawn.SMILE) for number in range(1, 601))
    facts = drawn.PREDICTION.video.model_copy(update={"seconds": 3700.0})
    page = show_page(drawn.PREDICTION.model_copy(update={"events": events, "video": facts}), artifacts={})
    page.keyboard.press("ArrowLeft")
    assert read_opened(page) == ["600"]
    row, mark = page.locator("tr[data-event='600']"), page.locator(".mark[data-open='600']")
    assert row.evaluate("row => row.offsetTop >= row.closest('.scroll').scrollTop")
    box = mark.bounding_box()
    assert box is not None
    assert box["width"] > 30  # zoomed to
    assert "1:00:00.0" in page.locator("#event-600").inner_text()

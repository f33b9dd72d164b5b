"""Every page for everybody: light, dark, on a phone, with the keyboard alone, and by the rules of axe-core."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from shared.bus import Bus
from shared.store import Store
from tests.unit.console.conftest import Client
from tests.unit.console.drawn_stack import (
    DONE,
    FAILED,
    HOSTILE_NAME,
    LETTER,
    OTHER,
    TRAINING,
    bury_clip,
    draw_video,
    fill_stack,
    publish_clip,
    publish_letters,
    publish_prediction,
    publish_videos,
)
from tests.unit.console.pages.browser import Opener, wait_until
from tests.unit.console.pages.conftest import serve_folder
from tests.unit.merstream.prediction.drawn_prediction import PREDICTION

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOKEN = "0123456789" * 4
FILLED = (
    *("/", "/datasets", "/datasets/lab-2026", f"/datasets/{quote(HOSTILE_NAME)}", "/datasets/lab-2026/clips"),
    *("/datasets/lab-2026/clips/s00/EP00", "/runs", "/runs?search=nothing", "/runs/new", f"/runs/new?repeat={DONE}"),
    *(f"/runs/{DONE}", f"/runs/{FAILED}", f"/runs/{TRAINING}", f"/runs/compare?run={DONE}&run={OTHER}"),
    *("/dead-letters", "/dead-letters?search=ingest&page=3", f"/dead-letters/{LETTER}"),
    *("/videos", "/uploads", "/docs", "/login", "/nothing"),
)
LISTS = ("/", "/datasets", "/runs", "/runs/new", "/dead-letters", "/videos", "/uploads")
SHAPES = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]  # a laptop and a phone
# axe-core asks these by itself, and the size of targets (WCAG 2.2) only if it is told to.
RULES = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
# One radio button of a group. A mark on the time line opens the event that the table's button opens.
REACHABLE = "a, button:not(.mark), input:not([type=radio]:not(:checked)), select, textarea, summary"
NOTE_FOCUS = f"""[window.reached, window.unseen] = [new Set(), []];
document.addEventListener('focusin', ({{ target }}) => {{
  const style = getComputedStyle(target);
  if (target.matches('{REACHABLE}')) reached.add(target);
  if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) unseen.push(target.outerHTML);
}});
document.activeElement.blur();
[...document.querySelectorAll('{REACHABLE}')].filter(each => each.checkVisibility()).length"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """`full` with pictures of a clip, a prediction and a letter about a frame. Nobody changes this one."""
    with serve_folder(tmp_path_factory.mktemp("stack"), fill_stack, add_pictures) as client:
        yield client


def add_pictures(bus: Bus, store: Store) -> None:
    publish_clip(bus, store)
    publish_prediction(bus, store, draw_video("carl.mp4"), PREDICTION.encode())
    frame = cv2.imencode(".png", np.full((90, 120), 120, np.uint8))[1].tobytes()
    bury_clip(bus, store, 400, "img010.png: no face was found.", {"img010.png": frame})


def list_paths(client: Client) -> list[str]:
    """All pages of `stack`. Addresses of videos and of the letter with a frame are read from their lists."""
    lists = client.open("/videos").text + client.open("/dead-letters?search=EP400").text
    found = sorted(set(re.findall(r'href="(/videos/[0-9a-f]{16}|/dead-letters/[0-9a-f]{8})"', lists)))
    assert len(found) == 5
    return [*FILLED, *found]


def check_page(page: "Page") -> None:
    """In each shape: nothing is cut off, the colours are those that were asked for, and axe-core finds nothing."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for width, scheme in SHAPES:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        where = f"{page.url} at {width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, where
        cut = "[...document.querySelectorAll('.wide')].filter(each => each.scrollWidth > each.clientWidth + 1).length"
        assert page.evaluate(cut) == 0, f"{where}: a table is wider than its place"
        light = page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])") > 128
        assert light == (scheme == "light"), where
        found = Axe().run(page, options=RULES)
        assert found.violations_count == 0, f"{where}: {found.generate_report()}"


def check_pages(client: Client, paths: Iterable[str], open_page: Opener) -> None:
    for path in paths:
        page = open_page(client, path)
        check_page(page)
        page.context.close()


def test_pages_fit_and_can_be_read(stack: Client, open_page: Opener) -> None:
    check_pages(stack, list_paths(stack), open_page)


def test_empty_pages_fit_and_can_be_read(empty: Client, open_page: Opener) -> None:
    check_pages(empty, LISTS, open_page)


def test_pages_of_one_folder_fit_and_can_be_read(tmp_path: Path, open_page: Opener) -> None:
    with serve_folder(tmp_path, publish_videos, run_folder="out/a folder") as client:
        check_pages(client, LISTS, open_page)


def test_refusals_of_forms_fit_and_can_be_read(stack: Client, open_page: Opener) -> None:
    page = open_page(stack, "/runs/new")
    with page.expect_navigation():
        page.click("text=Start the run")
    assert "Not started." in page.inner_text("[role=alert]")
    check_page(page)
    page = open_page(stack, "/uploads")
    page.click(".main")
    wait_until(page, "document.getElementById('state').textContent === 'Choose files or a folder first.'")
    check_page(page)


def test_a_login_and_its_pages_fit_and_can_be_read(tmp_path: Path, open_page: Opener) -> None:
    with serve_folder(tmp_path, publish_videos, api_token=TOKEN) as client:
        page = open_page(client, "/videos")
        for token in ("wrong", TOKEN):
            check_page(page)
            page.fill("#token", token)
            with page.expect_navigation():
                page.keyboard.press("Enter")
            assert page.locator("[role=alert]").count() == (token == "wrong")
        assert page.locator(".logout").is_visible()
        check_page(page)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(stack: Client, open_page: Opener) -> None:
    for path in list_paths(stack):
        page = open_page(stack, path)
        wanted = page.evaluate(NOTE_FOCUS)
        for _ in range(2 * wanted + 10):  # parts that scroll take the focus, too
            page.keyboard.press("Tab")
            if page.evaluate("window.reached.size") == wanted:
                break
        assert page.evaluate("window.unseen") == [], path
        assert page.evaluate("window.reached.size") == wanted, path
        page.context.close()


def test_the_first_key_skips_to_the_content(stack: Client, open_page: Opener) -> None:
    page = open_page(stack, "/datasets")
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_letter_is_chosen_and_replayed_with_keys(tmp_path: Path, open_page: Opener) -> None:
    with serve_folder(tmp_path, lambda bus, store: publish_letters(bus, store, 3)) as client:
        page = open_page(client, "/dead-letters")
        tab_to(page, "input[name=id]")
        page.keyboard.press("Space")
        tab_to(page, "button[formaction='/dead-letters/replay']", "Shift+Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.inner_text(".said") == "1 dead letter was replayed."
        assert page.locator("tbody tr").count() == 2


def tab_to(page: "Page", wanted: str, key: str = "Tab") -> None:
    for _ in range(100):
        page.keyboard.press(key)
        if page.evaluate(f"document.activeElement.matches(`{wanted}`)"):
            return
    raise AssertionError(f"The keyboard did not reach {wanted} of {page.url}.")

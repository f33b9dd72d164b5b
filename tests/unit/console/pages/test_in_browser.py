"""What one does with the pages, and how they change, in a real headless Chromium."""

import threading
from typing import TYPE_CHECKING

from services.ingest.withdrawal.loop import WithdrawalLoop
from services.ingest.withdrawal.withdrawing import Withdrawer
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import (
    DONE,
    HOSTILE_NAME,
    TRAINING,
    fill_stack,
    publish_clip,
    publish_dataset,
    publish_fold,
    publish_letters,
)
from tests.unit.console.pages.browser import Opener, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_search_is_typed_and_shown(full: Client, open_page: Opener) -> None:
    page = open_page(full, "/dead-letters")
    page.fill("#search", "trainer")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("tbody tr").count() == 1
    assert page.input_value("#search") == "trainer"
    assert "MemoryError" in page.inner_text("tbody")
    with page.expect_navigation():
        page.click("text=Show all")
    assert page.locator("tbody tr").count() == 100


def test_a_page_follows_and_keeps_the_focus_and_what_is_open(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    publish_dataset(lab.bus, lab.store, "first", features=1)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, "/")
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        page.focus("#datasets a")
        publish_dataset(lab.bus, lab.store, "second", features=1)
        wait_until(page, "document.querySelectorAll('#datasets tbody tr').length === 2")
        assert page.evaluate("document.activeElement.textContent") == "first"
        publish_letters(lab.bus, lab.store, 3)
        wait_until(page, "document.querySelector('.badge')?.textContent === '3'")
        wait_until(page, "document.querySelectorAll('#letters tbody tr').length === 3")


def test_letters_are_ticked_and_discarded_while_the_page_changes(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    publish_letters(lab.bus, lab.store, 4)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, "/dead-letters")
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        page.locator("tbody tr:has-text('ingest') input").first.check()
        publish_letters(lab.bus, lab.store, 6)
        wait_until(page, "document.querySelectorAll('tbody tr').length === 6")
        assert page.locator("tbody input:checked").count() == 1
        with page.expect_navigation():
            page.click("text=Discard the chosen")
        assert page.inner_text(".said") == "1 dead letter was discarded."
        assert page.locator("tbody tr").count() == 5
        page.click("summary")
        with page.expect_navigation():
            page.click("text=Replay all 5")
        assert page.locator("tbody tr").count() == 0
    assert lab.published("mer.sources") == 4


def test_a_run_is_started_by_the_form_after_a_refusal(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    lab.extract()
    lab.drop(complete=True)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, "/runs")
        with page.expect_navigation():
            page.click("text=Start a run")
        page.check("input[name=datasets]")
        page.select_option("#model", "majority")
        page.select_option("#protocol", "split")
        page.click("summary:has-text('Training')")
        page.fill("[id='settings.epochs']", "3")
        with page.expect_navigation():
            page.click("text=Start the run")
        assert page.inner_text("[role=alert]").startswith("Not started. Protocol split needs test_subjects")
        assert page.input_value("[id='settings.epochs']") == "3"
        page.click("summary:has-text('Protocol')")
        page.fill("[id='settings.test_subjects']", "s00")
        with page.expect_navigation():
            page.click("text=Start the run")
        assert page.inner_text("h1") == "majority on toy"
        with page.expect_navigation():
            page.click("text=Repeat this run")
        assert page.input_value("[id='settings.test_subjects']") == "s00"


def test_a_run_is_deleted_after_one_has_read_what_goes(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    fill_stack(lab.bus, lab.store)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, f"/runs/{DONE}")
        assert not page.locator("text=Delete run").is_visible()
        page.click("summary:has-text('Delete this run')")
        with page.expect_navigation():
            page.click("text=Delete run")
        assert page.inner_text(".said") == f"Run {DONE} was deleted."
        assert page.locator(f"a[href='/runs/{DONE}']").count() == 0


def test_a_person_is_removed_after_one_has_seen_what_goes(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    lab.extract()
    lab.drop(complete=True)
    loop = WithdrawalLoop(lab.store, lambda: Withdrawer(lab.bus, lab.store, None), threading.Event())
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, "/datasets/toy")
        page.click("summary:has-text('Remove this dataset')")
        page.fill("#subject", "s01")
        with page.expect_navigation():
            page.click("text=Show what goes")
        assert page.inner_text("h1") == "Remove person s01 of toy"
        with page.expect_navigation():
            page.click("button:has-text('Remove s01')")
        assert "in work" in page.inner_text(".said")
        loop.serve_requests()
        page.locator(".said:has-text('One person of toy: removed 3 clips')").wait_for()  # the page loads itself again


def test_runs_are_ticked_and_compared(full: Client, open_page: Opener) -> None:
    page = open_page(full, "/runs")
    assert page.locator("tbody input").count() == 2, "only those that are done"
    for box in page.locator("tbody input").all():
        box.check()
    with page.expect_navigation():
        page.click("text=Compare the chosen")
    assert page.inner_text("h1") == "2 runs side by side"
    assert page.locator(".right").count() == page.locator("table").last.locator("tbody tr").count()


def test_arrow_keys_turn_from_clip_to_clip(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    publish_dataset(lab.bus, lab.store, "lab-2026", features=3)
    for number in range(3):
        publish_clip(lab.bus, lab.store, number)
    with served(lab.bus, lab.store) as client:
        page = open_page(client, "/datasets/lab-2026/clips/s00/EP00")
        for key, title in (("ArrowRight", "s01/EP01"), ("ArrowRight", "s02/EP02"), ("ArrowLeft", "s01/EP01")):
            with page.expect_navigation():
                page.keyboard.press(key)
            assert page.inner_text("h1") == title
        page.focus("#factor")
        page.keyboard.press("ArrowRight")
        assert page.inner_text("h1") == "s01/EP01", "the key chooses a factor"
        with page.expect_navigation():
            page.click("text=Show")
        assert page.evaluate("document.getElementById('factor').value") == "2"
        page.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })")
        wait_until(page, "[...document.images].every(each => each.complete && each.naturalWidth > 90)")


def test_a_finished_fold_draws_its_line_before_ones_eyes(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    fill_stack(lab.bus, lab.store)
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, f"/runs/{TRAINING}")
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        assert page.locator("polyline").count() == 2, "loss and UF1 of one fold"
        publish_fold(lab.bus, lab.store, "lab-2026/s02")
        wait_until(page, "document.querySelectorAll('polyline').length === 4")


def test_an_empty_stack_fills_before_ones_eyes(lab, open_page: Opener) -> None:  # type: ignore[no-untyped-def]
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = open_page(client, "/")
        assert page.locator("#start").is_visible()
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        publish_dataset(lab.bus, lab.store, HOSTILE_NAME, features=1)
        wait_until(page, "document.getElementById('start').hidden")
        assert page.inner_text("#datasets tbody a") == HOSTILE_NAME


def test_a_console_that_ends_is_said(lab, chromium: "Browser") -> None:  # type: ignore[no-untyped-def]
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{client.port}/", wait_until="domcontentloaded")
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
    wait_until(page, "document.getElementById('connection').textContent.startsWith('no connection')")
    page.close()

"""The course of each fold, while it is trained and after it."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from services.console.runs.fold_curves import draw_lines
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import DONE, TRAINING, publish_fold, publish_runs, store_course
from tests.unit.console.pages.browser import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_run_in_training_shows_the_curves_of_its_finished_folds(full: Client) -> None:
    (fold,) = full.get(f"/runs/{TRAINING}/curves").json
    assert (fold["held_out"], fold["seed"], fold["accuracy"], fold["seconds"]) == ("lab-2026/s01", 3, 1.0, None)
    assert fold["loss"] == pytest.approx([2 / (n + 1) for n in range(10)])
    assert fold["uf1"] == pytest.approx([n / 9 for n in range(10)])
    page = full.open(f"/runs/{TRAINING}").text
    loss, uf1 = re.findall(r'<polyline class="curve" points="([^"]+)"><title>lab-2026/s01, seed 3</title>', page)
    assert loss.split()[0] == "0.0,0.0"
    assert (uf1.split()[0], uf1.split()[-1]) == ("0.0,120.0", "320.0,0.0")
    assert "0 to 2, 10 epochs" in page


def test_a_run_without_folds_shows_none(full: Client) -> None:
    assert full.get(f"/runs/{DONE}/curves").json == []
    assert '<section id="folds" data-live hidden>' in full.open(f"/runs/{DONE}").text
    assert full.get(f"/runs/{'0' * 32}/curves").status == 404


def test_learners_without_epochs_have_a_table_and_no_chart(lab, api, trainer) -> None:  # type: ignore[no-untyped-def]
    lab.extract()
    lab.drop(complete=True, model="majority")
    trainer().work()
    client, run = api(), lab.result().run
    folds = client.get(f"/runs/{run}/curves").json
    assert [(fold["loss"], fold["uf1"]) for fold in folds] == [([], [])] * 2
    page = client.open(f"/runs/{run}").text
    assert "<polyline" not in page
    for fold in folds:
        assert fold["held_out"] in page
    for key in lab.store.list_keys("folds/"):
        lab.store.delete(key)
    assert [fold["loss"] for fold in api().get(f"/runs/{run}/curves").json] == [[]] * 2, "its outcomes are gone"


def test_a_fold_in_training_grows_in_the_page_until_it_is_done(lab: Any, chromium: "Browser") -> None:
    publish_runs(lab.bus, lab.store)
    store_course(lab.store, "lab-2026/s02", epochs=2)
    store_course(lab.store, "lab-2026/s03", epochs=9, learner="majority")
    with served(lab.bus, lab.store, refresh_seconds=0.05) as client:
        _, fold = client.get(f"/runs/{TRAINING}/curves").json
        assert (fold["held_out"], fold["accuracy"], fold["loss"], fold["uf1"]) == (
            "lab-2026/s02",
            None,
            [0.2, 0.1],
            [0, 0.1],
        )
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{client.port}/runs/{TRAINING}", wait_until="load")
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        assert page.locator("polyline.growing").count() == 2
        assert "1 fold is in training" in page.inner_text("#folds")
        store_course(lab.store, "lab-2026/s02", epochs=5)
        points = "document.querySelector('polyline.growing').getAttribute('points').split(' ').length"
        wait_until(page, f"{points} === 5")
        publish_fold(lab.bus, lab.store, "lab-2026/s02")
        wait_until(page, "document.querySelectorAll('polyline.growing').length === 0")
        assert page.locator("polyline.curve").count() == 4
        assert "in training" not in page.inner_text("#folds")
        page.close()


def test_a_run_that_ended_has_no_growing_folds(lab: Any, api: Any) -> None:
    publish_runs(lab.bus, lab.store)
    store_course(lab.store, "lab-2026/s02", epochs=2)
    lab.store.put(f"courses/{TRAINING}/damaged.json", b"{")
    client = api()
    assert len(client.get(f"/runs/{TRAINING}/curves").json) == 2
    client.submit(f"/runs/{TRAINING}/cancel")
    assert [fold["held_out"] for fold in client.get(f"/runs/{TRAINING}/curves").json] == ["lab-2026/s01"]


def test_lines_end_where_their_fold_ends_and_stay_in_the_chart() -> None:
    assert draw_lines([[0, 1, 9], [2]], top=2, width=100, height=10) == ["0.0,10.0 50.0,5.0 100.0,0.0", "0.0,0.0"]
    assert draw_lines([], 1, 100, 10) == []

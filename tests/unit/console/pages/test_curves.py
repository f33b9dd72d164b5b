"""The course of each finished fold, while a run is trained and after it."""

import re

import pytest

from services.console.runs.fold_curves import draw_lines
from tests.unit.console.conftest import Client
from tests.unit.console.drawn_stack import DONE, TRAINING


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


def test_lines_end_where_their_fold_ends_and_stay_in_the_chart() -> None:
    assert draw_lines([[0, 1, 9], [2]], top=2, width=100, height=10) == ["0.0,10.0 50.0,5.0 100.0,0.0", "0.0,0.0"]
    assert draw_lines([], 1, 100, 10) == []

"""A person's walk through the console. What a stack would do meanwhile is published. `make e2e` has a real stack."""

from pathlib import Path
from typing import Any

import pytest

from shared.store import LocalStore
from tests.unit.console.conftest import CALM, served
from tests.unit.console.drawn_stack import (
    DONE,
    OTHER,
    draw_video,
    fill_stack,
    publish_clip,
    publish_dataset,
    publish_prediction,
)
from tests.unit.console.pages.walk import ConsoleWalk
from tests.unit.merstream.prediction.drawn_prediction import PREDICTION

TOKEN = "0123456789" * 4


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "own" / "by-browser"
    folder.mkdir(parents=True)
    (folder / "clips.csv").write_text("subject,clip\n")
    return folder


def test_a_person_walks_through_the_console(lab: Any, chromium: Any, dataset: Path, tmp_path: Path) -> None:
    fill_stack(lab.bus, lab.store)
    publish_clip(lab.bus, lab.store)
    buckets = {name: LocalStore(tmp_path / name) for name in ("datasets", "videos")}
    (tmp_path / "film.mp4").write_bytes(b"no real film")
    with served(lab.bus, lab.store, buckets=buckets, api_token=TOKEN, refresh_seconds=0.05) as client:
        page = chromium.new_page()
        walk = ConsoleWalk(page, f"http://127.0.0.1:{client.port}", CALM)
        walk.log_in(TOKEN)
        walk.upload_dataset(dataset)
        assert page.url == f"{walk.root}/datasets/by-browser?sent=yes"
        assert "The inbox has not read this dataset yet." in page.inner_text("main")
        publish_dataset(lab.bus, lab.store, dataset.name, features=1, pending=1)
        walk.wait_for_features(1)
        publish_dataset(lab.bus, lab.store, dataset.name, features=2)
        walk.wait_for_features(2)
        walk.look_at_clip("lab-2026")
        walk.read_report(DONE)
        walk.start_run("lab-2026", "ststnet", epochs=3)
        walk.cancel_run()
        walk.compare_runs("lab-2026")
        assert {DONE, OTHER} == {url.rpartition("=")[2] for url in page.url.partition("?")[2].split("&")}
        walk.replay_letter("trainer")
        walk.upload_video(tmp_path / "film.mp4")
        publish_prediction(lab.bus, lab.store, draw_video("film.mp4"), PREDICTION.encode())
        walk.wait_for_prediction("film.mp4")
        assert page.locator("#events tbody tr").count() == len(PREDICTION.events)
        page.close()
    assert lab.published("mer.folds") == 1, "the letter's message is on its topic again"

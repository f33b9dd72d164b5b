"""What is written into prediction.html, read as text. test_page_in_browser.py opens it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from merstream.prediction import page_writer
from merstream.prediction.page_writer import write_page
from shared.prediction.model import Prediction
from shared.prediction.page.artifacts import EventArtifacts
from tests.unit.merstream.prediction import drawn_prediction as drawn


def write(folder: Path, prediction: Prediction = drawn.PREDICTION, **options: Any) -> str:
    file = write_page(folder, prediction, drawn.MOTIONS, drawn.ARTIFACTS, **options)
    assert file == folder / "prediction.html"
    return file.read_text("utf-8")


def test_equal_predictions_give_equal_pages(tmp_path: Path) -> None:
    assert write(tmp_path / "a") == write(tmp_path / "b")


def test_names_and_sentences_are_text_and_no_markup(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    video = drawn.PREDICTION.video.model_copy(update={"name": evil})
    event = drawn.predict_event(1, 1, 1.0, failure=evil, regions=(evil,))
    page = write(
        tmp_path,
        drawn.PREDICTION.model_copy(
            update={"video": video, "events": (event,), "remarks": (evil,), "settings": {"a": evil}}
        ),
    )
    assert "<img src=x" not in page
    assert page.count("&lt;/script&gt;&lt;img src=x") >= 3


def test_the_page_asks_for_nothing_outside(tmp_path: Path) -> None:
    page = write(tmp_path)
    assert "default-src 'none'" in page
    addresses = re.findall(r"""(?:src|href)=["']([^"']{1,60})|url\(([^)]{1,30})""", page)
    assert addresses
    assert all((one or other).startswith(("data:", "#")) for one, other in addresses)
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_without_faces_there_is_no_frame_no_video_and_no_portrait(tmp_path: Path) -> None:
    strip = [(1.0, np.zeros((40, 60, 3), np.uint8))]
    video = drawn.write_video(tmp_path)
    page = write(tmp_path, faces=False, video=video, strip=strip)
    assert "<video" not in page
    assert 'data-times="' not in page
    pictures = set(re.findall(r"data:image/[^\"')]+", page))
    assert len(pictures) == 1 + 1  # the wheel, and one flow: both events move alike
    with_faces = write(tmp_path, video=video, strip=strip)
    assert "<video" in with_faces
    assert 'data-times="' in with_faces


def test_each_event_is_asked_for_once(tmp_path: Path) -> None:
    class Counted(Mapping[int, EventArtifacts]):
        asked: list[int] = []  # noqa: RUF012

        def __getitem__(self, number: int) -> EventArtifacts:
            self.asked.append(number)
            return drawn.ARTIFACTS[number]

        def __iter__(self) -> Iterator[int]:
            return iter(drawn.ARTIFACTS)

        def __contains__(self, number: object) -> bool:
            return number in drawn.ARTIFACTS

        def __len__(self) -> int:
            return len(drawn.ARTIFACTS)

    held = Counted()
    write_page(tmp_path, drawn.PREDICTION, drawn.MOTIONS, held)
    assert held.asked == [1, 3]


def test_only_the_best_events_have_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_writer, "MOST_PICTURED", 1)
    weak = drawn.predict_event(4, 1, 1.5, strength=1.0)
    flagged = drawn.EVENTS[1]
    strongest = drawn.EVENTS[2].model_copy(update={"strength": 4.0})
    events = (drawn.EVENTS[0], weak, flagged, strongest)
    page = write_page(
        tmp_path,
        drawn.PREDICTION.model_copy(update={"events": events}),
        drawn.MOTIONS,
        dict.fromkeys(range(1, 5), drawn.draw_artifacts()),
    ).read_text("utf-8")
    assert re.findall(
        r'<section class="event" id="event-(\d+)"(?:(?!</section>).)*data-times="0.0 ', page, re.DOTALL
    ) == ["3"]
    assert "Only the 1 strongest events have pictures" in page


def test_the_data_of_the_script_are_those_of_the_prediction(tmp_path: Path) -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', write(tmp_path), re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert data["seconds"] == 4.0
    assert [(event["id"], event["apex"], event["flagged"]) for event in data["events"]] == [
        (1, 1.0, False),
        (2, 2.0, True),
        (3, 3.0, False),
    ]
    assert [curves["face"] for curves in data["curves"]] == [1, 2]

"""Clips are listed, described and drawn, and their artifacts are sent."""

import html
import re
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.console.clips import artifact_reader
from services.console.clips.clip_drawing import CELL_WIDTH, choose_cells
from services.console.clips.clip_pictures import PICTURE_KINDS
from services.console.clips.clip_reader import clip_address
from shared.images.clip_pictures import CAPTION_HEIGHT
from shared.records import Pipeline, Provenance, Record, manifest_key
from shared.stage_settings.registry import PROFILES_BY_STAGE
from shared.store import npz
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import HOSTILE_NAME, draw_record, publish_clip, publish_dataset, publish_letters
from tests.unit.trainer.lab import Lab

CLIP = "/datasets/lab-2026/clips/s00/EP00"
CELL_HEIGHT = CELL_WIDTH * 40 // 32


@pytest.fixture
def clip(lab: Lab) -> Record:
    publish_dataset(lab.bus, lab.store, "lab-2026", features=3, pending=1)
    return publish_clip(lab.bus, lab.store)


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    with served(lab.bus, lab.store) as found:
        yield found


def draw(client: Client, path: str) -> NDArray[np.uint8]:
    """The picture, RGB [H, W, 3]."""
    answer = client.open(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["Cache-Control"] == "no-store"
    return cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def cell(picture: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """A frame of a strip without its caption."""
    left = index * (CELL_WIDTH + 4)
    return picture[CAPTION_HEIGHT + 10 : CAPTION_HEIGHT + CELL_HEIGHT - 10, left + 10 : left + CELL_WIDTH - 10]


def test_clips_are_listed_with_state_and_labels(lab: Lab, clip: Record, client: Client) -> None:
    listed = client.get("/datasets/lab-2026/clips").json
    assert [each["identity"] for each in listed] == [f"lab-2026/s{n:02}/EP{n:02}" for n in range(4)]
    assert [each["state"] for each in listed] == ["features"] * 3 + ["in work"]
    assert (listed[0]["url"], listed[0]["sample"]["emotion"]) == (CLIP, "happiness")
    assert client.get("/datasets/lab-2026/clips?search=ep01&limit=5").json == [listed[1]]
    assert client.get("/datasets/lab-2026/clips?offset=3").json == listed[3:]
    first = client.get("/datasets/lab-2026/clips?search=ep&offset=1&limit=2")
    assert first.json == listed[1:3]
    (query,) = re.findall('<([^>]*)>; rel="next"', first.headers["Link"])
    assert query.startswith("?search=ep&limit=2&cursor=")
    last = client.get(f"/datasets/lab-2026/clips{query}")
    assert (last.json, "Link" in last.headers) == (listed[3:], False)
    page = client.open("/datasets/lab-2026/clips").text
    for each in listed:
        assert f'href="{each["url"]}"' in page
    assert 'href="/datasets/lab-2026/clips"' in client.open("/datasets/lab-2026").text
    assert client.get("/datasets/none/clips").detail.startswith("No dataset 'none' was uploaded;")


def test_a_clip_says_what_made_it_and_how_long_it_took(lab: Lab, clip: Record, client: Client) -> None:
    key = manifest_key(clip.artifact.key)
    made = Provenance(seconds=1.256, code="9.8.7", libraries={"numpy": "2.0", "cv2": "4.1"})
    lab.store.put(key, Record.decode(lab.store.get(key)).model_copy(update={"provenance": made}).encode())
    *_, last = client.get(CLIP).json["stages"]
    assert last["provenance"] == made.model_dump()
    page = client.open(CLIP).text
    assert '<td data-label="s">1.26</td>' in page
    assert f"<dt>{clip.stage}</dt><dd>merstream 9.8.7, cv2 4.1, numpy 2.0</dd>" in page


def test_a_clip_has_its_stages_settings_and_neighbours(clip: Record, client: Client) -> None:
    described = client.get(CLIP).json
    assert [each["stage"] for each in described["stages"]] == ["source", *PROFILES_BY_STAGE]
    source, *others = described["stages"]
    assert (source["stored"], source["created"], source["settings"]) == (False, None, {})
    assert all(each["stored"] and each["created"] and each["settings"] for each in others)
    assert [each["provenance"] for each in described["stages"]] == [None] * len(described["stages"])
    for each in others:
        sent = client.open(each["url"])
        assert sent.status == 200, "a browser too"
        assert npz.unpack_arrays(sent.data)
        assert len(sent.data) == each["artifact"]["size"]
    page = client.open(CLIP).text
    assert 'rel="prev"' not in page
    assert f'rel="next" href="{CLIP[:-8]}s01/EP01"' in page
    assert page.count("<img") == len(PICTURE_KINDS)
    assert '<option value="1" selected>2</option>' in page
    assert "factor=2" in html.unescape(client.open(f"{CLIP}?factor=2").text)
    middle = client.open(CLIP[:-8] + "s01/EP01").text
    assert (f'rel="prev" href="{CLIP}"' in middle, "2 of 4" in middle) == (True, True)
    assert "not in the store any more" in middle


def test_strips_show_the_frames_of_the_stage(clip: Record, client: Client) -> None:
    chosen = choose_cells(60, {0, 31, 59})
    original = draw(client, f"{CLIP}/pictures/original")
    assert original.shape == (CELL_HEIGHT + CAPTION_HEIGHT, len(chosen) * (CELL_WIDTH + 4), 3)
    for place, index in enumerate(chosen):
        assert abs(cell(original, place).mean() - 2 * index) < 2
    assert abs(cell(draw(client, f"{CLIP}/pictures/interpolated"), 9).mean() - 100) < 2
    for factor in range(3):
        magnified = draw(client, f"{CLIP}/pictures/magnified?factor={factor}")
        assert abs(cell(magnified, 9).mean() - 50 * factor) < 2
    middle = draw(client, f"{CLIP}/pictures/magnified")
    assert abs(cell(middle, 0).mean() - 50) < 2


def test_flow_is_shown_in_colour_and_as_arrows(clip: Record, client: Client) -> None:
    flow = draw(client, f"{CLIP}/pictures/flow?factor=2")
    assert flow.shape[1] == 9 * (CELL_WIDTH + 4) + CELL_WIDTH
    red, green, blue = cell(flow, 4).reshape(-1, 3).mean(0)
    assert red > 240, "to the right"
    assert max(green, blue) < 40
    for kind, height in (("arrows", 3 * 40), ("rois", 3 * 40)):
        picture = draw(client, f"{CLIP}/pictures/{kind}?factor=0")
        assert picture.shape == (height + CAPTION_HEIGHT, 3 * 32 + 4, 3)
        shown = picture[CAPTION_HEIGHT:, : 3 * 32].astype(int)
        assert (shown[..., 1] - shown[..., 2] > 60).any(), "green arrows on grey"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/pictures/x-ray", 404, "No picture 'x-ray'; there are original, interpolated"),
        ("/pictures/flow?factor=3", 404, "No factor 3; the clip has 3, counted from 0."),
        ("/pictures/flow?factor=-1", 422, "factor"),
        ("/pictures/flow?pipeline=000000000000", 404, "with pipeline 000000000000"),
        ("/artifacts/x-ray", 404, "The clip has no artifact of 'x-ray'; there are source, ingest"),
        ("/artifacts/source", 404, "Nothing is stored under"),
        ("x", 404, "lab-2026 has no clip s00/EP00x"),
    ],
)
def test_what_is_not_there_is_said(path: str, status: int, said: str, clip: Record, client: Client) -> None:
    answer = client.get(CLIP + path)
    assert (answer.status, said in answer.detail) == (status, True)


def test_a_clip_without_features_says_why(lab: Lab, client: Client) -> None:
    publish_dataset(lab.bus, lab.store, "lab-2026", features=0, pending=103)
    publish_letters(lab.bus, lab.store, 4)
    left_out = client.get("/datasets/lab-2026/clips/s05/EP101").json
    assert (left_out["state"], left_out["stages"]) == ("left out", [])
    assert left_out["reason"].endswith("no face in frame 1. Check the frames, then upload them again.")
    page = client.open("/datasets/lab-2026/clips/s05/EP101").text
    assert "no face in frame 1" in page
    assert "<img" not in page
    waiting = client.get("/datasets/lab-2026/clips/s00/EP00/pictures/flow")
    assert (waiting.status, "has no features" in waiting.detail) == (404, True)
    (id,) = [each["id"] for each in client.get("/dead-letters?search=EP101").json]
    assert 'href="/datasets/lab-2026/clips/s05/EP101"' in client.open(f"/dead-letters/{id}").text


def test_arrays_that_are_gone_other_or_too_large_are_said(
    lab: Lab, clip: Record, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.store.put(clip.artifacts["magnifier"].key, npz.pack_arrays({"images": np.ones(3)}))
    other = client.get(f"{CLIP}/pictures/magnified")
    assert (other.status, "the picture cannot be drawn" in other.detail) == (409, True)
    lab.store.put(clip.artifacts["interpolator"].key, b"damaged")
    assert client.get(f"{CLIP}/pictures/interpolated").status == 409
    lab.store.delete(clip.artifacts["flow"].key)
    assert client.get(f"{CLIP}/pictures/flow").status == 404
    page = client.open(CLIP).text
    assert "The arrays of flow are not in the store any more." in page
    monkeypatch.setattr(artifact_reader, "LARGEST_PART_BYTES", 1000)
    large = client.get(f"{CLIP}/pictures/original")
    assert (large.status, "Download the artifact instead." in large.detail) == (413, True)
    monkeypatch.setattr(artifact_reader, "LARGEST_ARTIFACT_BYTES", 1000)
    assert client.get(f"{CLIP}/pictures/original").status == 413


def test_names_with_slashes_dots_and_signs_have_addresses(lab: Lab, client: Client) -> None:
    publish_dataset(lab.bus, lab.store, HOSTILE_NAME, features=2)
    publish_dataset(lab.bus, lab.store, "..", features=1)
    for name in (HOSTILE_NAME, ".."):
        page = client.open(clip_address(draw_record(name, 0, "roi-au").sample.identity))
        assert (page.status, "<h1>s00/EP00</h1>" in page.text) == (200, True)
        (listing,) = re.findall(r'href="(/datasets/[^"]+/clips)"', page.text)
        assert "s00/EP00" in client.open(listing).text


def test_a_dataset_under_two_pipelines_has_clips_of_both(lab: Lab, client: Client) -> None:
    paper = Pipeline(profile="paper")
    publish_dataset(lab.bus, lab.store, "twice", features=1)
    publish_dataset(lab.bus, lab.store, "twice", features=2, pipeline=paper)
    assert len(client.get(f"/datasets/twice/clips?pipeline={Pipeline().digest}").json) == 1
    assert len(client.get(f"/datasets/twice/clips?pipeline={paper.digest}").json) == 2
    page = client.open(f"/datasets/twice/clips?pipeline={paper.digest}").text
    assert f'href="/datasets/twice/clips/s01/EP01?pipeline={paper.digest}"' in page
    assert f"/datasets/twice/clips?pipeline={paper.digest}" in client.open("/datasets/twice").text


@pytest.mark.parametrize(("count", "always"), [(1, {0}), (24, {0, 5, 23}), (60, {0, 31, 59}), (5000, {0, 1, 4999})])
def test_a_strip_is_short_and_shows_what_matters(count: int, always: set[int]) -> None:
    chosen = choose_cells(count, always)
    assert always <= set(chosen) <= set(range(count))
    assert chosen == sorted(chosen)
    assert len(chosen) <= 24 + len(always)
    assert len(chosen) >= min(count, 24)

"""Dead letters are read, replayed and discarded, by programs and by the forms of pages."""

import re
from collections.abc import Iterator

import pytest

from shared.bus import Message
from shared.bus.dead_letters import bury_message
from shared.letter_selection import gather_letters, letter_id
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import bury_clip, draw_record, publish_dataset, publish_letters
from tests.unit.trainer.lab import Lab

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f000500"
    "01ffa3d10d9a0000000049454e44ae426082"
)
FILES = {"img010.png": PNG, "img011.png": PNG + b"damaged", "img012.tif": b"II"}


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    with served(lab.bus, lab.store) as found:
        yield found


def outstanding(lab: Lab) -> list[str]:
    return [letter_id(letter) for letter in gather_letters(lab.bus, lab.store)]


def test_letters_are_listed_searched_and_read(lab: Lab, client: Client) -> None:
    publish_letters(lab.bus, lab.store, 5)
    listed = client.get("/dead-letters").json
    assert {each["id"] for each in listed} == set(outstanding(lab))
    first = client.get("/dead-letters?limit=1")
    (query,) = re.findall('<([^>]*)>; rel="next"', first.headers["Link"])
    assert first.json + client.get(f"/dead-letters{query}").json == listed[:2]
    (found,) = client.get("/dead-letters?search=TRAINER").json
    assert (found["group"], found["reason"], found["lost"]) == ("trainer", "MemoryError: 8 GB were asked for.", False)
    assert len(client.get("/dead-letters?limit=2").json) == 2
    read = client.get(found["url"]).json
    assert (read["message"], read["refusal"], read["headers"]["key"]) == ("{}", "", "3")
    missing = client.get("/dead-letters/00000000")
    assert (missing.status, "GET /dead-letters lists all" in missing.detail) == (404, True)
    assert client.get("/dead-letters/nonsense").status == 422


def test_chosen_letters_are_replayed_and_others_discarded(lab: Lab, client: Client) -> None:
    publish_letters(lab.bus, lab.store, 5)
    first, second, third, *others = outstanding(lab)
    told = client.ask_json("/dead-letters/replay", {"ids": [first, second, first]})
    assert (told.status, told.json) == (200, {"done": [first, second], "refused": {}})
    assert lab.published("mer.sources") == 2
    told = client.ask_json("/dead-letters/discard", {"ids": [third]})
    assert told.json["done"] == [third]
    assert outstanding(lab) == others
    gone = client.ask_json("/dead-letters/discard", {"ids": [others[0], third]})
    assert (gone.status, f"No dead letter {third}:" in gone.detail) == (404, True)
    assert outstanding(lab) == others, "either all or none"


def test_all_that_a_search_finds_is_replayed(lab: Lab, client: Client) -> None:
    publish_letters(lab.bus, lab.store, 5)
    told = client.ask_json("/dead-letters/replay", {"search": "lab-2026"})
    assert len(told.json["done"]) == 3
    assert len(outstanding(lab)) == 2
    assert len(client.ask_json("/dead-letters/discard", {"search": ""}).json["done"]) == 2
    assert outstanding(lab) == []


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["0" * 8], "search": ""}, {"id": "0" * 8}, []], ids=str)
def test_a_selection_that_says_nothing_or_too_much_is_refused(body: object, lab: Lab, client: Client) -> None:
    publish_letters(lab.bus, lab.store, 2)
    assert client.ask_json("/dead-letters/discard", body).status == 422
    assert len(outstanding(lab)) == 2


def test_an_outdated_letter_is_refused_with_its_sentence(lab: Lab, client: Client) -> None:
    publish_dataset(lab.bus, lab.store, "lab-2026", features=0, pending=2)
    bury_clip(lab.bus, lab.store, 0, "no face", FILES)
    older = draw_record("lab-2026", 1, "source").sample.model_copy(update={"emotion": "fear"})
    record = draw_record("lab-2026", 1, "source").model_copy(update={"sample": older})
    bury_message(lab.bus, lab.store, "ingest", Message("mer.sources", 0, 9, record.key, record.encode()), "no face", {})
    (outdated,) = [each["id"] for each in client.get("/dead-letters?search=EP01").json]
    told = client.ask_json("/dead-letters/replay", {"search": ""}).json
    sentence = "lab-2026/s01/EP01: another source or other labels were uploaded since."
    assert told["refused"] == {outdated: sentence}
    assert (len(told["done"]), outstanding(lab)) == (1, [outdated])
    page = client.open(f"/dead-letters/{outdated}").text
    assert f"It cannot be replayed. {sentence}" in page
    assert "Replay it" not in page
    refused = client.send_form("/dead-letters/replay", ("id", outdated))
    assert (refused.status, sentence in refused.text) == (409, True)
    assert client.send_form("/dead-letters/discard", ("id", outdated)).status == 303
    assert outstanding(lab) == []


@pytest.mark.parametrize(
    ("reason", "name", "named"),
    [
        ("img011.png: expected a whole image, got 70 bytes.", "img011.png", True),
        ("lab-2026/s00/EP06: no face in frame 12 of the clip.", "img012.tif", True),
        ("lab-2026/s00/EP06: no face in frame 99.", "img010.png", False),
        ("MemoryError", "img010.png", False),
    ],
)
def test_the_frame_that_a_reason_is_about_is_shown(
    reason: str, name: str, named: bool, lab: Lab, client: Client
) -> None:
    bury_clip(lab.bus, lab.store, 6, reason, FILES)
    (id,) = outstanding(lab)
    sent = client.open(f"/dead-letters/{id}/frame")
    assert (sent.status, sent.data) == (200, FILES[name])
    assert sent.headers["Content-Security-Policy"].startswith("sandbox")
    page = client.open(f"/dead-letters/{id}").text
    assert f"{'The frame that the reason names' if named else 'The first frame of the clip'}: {name}" in page
    assert ("<img" in page) == name.endswith(".png"), "browsers show no TIFF"


def test_a_letter_without_a_clip_or_source_has_no_frame(lab: Lab, client: Client) -> None:
    publish_letters(lab.bus, lab.store, 2)
    for id in outstanding(lab):
        assert client.get(f"/dead-letters/{id}/frame").status == 404
        page = client.open(f"/dead-letters/{id}")
        assert (page.status, "<img" in page.text) == (200, False)


def test_forms_change_what_is_ticked_and_lead_back(lab: Lab, client: Client) -> None:
    publish_letters(lab.bus, lab.store, 5)
    first, second, *_ = outstanding(lab)
    done = client.send_form("/dead-letters/replay", ("search", "lab"), ("id", first), ("id", second))
    assert (done.status, done.headers["Location"]) == (303, "/dead-letters?search=lab&replayed=2")
    assert "2 dead letters were replayed." in client.open(done.headers["Location"]).text
    done = client.send_form("/dead-letters/discard", ("search", ""), ("all", "1"))
    assert done.headers["Location"] == "/dead-letters?search=&discarded=3"
    assert outstanding(lab) == []
    nothing = client.send_form("/dead-letters/discard", ("search", "x"))
    assert (nothing.status, "No dead letter is chosen" in nothing.text) == (422, True)
    gone = client.send_form("/dead-letters/discard", ("id", first))
    assert (gone.status, "<h1>Not Found</h1>" in gone.text) == (404, True)
    for body in ({"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}):
        assert client.send_form("/dead-letters/discard", ("id", first), **body).status == 422
    assert "replayed" not in client.open("/dead-letters?replayed=<b>").text

"""Uploads as a browser or a program sends them, over real HTTP, into a real store of a folder."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from services.console.uploads import desk, part_body, records
from services.console.uploads.desk import SMALL_FILE_BYTES, UploadDesk
from shared.store import LocalStore
from shared.store.parts import SMALLEST_PART_BYTES
from tests.unit.console.conftest import Answer, Client, served

WHOLE = bytes(range(256)) * ((2 * SMALLEST_PART_BYTES + 3000) // 256)
FILM = {"to": "videos", "name": "anna 01.mp4", "size": len(WHOLE), "modified": 5}


@pytest.fixture
def buckets(tmp_path: Path) -> dict[str, LocalStore]:
    return {name: LocalStore(tmp_path / name) for name in ("datasets", "videos")}


@pytest.fixture
def client(lab: Any, buckets: dict[str, LocalStore], tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "scratch").mkdir()
    with served(lab.bus, lab.store, buckets=buckets, scratch=tmp_path / "scratch") as open_:
        yield open_


def begin(client: Client, **changes: Any) -> Any:
    answer = client.ask_json("/uploads", FILM | changes)
    assert answer.status == 200, answer.data
    return answer.json


def send_part(client: Client, upload: Any, number: int, whole: bytes = WHOLE) -> Answer:
    start = (number - 1) * upload["part_bytes"]
    return client.put(f"{upload['url']}/parts/{number}", whole[start : start + upload["part_bytes"]])


def test_a_large_file_comes_in_parts_and_appears_at_once(
    client: Client, buckets: dict[str, LocalStore], tmp_path: Path
) -> None:
    upload = begin(client)
    assert (upload["parts"], upload["part_bytes"]) == ([], SMALLEST_PART_BYTES)
    for number in (3, 1):
        assert send_part(client, upload, number).status == 204
    again = begin(client)
    assert (again["id"], again["parts"]) == (upload["id"], [1, 3]), "a reload finds what is there"
    assert client.get("/uploads").json == [again]
    early = client.ask_json(f"{upload['url']}/finish")
    assert (early.status, early.detail.startswith(f"Expected {len(WHOLE)} bytes")) == (409, True)
    assert list(buckets["videos"].list_keys()) == []
    assert send_part(client, upload, 2).status == 204
    for _ in range(2):  # an answer may be lost
        finished = client.ask_json(f"{upload['url']}/finish")
        assert (finished.status, finished.json["size"]) == (200, len(WHOLE))
    assert buckets["videos"].get("anna 01.mp4") == WHOLE
    assert client.get("/uploads").json == []
    assert client.ask_json(f"{upload['url']}/finish").status == 404
    assert list((tmp_path / "scratch").iterdir()) == []


def test_another_file_of_the_same_name_is_another_upload(client: Client) -> None:
    assert len({begin(client)["id"], begin(client, modified=6)["id"], begin(client, size=9)["id"]}) == 3


def test_a_part_has_exactly_its_size(client: Client) -> None:
    upload = begin(client)
    assert client.put(f"{upload['url']}/parts/1", WHOLE[:1000]).status == 400
    assert client.put(f"{upload['url']}/parts/1", WHOLE[: SMALLEST_PART_BYTES + 1]).status == 413
    assert client.put(f"{upload['url']}/parts/4", b"").status == 422
    assert client.get(upload["url"]).json["parts"] == []


def test_an_abandoned_upload_leaves_nothing(client: Client, buckets: dict[str, LocalStore]) -> None:
    upload = begin(client)
    send_part(client, upload, 1)
    assert client.ask_json(f"{upload['url']}/abandon").status == 204
    assert send_part(client, upload, 2).status == 404
    assert client.get(upload["url"]).status == 404
    assert list(buckets["videos"].folder.iterdir()) == []


def test_an_upload_without_a_part_for_a_week_is_abandoned(
    client: Client, buckets: dict[str, LocalStore], lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(client)
    send_part(client, upload, 1)
    own = UploadDesk(buckets, lab.store)  # type: ignore[arg-type]
    (entry,) = lab.store.list_objects("uploads/")
    own.abandon_old(entry.modified + desk.LONGEST_SILENCE - timedelta(hours=1))
    assert client.get(upload["url"]).status == 200
    own.abandon_old(entry.modified + desk.LONGEST_SILENCE + timedelta(hours=1))
    assert client.get(upload["url"]).status == 404


def test_what_the_store_has_ended_begins_anew(client: Client, buckets: dict[str, LocalStore], lab: Any) -> None:
    """Some stores end uploads that are old."""
    upload = begin(client)
    send_part(client, upload, 1)
    (record,) = [
        records.UploadRecord.model_validate_json(lab.store.get(key)) for key in lab.store.list_keys("uploads/")
    ]
    buckets["videos"].abandon_put(record.parted)
    assert send_part(client, upload, 2).status == 404
    assert begin(client)["parts"] == []


@pytest.mark.parametrize(
    ("to", "name", "said"),
    [
        ("videos", "../a.mp4", "'..'"),
        ("videos", "a\x07.mp4", "control characters"),
        ("videos", "notes.docx", "Expected a video"),
        ("datasets", "loose.jpg", "folder or an archive"),
        ("datasets", ".hidden/a.jpg", "not hidden"),
        ("datasets", "D//a.jpg", "empty part"),
        ("datasets", "D/" + "x" * 300, "255 bytes"),
    ],
)
def test_a_wrong_name_is_told_wherever_it_comes(client: Client, to: str, name: str, said: str) -> None:
    assert said in client.ask_json("/uploads", FILM | {"to": to, "name": name}).detail
    checked = client.ask_json("/uploads/names", {"to": to, "names": [name]}).json
    assert (said in checked["faults"].get(name, ""), checked["ranks"]) == (not name.startswith("."), [None])
    if "/" not in name:
        answer = client.put(f"/uploads/stored/{to}/{name.replace(chr(7), '%07')}", b"x")
        assert (answer.status, said in answer.detail) == (422, True)


def test_files_of_a_folder_are_sent_at_once_in_an_order(client: Client, buckets: dict[str, LocalStore]) -> None:
    names = ["D/clips.csv", "D/s1/a b/é.jpg", "D/Thumbs.db", "D/merstream.json"]
    assert client.ask_json("/uploads/names", {"to": "datasets", "names": names}).json["ranks"] == [2, 0, None, 1]
    assert client.put("/uploads/stored/datasets/D/s1/a%20b/%C3%A9.jpg", b"frame").status == 200
    assert buckets["datasets"].get("D/s1/a b/é.jpg") == b"frame"
    (line,) = client.get("/uploads/stored/datasets?below=D/").data.splitlines()
    assert {name: json.loads(line)[name] for name in ("name", "size")} == {"name": "D/s1/a b/é.jpg", "size": 5}
    too_large = client.put("/uploads/stored/datasets/D/large.avi", bytes(SMALL_FILE_BYTES + 1))
    assert (too_large.status, "in parts" in too_large.detail) == (413, True)


def test_a_plan_is_checked_and_merged_as_mer_drop_does(client: Client, buckets: dict[str, LocalStore]) -> None:
    own = '{"profile": "corrected", "fps": 100, "train": {"epochs": 3}}'
    asked = {"to": "datasets", "name": "D", "settings": {"profile": "paper", "model": "linear"}, "own": own}
    assert client.ask_json("/uploads/plan", asked | {"check": True}).status == 204
    assert list(buckets["datasets"].list_keys()) == []
    assert client.ask_json("/uploads/plan", asked).status == 204
    assert json.loads(buckets["datasets"].get("D/merstream.json")) == {
        "profile": "paper",
        "fps": 100.0,
        "train": {"model": "linear"},
    }
    wrong = client.ask_json("/uploads/plan", asked | {"settings": {"protocol": "none"}})
    assert (wrong.status, "protocol" in wrong.detail) == (422, True)
    assert "merstream.json" in client.ask_json("/uploads/plan", asked | {"own": "{"}).detail
    assert client.ask_json("/uploads/plan", {"to": "datasets", "name": "E"}).status == 204
    assert list(buckets["datasets"].list_keys("E")) == []


def test_a_video_has_a_plan_too(client: Client, buckets: dict[str, LocalStore]) -> None:
    asked = {"to": "videos", "name": "a.mp4", "settings": {"force": True, "fps": 25}}
    assert client.ask_json("/uploads/plan", asked).status == 204
    assert json.loads(buckets["videos"].get("a.mp4.merstream.json")) == {"force": True, "fps": 25.0}
    assert "fps" in client.ask_json("/uploads/plan", asked | {"settings": {"fps": -1}}).detail
    assert "video" in client.ask_json("/uploads/plan", asked | {"name": "a.txt"}).detail


def test_a_connection_that_ends_early_is_no_part(client: Client) -> None:
    upload = begin(client)
    with pytest.raises(urllib3.exceptions.HTTPError):
        client.put(f"{upload['url']}/parts/1", _cut_off(), **{"Content-Length": str(SMALLEST_PART_BYTES)})
    assert client.get(upload["url"]).json["parts"] == []


def _cut_off() -> Iterator[bytes]:
    yield WHOLE[:100_000]
    raise urllib3.exceptions.ProtocolError("the cable was pulled")


def test_a_sender_that_stops_is_told_to_send_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(client)
    monkeypatch.setattr(part_body, "PATIENCE_SECONDS", 0)
    assert send_part(client, upload, 1).status == 408


def test_who_uploaded_what_is_in_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "merstream.audit")
    upload = begin(client)
    client.ask_json(f"{upload['url']}/abandon")
    client.put("/uploads/stored/datasets/D/clips.csv", b"clip\n")
    noted = [(record.getMessage(), record.mer["person"], record.mer["object"]) for record in caplog.records]  # type: ignore[attr-defined]
    assert noted == [
        ("upload begun", "anybody", "anna 01.mp4"),
        ("upload abandoned", "anybody", "anna 01.mp4"),
        ("uploaded", "anybody", "D/clips.csv"),
    ]


def test_an_embedded_run_says_what_to_do_instead(lab: Any) -> None:
    with served(lab.bus, lab.store, run_folder="out/run") as client:
        for answer in (client.ask_json("/uploads", FILM), client.put("/uploads/stored/videos/a.mp4", b"x")):
            assert (answer.status, "`mer run" in answer.detail) == (409, True)
        assert client.get("/uploads").json == []

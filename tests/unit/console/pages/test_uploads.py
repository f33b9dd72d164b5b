"""The page of uploads in a real headless Chromium, into a real store of a folder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.console.uploads.form_body import LARGEST_FORM_BYTES
from shared.store import LocalStore
from shared.store.parts import SMALLEST_PART_BYTES
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import DONE, publish_runs
from tests.unit.console.pages.browser import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Route

STATE = "document.getElementById('state').textContent"


@pytest.fixture
def buckets(tmp_path: Path) -> dict[str, LocalStore]:
    return {name: LocalStore(tmp_path / name) for name in ("datasets", "videos")}


@pytest.fixture
def client(lab: Any, buckets: dict[str, LocalStore]) -> Iterator[Client]:
    with served(lab.bus, lab.store, buckets=buckets) as open_:
        yield open_


@pytest.fixture
def page(client: Client, chromium: "Browser") -> Iterator["Page"]:
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{client.port}/upload", wait_until="load")
    yield opened
    context.close()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "own" / "lab one"
    for number in range(6):
        file = folder / "s1" / "EP 01" / f"img{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"frame %d" % number)
    (folder / "clips.csv").write_text("subject,clip\n")
    (folder / "merstream.json").write_text('{"fps": 100}')
    (folder / "Thumbs.db").write_bytes(b"junk")
    return folder


def choose_videos(page: "Page", file: Path) -> None:
    page.check("input[value=videos]")
    page.set_input_files("#files", file)


def draw_film(file: Path, parts: int) -> bytes:
    whole = b"".join(bytes([number]) * SMALLEST_PART_BYTES for number in range(parts)) + b"the end"
    file.write_bytes(whole)
    return whole


def test_a_video_is_predicted_by_a_run_that_is_chosen(lab: Any, chromium: "Browser", tmp_path: Path) -> None:
    """From the home page, with the model chosen from those of the stack."""
    publish_runs(lab.bus, lab.store)
    buckets = {name: LocalStore(tmp_path / name) for name in ("datasets", "videos")}
    (tmp_path / "anna.mp4").write_bytes(b"film")
    with served(lab.bus, lab.store, buckets=buckets) as client:
        assert 'href="/uploads?to=videos">Predict a video</a>' in client.open("/videos").text
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{client.port}/", wait_until="load")
        page.click("#videos >> text=Predict a video")
        page.locator("#upload").wait_for()
        assert page.is_checked("input[value=videos]")
        page.set_input_files("#files", tmp_path / "anna.mp4")
        page.click("details[data-for=videos] summary")
        names = page.locator("#videos-model option").all_inner_texts()
        assert names == [
            "not chosen",
            "shipped",
            "fmer-lite on lab-2026, seed 3, UF1 0.866 (aaaaaaaa)",
            "linear on lab-2026, seed 3, UF1 0.810 (dddddddd)",
        ]
        page.select_option("#videos-model", DONE)
        page.click(".main")
        wait_until(page, f"{STATE}.startsWith('1 file sent')")
        page.close()
    assert buckets["videos"].get("anna.mp4") == b"film"
    assert json.loads(buckets["videos"].get("anna.mp4.merstream.json")) == {"model": DONE}


def test_a_folder_is_sent_in_the_order_of_mer_drop(page: "Page", dataset: Path, buckets: dict[str, LocalStore]) -> None:
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url.rpartition("/")[2]) if asked.method != "GET" else None)
    page.set_input_files("#folder", dataset)
    wait_until(page, "document.getElementById('chosen').textContent.startsWith('9 files')")
    page.click("details[data-for=datasets] summary")
    page.select_option("#datasets-profile", "paper")
    page.select_option("#datasets-model", "linear")
    page.click(".main")
    wait_until(page, f"{STATE}.startsWith('8 files sent')")
    assert sorted(buckets["datasets"].list_keys()) == [
        *("lab one/clips.csv", "lab one/merstream.json"),
        *(f"lab one/s1/EP 01/img{number}.jpg" for number in range(6)),
    ]
    assert json.loads(buckets["datasets"].get("lab one/merstream.json")) == {
        "profile": "paper",
        "fps": 100.0,
        "train": {"model": "linear"},
    }
    assert sent[-2:] == ["plan", "clips.csv"]
    assert "merstream.json" not in sent, "the plan takes the place of the dataset's own"
    assert page.get_attribute("#state a", "href") == "/datasets/lab%20one?sent=yes"


def test_what_is_there_is_not_sent_again(page: "Page", dataset: Path, client: Client) -> None:
    for _ in range(2):
        page.set_input_files("#folder", dataset)
        page.click(".main")
        wait_until(page, f"{STATE}.includes('sent.')")
    assert page.inner_text("#state").startswith("0 files sent. 8 files were there already.")
    page.check("#again")
    page.click(".main")
    wait_until(page, f"{STATE}.startsWith('8 files sent')")


def test_an_upload_goes_on_after_a_broken_connection_and_a_reload(
    page: "Page", tmp_path: Path, buckets: dict[str, LocalStore], client: Client
) -> None:
    whole = draw_film(tmp_path / "film.mp4", 4)
    asked: list[str] = []

    def break_late_parts(route: "Route", request: "Request") -> None:
        number = request.url.rpartition("/")[2]
        route.abort("connectionreset") if number in "345" else route.continue_()

    page.on("request", lambda request: asked.append(request.url) if "/parts/" in request.url else None)
    page.route("**/parts/*", break_late_parts)
    choose_videos(page, tmp_path / "film.mp4")
    page.click(".main")
    wait_until(page, f"{STATE}.startsWith('No connection')")
    assert list(buckets["videos"].list_keys()) == []
    page.click("#pause")
    wait_until(page, f"{STATE}.startsWith('Paused')")
    page.unroute("**/parts/*")
    page.reload(wait_until="load")
    assert "film.mp4" in page.inner_text("#unfinished")
    there = {f"/{number}" for number in client.get("/uploads").json[0]["parts"]}
    assert there
    asked.clear()
    choose_videos(page, tmp_path / "film.mp4")
    page.click(".main")
    wait_until(page, f"{STATE}.startsWith('1 file sent')")
    assert buckets["videos"].get("film.mp4") == whole
    assert not [url for url in asked if f"/{url.rpartition('/')[2]}" in there]
    wait_until(page, "document.getElementById('unfinished').hidden")


def test_a_lost_connection_is_tried_again_by_itself(
    page: "Page", tmp_path: Path, buckets: dict[str, LocalStore]
) -> None:
    whole, lost = draw_film(tmp_path / "film.mp4", 1), []

    def break_once(route: "Route", request: "Request") -> None:
        first = request.url not in lost
        lost.append(request.url)
        route.abort("connectionreset") if first else route.continue_()

    page.route("**/uploads/**", break_once)
    choose_videos(page, tmp_path / "film.mp4")
    page.click(".main")
    wait_until(page, f"{STATE}.startsWith('1 file sent')")
    assert buckets["videos"].get("film.mp4") == whole


def test_an_unfinished_upload_is_abandoned_with_a_button(page: "Page", client: Client) -> None:
    client.ask_json("/uploads", {"to": "videos", "name": "film.mp4", "size": SMALLEST_PART_BYTES * 3})
    page.reload(wait_until="load")
    with page.expect_navigation():
        page.click("#unfinished button")
    assert page.locator("#unfinished").is_hidden()
    assert client.get("/uploads").json == []


def test_wrong_names_and_settings_are_said_before_anything_is_sent(
    page: "Page", tmp_path: Path, buckets: dict[str, LocalStore], dataset: Path
) -> None:
    (tmp_path / "notes.docx").write_bytes(b"text")
    choose_videos(page, tmp_path / "notes.docx")
    page.click(".main")
    wait_until(page, "document.getElementById('faults').textContent.includes('Expected a video')")
    page.check("input[value=datasets]")
    page.set_input_files("#folder", dataset)
    (dataset / "merstream.json").write_text("{")
    page.set_input_files("#folder", dataset)
    page.click("details[data-for=datasets] summary")
    page.select_option("#datasets-profile", "paper")
    page.click(".main")
    wait_until(page, f"{STATE}.includes('merstream.json: the file')")
    assert not list(buckets["datasets"].list_keys()) + list(buckets["videos"].list_keys())


def test_files_can_be_dropped(page: "Page", buckets: dict[str, LocalStore]) -> None:
    page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File(['PK'], 'lab.zip'));
      document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
    }""")
    wait_until(page, "document.getElementById('chosen').textContent.startsWith('1 file')")
    page.fill("#name", "other")
    page.click(".main")
    wait_until(page, f"{STATE}.startsWith('1 file sent')")
    assert list(buckets["datasets"].list_keys()) == ["other.zip"]


def test_without_javascript_a_form_takes_one_file(
    client: Client, chromium: "Browser", tmp_path: Path, buckets: dict[str, LocalStore]
) -> None:
    (tmp_path / "déjà vu.zip").write_bytes(b"PK\r\n--zip\r\n\r\n")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{client.port}/uploads", wait_until="load")
    assert not page.locator("#folder").is_visible()
    page.set_input_files("#files", tmp_path / "déjà vu.zip")
    with page.expect_navigation():
        page.click(".main")
    assert page.url.endswith("/datasets")
    assert buckets["datasets"].get("déjà vu.zip") == b"PK\r\n--zip\r\n\r\n"
    with (tmp_path / "large.zip").open("wb") as file:
        file.truncate(LARGEST_FORM_BYTES + 1)
    context.close()


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nvideos\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a b.mp4"\r\n\r\nPK\r\n--x--\r\n'
)


def test_a_file_that_does_not_fit_into_memory_is_stored_whole(client: Client, buckets: dict[str, LocalStore]) -> None:
    film = bytes(range(256)) * (40 << 10) + b"\r\n--y"
    body = FORM.replace(b"PK", film)
    sent = client.send_body("/uploads/form", body, "multipart/form-data; boundary=x")
    assert (sent.status, sent.headers["Location"]) == (303, "/videos")
    assert buckets["videos"].get("a b.mp4") == film


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"", 422),
        ("multipart/form-data; boundary=x", b"--x\r\nno end", 422),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n--x--", 422),
        ("multipart/form-data", b"--x", 422),
        ("multipart/form-data; boundary=x", FORM.removesuffix(b"--x--\r\n"), 422),
        ("multipart/form-data; boundary=x", FORM.removesuffix(b"--\r\n") + b"\r\nContent-Disp", 422),
        ("multipart/form-data; boundary=x", FORM.replace(b"PK", b""), 422),
        ("multipart/form-data; boundary=x", FORM.replace(b'"file"', b'"other"'), 422),
        ("text/plain", b"--x", 422),
        ("multipart/form-data; boundary=x", bytes(LARGEST_FORM_BYTES + 1), 413),
    ],
)
def test_a_body_that_is_no_form_is_told_so(
    client: Client, buckets: dict[str, LocalStore], kind: str, body: bytes, status: int
) -> None:
    assert client.send_body("/uploads/form", body, kind).status == status
    assert [key for bucket in buckets.values() for key in bucket.list_keys()] == []


def test_an_embedded_run_shows_commands_instead(lab: Any) -> None:
    with served(lab.bus, lab.store, run_folder="out/run") as client:
        said = client.open("/uploads").text
    assert "mer run DATASET" in said
    assert "<form" not in said

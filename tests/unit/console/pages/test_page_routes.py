"""What each page says, of a stack in every state."""

import html
import re
from urllib.parse import quote

import pytest

from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import Unavailable
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import DONE, FAILED, HOSTILE_NAME, LETTER, LETTERS, OTHER, REPORT_PAGE, TRAINING
from tests.unit.console.test_server import Away

PAGES = (
    *("/", "/datasets", "/datasets/lab-2026", "/datasets/twice", f"/datasets/{quote(HOSTILE_NAME)}"),
    *(
        "/runs",
        f"/runs/{DONE}",
        f"/runs/{FAILED}",
        f"/runs/{TRAINING}",
        "/dead-letters",
        "/dead-letters?search=trainer",
    ),
    *(
        f"/runs/compare?run={DONE}&run={OTHER}",
        "/runs/new",
        f"/runs/new?repeat={DONE}",
        "/videos",
        f"/dead-letters/{LETTER}",
    ),
)


def read_text(page: str) -> str:
    """What a person reads of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def show(client: Client, path: str) -> str:
    answer = client.open(path)
    assert answer.status == 200
    return read_text(answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sound_and_brings_no_code_of_others(path: str, full: Client) -> None:
    answer = full.open(path)
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Vary"] == "Accept"
    assert not re.search(r"<img|<script>|\sstyle=|\son\w+=(?!alert)|https?://", answer.text)
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert sorted(ids) == sorted(set(ids))
    assert answer.text.count("<h1>") == 1


def test_home_counts_every_stage_and_lists_the_newest(full: Client) -> None:
    said = show(full, "/")
    for group in TOPIC_BY_GROUP:
        assert re.search(rf"\b{group} [a-z ]+ \d+ \d+ \d+\b", said), group
    assert f"ingest finds the face and cuts it out 0 0 {LETTERS - 1}" in said
    assert "planner divides a training into folds 0 1 0" in said
    assert "Datasets 4" in said
    assert "Videos 3" in said
    assert "Runs 4" in said
    assert f"Dead letters {LETTERS}" in said
    assert f"All {LETTERS} dead letters" in said
    assert "lab-2026 39 36 36 3 ready fmer-lite UF1 0.866, UAR 0.886" in said
    assert "3 lost" in said
    assert '<section id="start" data-live hidden>' in full.open("/").text


def test_an_empty_stack_is_told_how_to_begin(empty: Client) -> None:
    page = empty.open("/").text
    assert '<section id="start" data-live>' in page
    for command in ("synth", "doctor DATASET", "drop DATASET", "drop VIDEO"):
        assert command in page
    for path in ("/datasets", "/runs", "/videos", "/dead-letters"):
        assert empty.open(path).status == 200


def test_a_dataset_that_was_just_sent_has_a_page_before_it_is_read(empty: Client) -> None:
    assert "The inbox has not read this dataset yet." in show(empty, "/datasets/new?sent=yes")
    assert empty.open("/datasets/new").status == 404


def test_a_dataset_shows_progress_reasons_settings_and_runs(full: Client) -> None:
    said = show(full, "/datasets/lab-2026")
    for part in (
        "clips 39",
        "with features 36",
        "in work 0",
        "left out 3",
        "Left out: 3",
        "EP91: no apex is annotated.",
    ):
        assert part in said
    assert "profile corrected" in said
    assert "training: epochs 60" in said
    assert "Runs 3" in said


def test_a_dataset_of_two_pipelines_shows_both(full: Client) -> None:
    page = full.open("/datasets/twice").text
    assert len(re.findall('<section id="upload-', page)) == 2
    assert 'flow.solver</dt><dd>"exact"' in html.unescape(page)


def test_hostile_names_are_text_and_their_links_lead_to_them(full: Client) -> None:
    for path in ("/", "/datasets"):
        page = full.open(path).text
        assert "<img" not in page
        (link,) = {each for each in re.findall(r'href="(/datasets/[^"]+)"', page) if "onerror" in each}
        said = full.open(html.unescape(link)).text
        assert (
            f"<h1>{html.escape(HOSTILE_NAME, quote=True).replace('&quot;', '&#34;').replace('&#x27;', '&#39;')}</h1>"
            in said
        )
        assert "Lost, nobody works on them: 3" in said


def test_a_run_that_is_done_shows_figures_classes_settings_and_files(full: Client) -> None:
    said = show(full, f"/runs/{DONE}")
    for part in (
        *("fmer-lite on lab-2026", "state done", "seeds 3 to 5", "clips 36, 1 more were left out"),
        *("fmer-lite 0.866 0.886 0.887 0.841", "majority 0.119 0.200 0.425 –", "happiness 14 0.900 0.875 0.927"),
        *("surprise <b> 22", "epochs", "network.map_head", "Open the report", "predictions.csv", "run.json"),
    ):
        assert part in said
    page = full.open(f"/runs/{DONE}").text
    for name in ("report.html", "report.json", "predictions.csv", "run.json"):
        assert full.get(f"/runs/{DONE}/{name}").status == 200
        assert f'href="/runs/{DONE}/{name}"' in page


def test_runs_say_why_they_failed_and_how_far_they_are(full: Client) -> None:
    assert "Expected two subjects at least to test on, got s01 alone." in show(full, f"/runs/{FAILED}")
    assert re.search(r"state 1 of \d+ folds", show(full, f"/runs/{TRAINING}"))
    assert re.search(r"linear lab-2026 loso 3 1 of \d+ folds", show(full, "/runs"))


def test_a_report_is_shown_without_power(full: Client) -> None:
    answer = full.open(f"/runs/{DONE}/report.html")
    assert answer.data == REPORT_PAGE
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "allow" not in answer.headers["Content-Security-Policy"]
    assert full.open(f"/runs/{DONE}/..%2F..%2Fsecret").status == 404


def follow_next(page: str) -> str:
    """The address of the next page of dead letters."""
    (query,) = re.findall(r'rel="next" href="([^"]+)"', page)
    return f"/dead-letters{query}"


def test_letters_are_paged_and_searched(full: Client) -> None:
    first = full.open("/dead-letters").text
    last = full.open(follow_next(full.open(follow_next(first)).text)).text
    assert [page.count("<tr>") - 1 for page in (first, last)] == [100, LETTERS - 200]
    assert "1 to 100 of 230" in first
    assert "201 to 230 of 230" in last
    assert ("Next" in first, "Previous" in first, "Next" in last, "Previous" in last) == (True, False, False, True)
    assert "trainer MemoryError: 8 GB were asked for." in show(full, "/dead-letters?search=trainer")
    found = show(full, "/dead-letters?search=ONERROR")
    assert f"{HOSTILE_NAME}/s04/EP100 ingest" in found
    assert "no face in frame 0." in found
    assert "No dead letter has this" in show(full, "/dead-letters?search=nothing")
    refused = full.open("/dead-letters?after=x")
    assert (refused.status, "Expected a `cursor` of this list" in refused.text) == (422, True)


def test_programs_get_the_videos_in_pages(full: Client) -> None:
    first = full.get("/videos?limit=1")
    (query,) = re.findall('<([^>]*)>; rel="next"', first.headers["Link"])
    videos = first.json + full.get(f"/videos{query}").json
    assert [each["name"] for each in videos] == [each["name"] for each in full.get("/videos").json][: len(videos)]
    (done,) = [each for each in full.get("/videos").json if each["files"]]
    assert [full.open(address).data for address in done["files"].values()] == [b"video,event\n", b'{"events": []}']
    assert full.open(done["url"]).status == 200


def test_videos_show_state_reason_and_files(full: Client) -> None:
    said = show(full, "/videos")
    assert "interviews/anna 01.mp4 watching" in said
    assert "failed fps: expected more than 0." in said
    links = re.findall(r'href="(/videos/[^"]+/[^"]+)"', full.open("/videos").text)
    assert [full.open(link).data for link in links] == [b"video,event\n", b'{"events": []}']
    assert full.open("/videos/0000/prediction.json").status == 404


@pytest.mark.parametrize("path", ["/nothing", "/datasets/none", f"/runs/{'0' * 32}", "/runs/x/y", "/static/none.css"])
def test_what_is_not_there_is_a_page_for_a_browser(path: str, full: Client) -> None:
    answer = full.open(path)
    assert answer.status == 404
    assert "<h1>Not Found</h1>" in answer.text
    assert 'href="/"' in answer.text


def test_a_broker_that_is_away_is_a_page_too(lab) -> None:  # type: ignore[no-untyped-def]
    with served(Away(lab.bus, "group_progress", trouble=Unavailable("The broker <away>.")), lab.store) as client:
        answer = client.open("/")
    assert answer.status == 503
    assert "The broker &lt;away&gt;." in answer.text
    assert answer.headers["Retry-After"] == "5"


def test_programs_get_json_at_the_same_addresses(full: Client) -> None:
    assert {each["name"] for each in full.get("/datasets").json} == {"lab-2026", "twice", HOSTILE_NAME}
    assert full.get(f"/runs/{DONE}").json["state"] == "done"
    assert full.get("/nothing").detail == "Not Found"


def test_style_and_script_are_served_as_what_they_are(full: Client) -> None:
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = full.get(f"/static/{name}")
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)

"""The console below a path of a reverse proxy: links, forms, redirects, events and files, in a real Chromium."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from shared.settings import Settings
from shared.store import LocalStore
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import DONE, TRAINING, fill_stack
from tests.unit.console.pages.browser import wait_until
from tests.unit.console.reverse_proxy import proxied

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PREFIX = "/lab/mer"
TOKEN = "0123456789" * 4


@pytest.mark.parametrize("strips", [True, False])
def test_everything_works_below_a_path(strips: bool, lab: Any, chromium: "Browser", tmp_path: Path) -> None:
    fill_stack(lab.bus, lab.store)
    buckets = {name: LocalStore(tmp_path / name) for name in ("datasets", "videos")}
    (tmp_path / "film.mp4").write_bytes(bytes(9 << 20))
    with (
        served(lab.bus, lab.store, buckets=buckets, api_token=TOKEN, root_path=PREFIX, refresh_seconds=0.05) as client,
        proxied(client.port, PREFIX, strips) as port,
    ):
        root, faults, opened = f"http://127.0.0.1:{port}{PREFIX}", [], []
        context = chromium.new_context()
        page = context.new_page()
        page.on("response", lambda answer: opened.append(answer.url))
        page.on("response", lambda answer: faults.append(answer.url) if answer.status >= 400 else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{root}/runs", wait_until="load")
        assert page.url == f"{root}/login?next=%2Fruns"
        page.fill("#token", TOKEN)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url == f"{root}/runs"
        (cookie,) = context.cookies()
        assert cookie["path"] == PREFIX
        wait_until(page, "document.getElementById('connection').textContent === 'live'")
        seen: set[str] = set()
        while links := _links_of(page, root) - seen:
            seen.add(link := min(links))
            page.goto(link, wait_until="load")
        assert {f"{root}/{path}" for path in ("", "datasets", f"runs/{DONE}", "uploads", "dead-letters")} <= seen
        page.goto(f"{root}/runs/{TRAINING}", wait_until="load")
        with page.expect_navigation():
            page.click("#state button")
        assert page.url == f"{root}/runs/{TRAINING}"
        wait_until(page, "document.getElementById('state').textContent.includes('cancelled')")
        page.goto(f"{root}/upload", wait_until="load")
        page.check("input[value=videos]")
        page.set_input_files("#files", tmp_path / "film.mp4")
        page.click(".main")
        wait_until(page, "document.getElementById('state').textContent.startsWith('1 file sent')")
        with page.expect_navigation():
            page.click("#state a")
        assert page.url == f"{root}/videos"
        with page.expect_navigation():
            page.click(".logout button")
        assert page.url == f"{root}/login"
        context.close()
    assert faults == []
    assert not [url for url in opened if not url.startswith(root)]


def _links_of(page: Any, root: str) -> set[str]:
    """Addresses of pages to which a page links. Files are downloads."""
    found = page.evaluate(
        "[...document.querySelectorAll('a:not([download])')].map(each => each.href.split('#')[0].split('?')[0])"
    )
    assert all(link.startswith(root) for link in found), found
    return {link for link in found if not link.endswith((".html", ".json", ".csv"))}


def test_programs_find_it_too(lab: Any) -> None:
    with served(lab.bus, lab.store, root_path=PREFIX) as client, proxied(client.port, PREFIX, True) as port:
        own = Client(port)
        assert own.get(f"{PREFIX}/runs").json == []
        assert own.get(f"{PREFIX}/openapi.json").json["servers"] == [{"url": PREFIX}]
        assert client.open("/upload").headers["Location"] == f"{PREFIX}/uploads"


@pytest.mark.parametrize("wrong", ["mer", "/mer/", "//evil.example", '/"><script>', "/a b"])
def test_a_wrong_prefix_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings(root_path=wrong)

"""The page's server: this computer only, no other site, one state after the other, and pictures only if wanted."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from merstream.live.live_view import LiveView
from merstream.live.page_display import PICTURE_SIDE, PageDisplay, compress_frame
from shared.errors import Misconfigured

VIEW = LiveView("camera 0", 1.5, 30.0, 0, 0.1, (), (), None, (), {"micro": 0, "macro": 0, "flagged": 0})
Ask = Callable[..., http.client.HTTPResponse]
FRAME = np.full((1080, 1920, 3), (200, 100, 50), np.uint8)


@pytest.fixture
def display() -> Iterator[PageDisplay]:
    with PageDisplay() as found:
        yield found


@pytest.fixture
def ask(display: PageDisplay) -> Iterator[Ask]:
    """Asks for a path, under the server's own name or another one."""
    with ExitStack() as stack:

        def send(path: str, host: str | None = None) -> http.client.HTTPResponse:
            name = display.address.removeprefix("http://").rstrip("/")
            connection = stack.enter_context(closing(http.client.HTTPConnection(name, timeout=60)))
            connection.request("GET", path, headers={"Host": host} if host else {})
            return stack.enter_context(connection.getresponse())

        yield send


def test_the_page_asks_for_nothing_outside(ask: Ask) -> None:
    answer = ask("/")
    text = answer.read().decode()
    assert answer.status == 200
    assert "EventSource" in text
    assert "http://" not in text
    assert "https://" not in text
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", "/state", "/picture"])
def test_a_foreign_name_that_leads_here_is_refused(ask: Ask, path: str) -> None:
    assert ask(path, "rebound.example:80").status == 403


def test_other_paths_do_not_exist(ask: Ask) -> None:
    assert ask("/../etc/passwd").status == 404


def test_each_state_is_sent_once_and_the_last_one_before_the_end(display: PageDisplay, ask: Ask) -> None:
    display.show_view(VIEW, FRAME)
    answer = ask("/state")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert json.loads(answer.readline().removeprefix(b"data: "))["seconds"] == 1.5
    answer.readline()
    display.show_view(replace(VIEW, seconds=2.0, ended=True), FRAME)
    display._shown.close()
    assert [json.loads(line[6:])["seconds"] for line in answer if line.strip()] == [2.0]


def test_the_picture_is_a_small_jpeg(display: PageDisplay, ask: Ask) -> None:
    display.show_view(VIEW, FRAME)
    answer = ask("/picture")
    lines = [answer.readline().strip() for _ in range(4)]
    assert lines[:2] == [b"--frame", b"Content-Type: image/jpeg"]
    data = answer.read(int(lines[2].split()[-1]))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert max(picture.shape) == PICTURE_SIDE
    assert np.abs(picture.astype(int) - (200, 100, 50)).max() < 6


def test_without_faces_no_picture_is_made() -> None:
    with PageDisplay(pictures=False) as display:
        display.show_view(VIEW, FRAME)
        assert display._shown.picture == b""


def test_a_small_frame_is_not_enlarged() -> None:
    assert cv2.imdecode(np.frombuffer(compress_frame(FRAME[:100, :160]), np.uint8), 1).shape == (100, 160, 3)


def test_a_port_that_is_taken_is_a_sentence(display: PageDisplay) -> None:
    with pytest.raises(Misconfigured, match="expected a free port"):
        PageDisplay(display._server.server_port)

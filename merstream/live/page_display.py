"""A live session as a page in the browser, from a server that only this computer reaches.

The page gets the picture as a stream of JPEG files and the rest as events (`text/event-stream`). Nothing is stored.
"""

import json
import threading
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.live.live_view import LiveView
from shared.errors import Misconfigured
from shared.prediction.page.unit_names import UNIT_NAMES

HOST = "127.0.0.1"
PICTURE_SIDE = 640  # px of the longer side of the picture that the page gets
JPEG_QUALITY = 80
WAIT_SECONDS = 5.0  # after which a reader gets the same state again, so that a closed page is noticed
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    # Another site that the same browser shows must not see the camera's picture.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Shown:
    """What the page shows now, and a way to wait for the next state."""

    def __init__(self) -> None:
        self.state, self.picture, self.number, self.closed = b"{}", b"", 0, False
        self.changed = threading.Condition()

    def replace_state(self, state: bytes, picture: bytes) -> None:
        with self.changed:
            self.state, self.picture, self.number = state, picture or self.picture, self.number + 1
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def wait_for_next(self, number: int) -> tuple[int, bytes, bytes] | None:
        """The number, state and picture after `number`; None when the session is over."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or self.number > number, WAIT_SECONDS)
            return None if self.closed and self.number <= number else (self.number, self.state, self.picture)


class PageDisplay:
    """Serves the page. Use it in a `with` block. `pictures`: whether the page shows the camera's picture.

    Raises Misconfigured if the port is taken. Port 0: any free one.
    """

    def __init__(self, port: int = 0, pictures: bool = True) -> None:
        self.pictures = pictures
        self._shown = _Shown()
        handler = type("_Handler", (_PageHandler,), {"shown": self._shown})
        try:
            self._server = ThreadingHTTPServer((HOST, port), handler)
        except OSError as error:
            raise Misconfigured(
                f"Port {port}: expected a free port of this computer, got {error.strerror}. Give another one with "
                "--port, or 0 for any."
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._server.server_port}/"

    def __enter__(self) -> "PageDisplay":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.close()
        self._server.shutdown()
        self._server.server_close()

    def show_view(self, view: LiveView, pixels: NDArray[np.uint8] | None) -> None:
        """Show a moment of the session with its frame [H, W, 3], uint8 RGB."""
        state = encode_view(view)
        picture = compress_frame(pixels) if self.pictures and pixels is not None else b""
        self._shown.replace_state(state, picture)


def encode_view(view: LiveView) -> bytes:
    """The view as JSON."""
    events = [event.model_dump(mode="json") for event in view.events]
    plain: dict[str, Any] = {**asdict(view), "events": events, "units": UNIT_NAMES}
    return json.dumps(plain, separators=(",", ":")).encode()


def compress_frame(pixels: NDArray[np.uint8]) -> bytes:
    """A frame [H, W, 3] as a JPEG file, shrunk to `PICTURE_SIDE`."""
    scale = min(1.0, PICTURE_SIDE / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    done, file = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    assert done
    return file.tobytes()


class _PageHandler(BaseHTTPRequestHandler):
    """Answers one request. `shown` is set by a subclass of each server."""

    shown: _Shown
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answers = {"/": self._send_page, "/state": self._stream_state, "/picture": self._stream_picture}
        answer = answers.get(self.path)
        if not self._is_own_host():
            self.send_error(HTTPStatus.FORBIDDEN, "This server answers this computer only")
        elif answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            try:
                answer()
            except OSError:
                self.close_connection = True  # the page was closed

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: the terminal shows the session."""

    def _is_own_host(self) -> bool:
        """Another name that leads here would let a foreign page read this one (DNS rebinding)."""
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        return self.headers.get("Host") in (f"{HOST}:{port}", f"localhost:{port}")

    def _start_answer(self, kind: str, length: int | None = None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if length is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_page(self) -> None:
        page = files("merstream.live").joinpath("page/live.html").read_bytes()
        self._start_answer("text/html; charset=utf-8", len(page))
        self.wfile.write(page)

    def _stream_state(self) -> None:
        self._start_answer("text/event-stream")
        number = 0
        while found := self.shown.wait_for_next(number):
            number, state, _ = found
            self.wfile.write(b"data: " + state + b"\n\n")

    def _stream_picture(self) -> None:
        self._start_answer("multipart/x-mixed-replace; boundary=frame")
        number = 0
        while found := self.shown.wait_for_next(number):
            number, _, picture = found
            if picture:
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")

"""The console as it is served: uvicorn on a free port, over the lab's bus and store."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from services.console.server import ConsoleServer
from shared.bus import Bus
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.store import Store
from tests.unit.trainer.conftest import lab, trainer  # noqa: F401
from tests.unit.trainer.lab import Lab

CALM = 300  # seconds after which a test gives up


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def detail(self) -> str:
        """The sentence of a problem, which says its status too."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert list(self.json) == ["type", "title", "status", "detail"]
        assert self.json["status"] == self.status
        return str(self.json["detail"])

    @property
    def text(self) -> str:
        """The page."""
        assert self.headers["Content-Type"] == "text/html; charset=utf-8"
        return self.data.decode()


@dataclass(frozen=True)
class Client:
    port: int

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, headers=headers)

    def open(self, path: str, **headers: str) -> Answer:
        """As a browser does."""
        accept = "text/html,application/xhtml+xml,*/*;q=0.8"
        return self._ask("GET", path, headers={"Accept": accept, **headers}, redirect=False)

    def post(self, **body: Any) -> Answer:
        """A run."""
        return self._ask("POST", "/runs", json=body)

    def send(self, body: bytes | Iterator[bytes], kind: str = "application/json", **headers: str) -> Answer:
        return self._ask("POST", "/runs", body=body, headers={"Content-Type": kind, **headers})

    def ask_json(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self._ask("POST", path, json=body, headers={"Content-Type": "application/json", **headers})

    def send_form(self, path: str, *fields: tuple[str, str], **headers: str) -> Answer:
        """As a browser does, without following where the answer leads."""
        kind = "application/x-www-form-urlencoded"
        return self.send_body(path, urlencode(fields).encode(), kind, **{"Accept": "text/html", **headers})

    def send_body(self, path: str, body: bytes, kind: str, **headers: str) -> Answer:
        return self._ask("POST", path, body=body, headers={"Content-Type": kind, **headers}, redirect=False)

    def delete(self, path: str, **headers: str) -> Answer:
        return self._ask("DELETE", path, headers=headers)

    def put(self, path: str, body: bytes | Iterator[bytes], **headers: str) -> Answer:
        return self._ask("PUT", path, body=body, headers=headers)

    def submit(self, path: str, **headers: str) -> Answer:
        """A form without fields."""
        return self._ask("POST", path, headers=headers, redirect=False)

    def log_in(self, token: str, target: str = "/", **headers: str) -> Answer:
        body = urlencode({"token": token, "next": target}).encode()
        given = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", **headers}
        return self._ask("POST", "/login", body=body, headers=given, redirect=False)

    def _ask(self, method: str, path: str, **given: Any) -> Answer:
        with urllib3.PoolManager(retries=False, timeout=CALM) as pool:
            answer = pool.request(method, f"http://127.0.0.1:{self.port}{path}", **given)
            return Answer(answer.status, answer.headers, answer.data)


@contextmanager
def served(
    bus: Bus,
    store: Store,
    timeout_seconds: float = CALM,
    refresh_seconds: float = 0,
    buckets: Any = None,
    run_folder: str = "",
    **settings: Any,
) -> Iterator[Client]:
    chosen = Settings(**{"api_port": 0, **settings})
    state, stopping = PipelineState(bus, store), threading.Event()
    server = ConsoleServer(state, chosen, stopping, timeout_seconds, refresh_seconds, run_folder, buckets=buckets)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Client(server.port)
    finally:
        server.stopping.set()
        thread.join(CALM)
        assert not thread.is_alive()


@pytest.fixture
def api(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:  # noqa: F811
    """`api(**settings)`: another replica."""
    monkeypatch.setenv("MER_DEVICE", "cpu")
    with ExitStack() as open_:
        yield lambda **settings: open_.enter_context(served(lab.bus, lab.store, **settings))

"""How the API is served: who is let in, what trouble looks like from outside, and how it ends."""

import json
import socket
import subprocess
import sys
import threading
from base64 import b64encode

import pytest
import urllib3

from services.console import middleware, server
from services.console.__main__ import build_console
from services.console.server import ConsoleServer
from shared.errors import Misconfigured, Unavailable
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.telemetry import Metrics
from tests.unit.console.conftest import CALM, served


class Away:
    """A bus or store whose server is away, for what `named` says."""

    def __init__(self, real, *named, trouble):
        self._real, self._named, self._trouble = real, named, trouble

    def __getattr__(self, name):
        if name not in self._named:
            return getattr(self._real, name)

        def fail(*_):
            raise self._trouble

        return fail


class Silent:
    """A bus whose followers never come back until told to."""

    def __init__(self, real):
        self._real, self.answer = real, threading.Event()

    def follow(self, topic):
        follower, bus = self._real.follow(topic), self

        class Waiting:
            def read_batches(self):
                bus.answer.wait()
                yield from follower.read_batches()

            def close(self):
                follower.close()

        return Waiting()


def test_what_follows_the_headers_waits_for_no_acknowledgement():
    with (
        server._open_listening_socket("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Bearer s3cre", "Basic s3cret", "s3cret", "Bearer é"])
def test_without_the_token_nobody_is_told_anything(given, api):
    client = api(api_token="s3cret")
    for path in ("/runs", "/datasets", "/openapi.json", "/elsewhere"):
        answer = client.get(path, **({"Authorization": given.encode()} if given else {}))
        assert answer.status == 401
        assert "MER_API_TOKEN" in answer.detail
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("given", ["Bearer s3cret", "bearer  s3cret "])
def test_with_the_token_one_is_let_in(given, api):
    assert api(api_token="s3cret").get("/runs", Authorization=given).status == 200


def as_password(token):
    return f"Basic {b64encode(f'anybody:{token}'.encode()).decode()}"


def test_the_token_is_also_a_password(api):
    client = api(api_token="s3cret")
    for given in (as_password("wrong"), as_password("s3cre")):
        answer = client.open("/", Authorization=given)
        assert (answer.status, "MER_API_TOKEN" in answer.text) == (401, True)
    assert client.open("/", Authorization=as_password("s3cret")).status == 200
    assert client.get("/runs", Authorization=as_password("s3cret")).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("http://[", 403), ("https://mer.lab.example", 404), (None, 404)],
)
def test_where_no_site_is_said_the_origin_counts(origin, status, api):
    client = api(api_hosts="mer.lab.example,localhost")
    own = {"Origin": f"http://127.0.0.1:{client.port}"}
    body = json.dumps({"datasets": ["toy"]}).encode()
    assert client.send(body, **({"Origin": origin} if origin else own)).status == status


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 404)])
def test_a_page_of_another_site_starts_nothing(site, status, api):
    body = json.dumps({"datasets": ["toy"]}).encode()
    assert api().send(body, **{"Sec-Fetch-Site": site}).status == status


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "console.evil.example"]
)
def test_a_name_that_somebody_else_points_here_is_refused(host, api):
    answer = api(api_hosts="localhost, Console").get("/runs", Host=host)
    assert (answer.status, answer.detail) == (
        400,
        "Expected an address or one of the names console, localhost as the host (MER_API_HOSTS).",
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "console:8080", "console.", "127.0.0.1", "[::1]:8080"])
def test_known_names_and_addresses_are_answered(host, api):
    assert api().get("/runs", Host=host).status == 200


@pytest.mark.parametrize("host", ["[::1", "", "[evil.example]"])
def test_a_host_that_is_none_is_refused(host, api):
    assert api().get("/runs", Host=host).status == 400


def test_a_deployment_may_have_names_of_its_own(api):
    assert api(api_hosts="mer.lab.example").get("/runs", Host="mer.lab.example").status == 200
    assert api(api_hosts="*").get("/runs", Host="any.example").status == 200


def test_a_token_is_not_shown(lab):
    assert "s3cret" not in repr(Settings(api_token="s3cret"))


def test_a_body_that_is_too_large_is_not_read(api, lab):
    client = api()
    at_once = client.send(b" " * (middleware.MAX_BODY_BYTES + 1))
    in_pieces = client.send(iter([b" " * 1000] * (middleware.MAX_BODY_BYTES // 1000 + 2)))
    for answer in (at_once, in_pieces):
        assert (answer.status, answer.detail) == (
            413,
            f"Expected a request of at most {middleware.MAX_BODY_BYTES} bytes.",
        )
    assert client.get("/runs").status == 200


def test_the_description_is_there_and_no_page_that_asks_the_internet(api):
    client = api()
    described = client.get("/openapi.json").json
    own = {"/runs", "/runs/{run}", "/runs/{run}/cancel", "/runs/{run}/{name}", "/datasets", "/uploads"}
    assert set(described["paths"]) > own | {"/dead-letters", "/dead-letters/replay", "/runs/compare"}
    assert described["components"]["schemas"]["RunRequest"]["additionalProperties"] is False
    assert (client.get("/docs").status, client.get("/redoc").status) == (404, 404)


@pytest.mark.parametrize("trouble", [Unavailable("the broker is away"), ConnectionError("the broker is away")])
def test_trouble_is_503_and_worth_another_try(trouble, lab):
    lab.extract()
    lab.drop()
    with served(Away(lab.bus, "publish", trouble=trouble), lab.store) as client:
        answer = client.post(datasets=["toy"], model="majority")
    assert (answer.status, answer.detail) == (503, "the broker is away")
    assert answer.headers["Retry-After"] == "5"
    with served(lab.bus, lab.store) as client:
        assert client.post(datasets=["toy"], model="majority").status == 202, "what was half done is done"
    assert lab.published("mer.runs") == 1


def test_a_store_that_refuses_is_somebodys_to_put_right(lab):
    lab.extract()
    lab.drop()
    store = Away(lab.store, "put", trouble=Misconfigured("the store refuses this key"))
    with served(lab.bus, store) as client:
        answer = client.post(datasets=["toy"], model="majority")
    assert (answer.status, answer.detail) == (500, "the store refuses this key")


def test_a_surprise_is_told_in_the_log_and_not_to_the_client(lab, caplog):
    lab.extract()
    lab.drop()
    with served(lab.bus, Away(lab.store, "exists", trouble=ZeroDivisionError("secret detail"))) as client:
        answer = client.post(datasets=["toy"], model="majority")
        assert (answer.status, "secret" in answer.detail) == (500, False)
        assert client.get("/runs").status == 200
    assert "secret detail" in caplog.text


def test_a_broker_that_says_nothing_is_503_and_no_hang(lab):
    bus = Silent(lab.bus)
    with served(bus, lab.store, timeout_seconds=0.5) as client:
        assert [client.get("/runs").status for _ in range(3)] == [503] * 3
        bus.answer.set()
        while (answer := client.get("/runs")).status == 503:
            pass
        assert answer.status == 200


def test_a_connection_that_stays_silent_is_closed(lab, monkeypatch):
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0)
    with served(lab.bus, lab.store) as client, socket.create_connection(("127.0.0.1", client.port), CALM) as silent:
        assert silent.recv(1) == b""


def test_it_stops_when_told_and_refuses_connections_after(lab):
    with served(lab.bus, lab.store) as client:
        assert client.get("/runs").status == 200
    with pytest.raises(urllib3.exceptions.HTTPError):
        client.get("/runs")


def test_a_port_that_is_taken_is_told_at_the_start(lab):
    with served(lab.bus, lab.store) as client, pytest.raises(Misconfigured, match="MER_API_PORT"):
        ConsoleServer(PipelineState(lab.bus, lab.store), Settings(api_port=client.port), threading.Event())


def test_its_process_has_one_loop_and_ends_when_told(lab):
    stopping, metrics = threading.Event(), Metrics()
    (loop,) = build_console(Settings(api_port=0), lab.bus, lab.store, metrics, stopping)
    assert not loop.is_ready()
    assert metrics.registry.get_sample_value("mer_heartbeat_seconds", {"stage": "console"}) == 0
    stopping.set()
    loop.run()
    assert metrics.registry.get_sample_value("mer_heartbeat_seconds", {"stage": "console"}) > 1e9


def test_it_needs_neither_torch_nor_pictures():
    code = (
        "import sys, services.console.__main__; from shared.bus.kafka import bus; from shared.store import s3; "
        "sys.exit(str({'torch', 'cv2', 'numba', 'scipy', 'av'} & set(sys.modules)) if "
        "{'torch', 'cv2', 'numba', 'scipy', 'av'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

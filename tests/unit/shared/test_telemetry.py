import json
import logging
import socket
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest

from shared.telemetry import HealthServer, JsonLineFormatter, Metrics


def test_health_endpoints_follow_the_process() -> None:
    metrics, ready, stalled = Metrics(), False, False
    metrics.records.labels("flow", "computed").inc(3)
    health = HealthServer(metrics, 0, ready=lambda: ready, stalled=lambda: stalled)
    health.start()
    assert (_get(health, "/livez")[0], _get(health, "/readyz")[0]) == (200, 503)
    ready = True
    assert _get(health, "/readyz")[0] == 200
    stalled = True
    assert (_get(health, "/livez")[0], _get(health, "/readyz")[0]) == (503, 503)
    assert 'mer_records_total{outcome="computed",stage="flow"} 3.0' in _get(health, "/metrics")[1]
    health.stop()


def test_silent_connections_keep_no_probe_waiting() -> None:
    health = HealthServer(Metrics(), 0, ready=lambda: True, stalled=lambda: False)
    health.start()
    with ExitStack() as open_:
        for _ in range(100):
            open_.enter_context(socket.create_connection(("127.0.0.1", health.port)))
        assert [_get(health, path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200] * 3
    health.stop()


def test_a_connection_that_stays_silent_is_closed_and_nothing_is_logged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shared.telemetry._QuietRequestHandler.timeout", 0.01)
    health = HealthServer(Metrics(), 0, ready=lambda: True, stalled=lambda: False)
    health.start()
    with socket.create_connection(("127.0.0.1", health.port), timeout=300) as silent:
        assert silent.recv(1) == b""
    assert _get(health, "/livez")[0] == 200
    health.stop()
    assert capfd.readouterr() == ("", "")


def test_a_log_line_is_one_json_object_with_its_fields() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, "computed %s", ("ü",), None)
    record.mer = {"stage": "flow", "key": "d/s/c"}
    line = json.loads(JsonLineFormatter().format(record))
    assert (line["message"], line["stage"], line["key"], line["level"]) == ("computed ü", "flow", "d/s/c", "INFO")


def _get(health: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}", timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""

"""Metrics (each name declared once), structured logs and health endpoints."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.samples import Sample

_COMPUTE_BUCKETS = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)


class JoinedRegistry(CollectorRegistry):
    """A registry that also shows what others measured. Their figures replace own ones of the same labels."""

    def __init__(self) -> None:
        super().__init__()
        self.adopted: dict[str, Callable[[], Iterable[Metric]]] = {}

    def collect(self) -> Iterator[Metric]:
        joined: dict[str, Metric] = {}
        samples: dict[str, dict[object, Sample]] = {}
        for families in (super().collect, *self.adopted.values()):
            for family in families():
                joined.setdefault(family.name, family)
                known = samples.setdefault(family.name, {})
                known |= {(sample.name, *sorted(sample.labels.items())): sample for sample in family.samples}
        for name, family in joined.items():
            family.samples = list(samples[name].values())
            yield family


class Metrics:
    """The metrics of a worker, all labelled with its stage."""

    def __init__(self) -> None:
        self.registry = JoinedRegistry()
        labels = ["stage"]
        self.records = Counter(
            "mer_records", "Records finished, by outcome", [*labels, "outcome"], registry=self.registry
        )
        self.retries = Counter("mer_retries", "Attempts repeated after trouble", labels, registry=self.registry)
        self.compute = Histogram(
            "mer_compute_seconds", "Time in a stage's compute", labels, registry=self.registry, buckets=_COMPUTE_BUCKETS
        )
        self.artifact = Counter("mer_artifact_bytes", "Bytes of artifacts written", labels, registry=self.registry)
        self.halted = Gauge("mer_halted", "1 while a worker is halted", labels, registry=self.registry)
        self.heartbeat = Gauge(
            "mer_heartbeat_seconds", "Unix time when the loop last turned", labels, registry=self.registry
        )
        self.waiting = Gauge(
            "mer_waiting_records", "Records that a group has not finished", labels, registry=self.registry
        )
        self.oldest = Gauge(
            "mer_oldest_record_seconds",
            "Time for which the first unfinished record of a partition has been the first",
            [*labels, "partition"],
            registry=self.registry,
        )
        self.dead_letters = Gauge(
            "mer_dead_letters", "Dead letters of a group that nobody replayed", labels, registry=self.registry
        )


class JsonLineFormatter(logging.Formatter):
    """One JSON object per line. `extra={"mer": {...}}` of a log call adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "mer", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_as_json(level: str, handler: logging.Handler) -> None:
    """Structured logs to `handler`, for a process of its own. A library caller keeps its own logging."""
    handler.setFormatter(JsonLineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kafka").setLevel("ERROR")  # it warns of every reconnection; our own lines report what lasts


def log_to_stderr(level: str) -> None:
    """Structured logs to stderr."""
    log_as_json(level, logging.StreamHandler(sys.stderr))


class HealthServer:
    """`/livez`: no loop is stalled. `/readyz`: the process takes work. `/metrics`: Prometheus."""

    def __init__(self, metrics: Metrics, port: int, *, ready: Callable[[], bool], stalled: Callable[[], bool]) -> None:
        self.ready, self.stalled = ready, stalled
        self._metrics = make_wsgi_app(metrics.registry)
        self._server = make_server(
            "", port, self._answer_request, server_class=_PatientServer, handler_class=_QuietRequestHandler
        )
        self.port = self._server.server_port

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer_request(self, environ: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        states = {"/livez": not self.stalled(), "/readyz": self.ready() and not self.stalled()}
        path = environ["PATH_INFO"]
        if path not in states:
            return cast(Iterable[bytes], self._metrics(environ, respond))
        respond("200 OK" if states[path] else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok\n" if states[path] else b"not ok\n"]


class _PatientServer(ThreadingWSGIServer):
    """A thread per connection, so that a client that says nothing keeps nobody waiting."""

    request_queue_size = 128  # connections that the kernel holds until they are accepted

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away or was too slow. Anything else is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _QuietRequestHandler(WSGIRequestHandler):
    timeout = 5  # seconds without a byte from the client, then its connection is closed

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: probes come every few seconds."""

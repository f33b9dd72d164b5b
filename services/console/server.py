"""The loop that serves the console, by uvicorn."""

import asyncio
import logging
import socket
import threading
from collections.abc import Mapping

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.console.app import ConsoleOptions, create_application
from services.console.pages.status_feed import StatusFeed
from services.console.state_reader import StateReader
from services.console.uploads.records import Target
from shared.device import name_training_device
from shared.errors import Misconfigured
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics

CONSOLE_NAME = "console"  # its label among the metrics
TIMEOUT_SECONDS = 15.0  # for broker and store. The broker's client gives up earlier, and its message says more
REFRESH_SECONDS = 2.0  # between two reads of the state for pages, however many browsers show them
MAX_CONNECTIONS = 200
SILENCE_SECONDS = 5  # before a request: then the connection is closed
_STOP_CHECK_SECONDS = 0.1


class ConsoleServer:
    """A `shared.worker.process.Loop`. The constructor opens the port and raises Misconfigured if it is in use."""

    def __init__(
        self,
        state: PipelineState,
        settings: Settings,
        stopping: threading.Event,
        timeout_seconds: float = TIMEOUT_SECONDS,
        refresh_seconds: float = REFRESH_SECONDS,
        run_folder: str = "",
        metrics: Metrics | None = None,
        buckets: Mapping[Target, Store] | None = None,
    ) -> None:
        self.state = state
        self._heartbeat = (metrics or Metrics()).heartbeat.labels(CONSOLE_NAME)
        self.stopping = stopping
        self._feed = StatusFeed(StateReader(state, timeout_seconds), refresh_seconds, stopping)
        options = ConsoleOptions(
            hosts=_split_names(settings.api_hosts),
            token=settings.api_token.get_secret_value(),
            people=settings.api_people,
            root_path=settings.root_path,
            device=name_training_device(),
            scratch=settings.scratch,
            run_folder=run_folder,
            buckets=buckets or {},
        )
        config = uvicorn.Config(
            create_application(self._feed, options),
            http=_ImpatientProtocol,
            timeout_keep_alive=SILENCE_SECONDS,
            lifespan="off",
            log_config=None,  # keep that of `shared.telemetry`
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=int(settings.grace_seconds),
        )
        self._server = uvicorn.Server(config)
        self._socket = _open_listening_socket(settings.api_host, settings.api_port)
        self.port: int = self._socket.getsockname()[1]
        logging.getLogger("uvicorn.error").setLevel("WARNING")

    def run(self) -> None:
        try:
            asyncio.run(self._serve_until_stopped())
        finally:
            self._socket.close()
            self._feed.close()
            self.state.close()

    def is_ready(self) -> bool:
        return self._server.started

    def is_stalled(self) -> bool:
        return False

    async def _serve_until_stopped(self) -> None:
        """Serve until `stopping` is set. Then finish the open requests and accept no new ones."""
        serving = asyncio.create_task(self._server.serve([self._socket]))
        self._heartbeat.set_to_current_time()
        while not (self.stopping.is_set() or serving.done()):
            await asyncio.sleep(_STOP_CHECK_SECONDS)
            self._heartbeat.set_to_current_time()
        self._server.should_exit = True
        await serving


class _ImpatientProtocol(H11Protocol):
    """Silent connections would take the places of MAX_CONNECTIONS. uvicorn limits only the silence after a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)


def _split_names(names: str) -> set[str]:
    return {name.strip().lower() for name in names.split(",") if name.strip()}


def _open_listening_socket(host: str, port: int) -> socket.socket:
    """Raises Misconfigured if the address is wrong or the port is in use."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        raise Misconfigured(
            f"MER_API_HOST={host} MER_API_PORT={port}: cannot listen on this address: {error}. Set another one."
        ) from None
    # Its connections inherit this. asyncio sets it only on sockets whose protocol is named. Without it, what follows
    # the headers waits 40 ms for the browser to acknowledge them.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening

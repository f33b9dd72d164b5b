"""`python -m services.console` serves the console on MER_API_PORT."""

import threading
from collections.abc import Sequence

from services.console.server import ConsoleServer
from shared.bus import Bus
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.process import Loop, serve_loops


def build_console(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """The only loop of the process."""
    return [ConsoleServer(PipelineState(bus, store), settings, stopping, metrics=metrics)]


if __name__ == "__main__":
    serve_loops(build_console)

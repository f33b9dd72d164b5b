"""`python -m services.console` serves the console on MER_API_PORT."""

import threading
from collections.abc import Mapping, Sequence

from services.console.server import ConsoleServer
from services.console.uploads.records import Target
from shared.bus import Bus
from shared.connect import open_inbox, open_videos
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.process import Loop, serve_loops


def build_console(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """The only loop of the process."""
    buckets: Mapping[Target, Store] = {"datasets": open_inbox(settings), "videos": open_videos(settings)}
    return [ConsoleServer(PipelineState(bus, store), settings, stopping, metrics=metrics, buckets=buckets)]


if __name__ == "__main__":
    serve_loops(build_console)

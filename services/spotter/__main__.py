"""The spotter: `python -m services.spotter`."""

import threading
from collections.abc import Sequence

from services.spotter.video_handler import VideoHandler, build_video_handler
from shared.bus import Bus
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.video_records import SPOTTER_STAGE
from shared.worker.child_handler import build_service_handler
from shared.worker.process import Loop, build_service_worker, serve_loops


def build_spotter(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """One worker."""
    modules = [VideoHandler.__module__]
    handler = build_service_handler(SPOTTER_STAGE, build_video_handler, settings, store, metrics, stopping, modules)
    return [build_service_worker(handler, bus, store, settings, metrics, stopping)]


if __name__ == "__main__":
    serve_loops(build_spotter)

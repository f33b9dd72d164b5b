"""The spotter: `python -m services.spotter`."""

import threading
from collections.abc import Sequence

from services.spotter.metrics import SpotterMetrics
from services.spotter.spotting_pass import spot_recording
from services.spotter.video_handler import VideoHandler
from shared.bus import Bus
from shared.connect import open_videos
from shared.scratch import ScratchFolder
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.video_records import SPOTTER_STAGE
from shared.worker import Worker
from shared.worker.process import Loop, serve_loops


def build_spotter(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """One worker."""
    handler = VideoHandler(
        open_videos(settings),
        store,
        ScratchFolder(settings, SPOTTER_STAGE, settings.videos_bucket),
        SpotterMetrics(metrics.registry),
        spot_recording,
        stopping.is_set,
    )
    return [Worker(handler, bus, store, settings, metrics, stopping)]


if __name__ == "__main__":
    serve_loops(build_spotter)

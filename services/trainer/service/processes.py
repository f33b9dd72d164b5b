"""The loops of a trainer's process: starters, planner, and workers for folds and recognitions.

A process can be killed at any time, and another one continues. run.json is stored before the run is published. The
planner commits a run after all its folds are published. `fold_worker` describes how folds survive.
"""

import threading
from collections.abc import Sequence

from services.trainer.recogniser.loading import load_recogniser
from services.trainer.service.fold_worker import FoldHandler, build_fold_handler
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.prediction_metrics import RecognitionMetrics, VideoStateMetrics
from services.trainer.service.prediction_starter import PredictionStarter
from services.trainer.service.recognition_worker import RecognitionHandler
from services.trainer.service.run_planner import RunPlanner
from services.trainer.service.run_starter import RunStarter
from shared.bus import Bus
from shared.device import choose_device
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.child_handler import build_service_handler
from shared.worker.process import Loop, build_service_worker


def all_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """The loops of a trainer that does everything."""
    return [
        *planning_loops(settings, bus, store, metrics, stopping),
        _build_fold_worker(settings, bus, store, metrics, stopping),
        *recognition_loops(settings, bus, store, metrics, stopping),
    ]


def planning_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """Starters and planner. They need no GPU and must run always."""
    train_metrics = TrainingMetrics(metrics.registry)
    state = PipelineState(bus, store)
    starter = RunStarter(state, metrics, train_metrics, choose_device(), settings.train_poll_seconds, stopping)
    videos = VideoStateMetrics(metrics.registry)
    predictions = PredictionStarter(
        state, metrics, videos, load_recogniser().digest, settings.train_poll_seconds, stopping
    )
    planner = build_service_worker(RunPlanner(store, settings.scratch), bus, store, settings, metrics, stopping)
    return [starter, planner, predictions]


def training_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """A worker for folds. A deployment scales such processes by the number of waiting folds."""
    return [_build_fold_worker(settings, bus, store, metrics, stopping)]


def recognition_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """A worker that recognises the events of videos. The shipped model takes milliseconds on a CPU."""
    handler = RecognitionHandler(store, RecognitionMetrics(metrics.registry))
    return [build_service_worker(handler, bus, store, settings, metrics, stopping)]


def _build_fold_worker(settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event) -> Loop:
    modules = [build_fold_handler.__module__]
    handler = build_service_handler(FoldHandler.name, build_fold_handler, settings, store, metrics, stopping, modules)
    return build_service_worker(handler, bus, store, settings, metrics, stopping)

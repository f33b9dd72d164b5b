"""The loops of a trainer's process: the conductor, a planner, the API where it has a port, and a worker for folds.

Whatever is killed when, every loop finds what the others left: run.json lies in the store before the run is published;
the planner commits a run when all its folds are published; `fold_task` says what becomes of a fold.
"""

import threading
from collections.abc import Sequence

from services.trainer.api.server import ApiServer
from services.trainer.runs.state import PipelineState
from services.trainer.service.fold_worker import FoldHandler
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.run_planner import RunPlanner
from services.trainer.service.run_starter import RunStarter
from shared.bus import Bus
from shared.device import choose_device
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import Worker
from shared.worker.process import Loop


def all_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """All of them: a trainer that does everything."""
    trained = TrainingMetrics(metrics.registry)
    return [
        *_build_planning_loops(settings, bus, store, metrics, stopping, trained),
        _build_fold_worker(settings, bus, store, metrics, stopping, trained),
    ]


def planning_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """Conductor, planner and API alone: what has to be there while nothing is trained, and needs no GPU."""
    return _build_planning_loops(settings, bus, store, metrics, stopping, TrainingMetrics(metrics.registry))


def training_loops(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """A worker for folds alone: as many as folds wait, none while none waits."""
    return [_build_fold_worker(settings, bus, store, metrics, stopping, TrainingMetrics(metrics.registry))]


def _build_planning_loops(
    settings: Settings,
    bus: Bus,
    store: Store,
    metrics: Metrics,
    stopping: threading.Event,
    train_metrics: TrainingMetrics,
) -> Sequence[Loop]:
    state = PipelineState(bus, store)
    conductor = RunStarter(state, metrics, train_metrics, choose_device(), settings.train_poll_seconds, stopping)
    api = [ApiServer(state, settings, stopping)] if settings.api_port else []
    return [conductor, Worker(RunPlanner(store), bus, store, settings, metrics, stopping), *api]


def _build_fold_worker(
    settings: Settings,
    bus: Bus,
    store: Store,
    metrics: Metrics,
    stopping: threading.Event,
    train_metrics: TrainingMetrics,
) -> Loop:
    handler = FoldHandler(store, train_metrics, choose_device(), settings.scratch, stopping.is_set)
    return Worker(handler, bus, store, settings, metrics, stopping)

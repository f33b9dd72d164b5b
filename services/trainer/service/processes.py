"""The loops of a trainer's process: the conductor, a planner, the API where it has a port, and a worker for folds.

Whatever is killed when, every loop finds what the others left: run.json lies in the store before the run is published;
the planner commits a run when all its folds are published; `fold_task` says what becomes of a fold.
"""

from collections.abc import Sequence

from services.trainer.api.server import Server
from services.trainer.runs.state import State
from services.trainer.service.fold_worker import FoldTask
from services.trainer.service.metrics import TrainMetrics
from services.trainer.service.run_planner import Planner
from services.trainer.service.run_starter import Conductor
from shared.bus import Bus
from shared.device import device
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import Worker
from shared.worker.process import Loop


def loops(settings: Settings, bus: Bus, store: Store, metrics: Metrics) -> Sequence[Loop]:
    """All of them: a trainer that does everything."""
    trained = TrainMetrics(metrics.registry)
    return [*_plan(settings, bus, store, metrics, trained), _train(settings, bus, store, metrics, trained)]


def plan(settings: Settings, bus: Bus, store: Store, metrics: Metrics) -> Sequence[Loop]:
    """Conductor, planner and API alone: what has to be there while nothing is trained, and needs no GPU."""
    return _plan(settings, bus, store, metrics, TrainMetrics(metrics.registry))


def train(settings: Settings, bus: Bus, store: Store, metrics: Metrics) -> Sequence[Loop]:
    """A worker for folds alone: as many as folds wait, none while none waits."""
    return [_train(settings, bus, store, metrics, TrainMetrics(metrics.registry))]


def _plan(settings: Settings, bus: Bus, store: Store, metrics: Metrics, trained: TrainMetrics) -> Sequence[Loop]:
    state = State(bus, store)
    conductor = Conductor(state, metrics, trained, device(), settings.train_poll_seconds)
    api = [Server(state, settings)] if settings.api_port else []
    return [conductor, Worker(Planner(store), bus, store, settings, metrics), *api]


def _train(settings: Settings, bus: Bus, store: Store, metrics: Metrics, trained: TrainMetrics) -> Loop:
    task = FoldTask(store, trained, device(), settings.scratch)
    worker = Worker(task, bus, store, settings, metrics)
    task.stop = lambda: worker.stopping.is_set()
    return worker

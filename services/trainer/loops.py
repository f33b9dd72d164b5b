"""The loops of a trainer's process: the conductor, a planner and a worker for folds.

Whatever is killed when, every loop finds what the others left: run.json lies in the store before the run is published;
the planner commits a run when all its folds are published; `fold_task` says what becomes of a fold.
"""

from collections.abc import Sequence

from services.trainer.conductor import Conductor
from services.trainer.device import device
from services.trainer.fold_task import FoldTask
from services.trainer.planner import Planner
from services.trainer.telemetry import TrainMetrics
from shared.bus import Bus
from shared.service import Loop
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import Worker


def loops(settings: Settings, bus: Bus, store: Store, metrics: Metrics) -> Sequence[Loop]:
    """For `shared.service.serve`."""
    trained, where = TrainMetrics(metrics.registry), device()
    task = FoldTask(store, trained, where, settings.scratch)
    worker = Worker(task, bus, store, settings, metrics)
    task.stop = lambda: worker.stopping.is_set()
    conductor = Conductor(bus, store, metrics, trained, where, settings.train_poll_seconds)
    return [conductor, Worker(Planner(store), bus, store, settings, metrics), worker]

"""All folds of one learner, several processes at a time. Each fold is stored when it ends; no fold is trained twice."""

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import ClassVar

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldJob, FoldOutcome
from services.trainer.folds.store import FoldTrainer, load_outcome
from services.trainer.learners.base import EpochSummary, TrainingCallbacks, TrainingStopped
from services.trainer.learners.batch_source import TrainingDevice
from shared.interrupts import start_deaf_processes
from shared.store import LocalStore
from shared.training.protocol import FoldSplit
from shared.training.settings import TrainSettings


@dataclass(frozen=True)
class FoldProgress:
    """Progress of a run: an epoch of a fold or, with `epoch` None, a fold that is done, trained now or `reused`."""

    model: str
    seed: int
    held_out: str
    epochs: int
    epoch: EpochSummary | None = None
    reused: bool = False


ProgressCallback = Callable[[FoldProgress], None]


def ignore_progress(progress: FoldProgress) -> None:
    """The ProgressCallback that does nothing."""


@dataclass(frozen=True)
class FoldPool:
    """How the folds of a run are computed: `jobs` processes at a time, each on `device`."""

    jobs: int = 1
    device: str = "cpu"
    on_progress: ProgressCallback = ignore_progress


SINGLE_PROCESS = FoldPool()


def run_folds(
    features: Features,
    settings: TrainSettings,
    splits: Sequence[FoldSplit],
    folder: Path,
    pool: FoldPool = SINGLE_PROCESS,
) -> list[FoldOutcome]:
    """Outcomes in the order of the splits; they are stored in `folder/folds`.

    For several processes the features are written to `folder/features` once, and each process maps them. Ctrl-C ends
    the processes at their next step: folds that ended before are stored, and the next call reuses them.
    """
    store, jobs = LocalStore(folder), [FoldJob(features, split, settings) for split in splits]
    outcomes = {job.split.held_out: outcome for job in jobs if (outcome := load_outcome(store, job.key))}
    missing = [job for job in jobs if job.split.held_out not in outcomes]
    for held_out in outcomes:
        pool.on_progress(_fold_progress(settings, held_out, reused=True))

    def finish_fold(outcome: FoldOutcome) -> None:
        outcomes[outcome.held_out] = outcome
        pool.on_progress(_fold_progress(settings, outcome.held_out))

    train_folds = _train_in_process if pool.jobs == 1 or len(missing) < 2 else _train_in_pool
    train_folds(missing, folder, pool, finish_fold)
    return [outcomes[split.held_out] for split in splits]


def _fold_progress(
    settings: TrainSettings, held_out: str, epoch: EpochSummary | None = None, reused: bool = False
) -> FoldProgress:
    return FoldProgress(settings.model, settings.seed, held_out, settings.epochs, epoch, reused)


def _report_epochs(job: FoldJob, report: ProgressCallback) -> Callable[[EpochSummary], None]:
    """The `on_epoch` of a fold's training that calls `report` for each epoch."""

    def report_epoch(epoch: EpochSummary) -> None:
        report(_fold_progress(job.settings, job.split.held_out, epoch))

    return report_epoch


def _train_in_process(
    jobs: Sequence[FoldJob], folder: Path, pool: FoldPool, finish_fold: Callable[[FoldOutcome], None]
) -> None:
    trainer = FoldTrainer(LocalStore(folder), TrainingDevice(pool.device))
    for job in jobs:
        finish_fold(trainer.train_and_store(job, TrainingCallbacks(_report_epochs(job, pool.on_progress))))


def _train_in_pool(
    jobs: Sequence[FoldJob], folder: Path, pool: FoldPool, finish_fold: Callable[[FoldOutcome], None]
) -> None:
    """Train jobs of the same features and settings; `finish_fold` gets their outcomes in the order of their ends."""
    mapped, settings = _write_features_once(jobs[0].features, folder / "features"), jobs[0].settings
    context = multiprocessing.get_context("spawn")
    epochs: SimpleQueue[FoldProgress | None] = context.SimpleQueue()
    stop = context.Event()
    listener = threading.Thread(target=_forward_progress, args=(epochs, pool.on_progress), daemon=True)
    listener.start()
    worker = (mapped, settings, folder, pool.device, epochs, stop)
    executor = ProcessPoolExecutor(min(pool.jobs, len(jobs)), context, _PoolWorker.start, worker)
    try:
        with start_deaf_processes():  # the parent handles Ctrl-C and sets `stop`
            waiting = [executor.submit(_PoolWorker.train_split, job.split) for job in jobs]
        for future in as_completed(waiting):
            finish_fold(future.result())
    except BaseException:
        stop.set()  # the processes end at their next step
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        epochs.put(None)
        listener.join()


def _write_features_once(features: Features, folder: Path) -> Path:
    """The folder of these features. `labels.json` is written last, so a folder that has it is complete."""
    own = folder / features.digest[:16]
    if not (own / "labels.json").exists():
        features.save(own)
    return own


def _forward_progress(epochs: "SimpleQueue[FoldProgress | None]", on_progress: ProgressCallback) -> None:
    while (progress := epochs.get()) is not None:
        on_progress(progress)


@dataclass(frozen=True)
class _PoolWorker:
    """What a process of the pool keeps between its folds.

    An executor passes nothing from its initialiser to its tasks, so `current` holds the one worker of the process.
    """

    current: ClassVar["_PoolWorker"]

    features: Features
    settings: TrainSettings
    trainer: FoldTrainer
    epochs: "SimpleQueue[FoldProgress | None]"
    stop: Event

    @classmethod
    def start(
        cls,
        mapped: Path,
        settings: TrainSettings,
        folder: Path,
        device: str,
        epochs: "SimpleQueue[FoldProgress | None]",
        stop: Event,
    ) -> None:
        """The initialiser of the pool. `mapped`: the folder of the features, `folder`: that of the outcomes."""
        trainer = FoldTrainer(LocalStore(folder), TrainingDevice(device))
        cls.current = cls(Features.open(mapped), settings, trainer, epochs, stop)

    @classmethod
    def train_split(cls, split: FoldSplit) -> FoldOutcome:
        """A task of the pool. Raises TrainingStopped once `stop` is set."""
        worker = cls.current
        if worker.stop.is_set():
            raise TrainingStopped
        job = FoldJob(worker.features, split, worker.settings)
        callbacks = TrainingCallbacks(_report_epochs(job, worker.epochs.put), worker.stop.is_set)
        return worker.trainer.train_and_store(job, callbacks)

"""All folds of one learner: side by side in processes, each kept as it ends, none computed twice."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

from services.trainer.data.features import Features
from services.trainer.evaluation.protocol import FoldSplit
from services.trainer.folds import fold as folds
from services.trainer.folds import store as kept
from services.trainer.folds.fold import FoldOutcome
from services.trainer.learners.base import EpochSummary, TrainingCallbacks, TrainingStopped
from services.trainer.settings import TrainSettings
from shared.store import LocalStore


@dataclass(frozen=True)
class FoldProgress:
    """What a run tells while it goes: an epoch of a fold, or (epoch None) a fold done, computed now or `reused`."""

    model: str
    seed: int
    held_out: str
    epochs: int
    epoch: EpochSummary | None = None
    reused: bool = False


ProgressCallback = Callable[[FoldProgress], None]


def run_folds(
    features: Features,
    settings: TrainSettings,
    all_folds: Sequence[FoldSplit],
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    on_progress: ProgressCallback = lambda progress: None,
) -> list[FoldOutcome]:
    """Outcomes in the order of the folds. They lie in `folder/folds`; with `jobs` > 1 the features are written to
    `folder/features` once and mapped by every process. Ctrl-C ends the processes at their next step; folds that ended
    before stay and are reused."""
    store = LocalStore(folder)
    names = {fold.held_out: folds.fold_key(features.digest, settings, fold) for fold in all_folds}
    outcomes = {held_out: outcome for held_out, name in names.items() if (outcome := kept.load_outcome(store, name))}
    for held_out in outcomes:
        on_progress(_fold_done_progress(settings, held_out, reused=True))
    open_ = [fold for fold in all_folds if fold.held_out not in outcomes]
    work = _FoldContext(settings, device, store, names)
    if jobs == 1 or len(open_) < 2:
        outcomes |= _run_in_process(features, open_, work, on_progress)
    else:
        mapped = _write_features_once(features, folder / "features" / features.digest[:16])
        outcomes |= _run_in_pool(mapped, open_, work, on_progress, min(jobs, len(open_)))
    return [outcomes[held_out] for held_out in names]


@dataclass(frozen=True)
class _FoldContext:
    """What all folds of a run have in common but for their features, which a process maps itself."""

    settings: TrainSettings
    device: str
    store: LocalStore
    fold_keys: Mapping[str, str]

    def train_and_store(self, features: Features, fold: FoldSplit, callbacks: TrainingCallbacks) -> FoldOutcome:
        return kept.train_and_store_fold(
            self.store, self.fold_keys[fold.held_out], features, fold, self.settings, self.device, callbacks
        )


def _write_features_once(features: Features, folder: Path) -> Path:
    """The folder of this digest's features; labels.json is written last, so what has it is whole."""
    if not (folder / "labels.json").exists():
        features.save(folder)
    return folder


def _run_in_process(
    features: Features, open_: list[FoldSplit], work: _FoldContext, on_progress: ProgressCallback
) -> dict[str, FoldOutcome]:
    outcomes = {}
    for fold in open_:
        watch = TrainingCallbacks(
            on_epoch=lambda epoch, who=fold.held_out: on_progress(_epoch_progress(work.settings, who, epoch))
        )  # type: ignore[misc]
        outcomes[fold.held_out] = work.train_and_store(features, fold, watch)
        on_progress(_fold_done_progress(work.settings, fold.held_out))
    return outcomes


def _epoch_progress(settings: TrainSettings, held_out: str, epoch: EpochSummary) -> FoldProgress:
    return FoldProgress(settings.model, settings.seed, held_out, settings.epochs, epoch)


def _fold_done_progress(settings: TrainSettings, held_out: str, reused: bool = False) -> FoldProgress:
    return FoldProgress(settings.model, settings.seed, held_out, settings.epochs, reused=reused)


def _run_in_pool(
    mapped: Path, open_: list[FoldSplit], work: _FoldContext, on_progress: ProgressCallback, jobs: int
) -> dict[str, FoldOutcome]:
    context = multiprocessing.get_context("spawn")
    epochs: SimpleQueue[FoldProgress | None] = context.SimpleQueue()
    stop = context.Event()
    listener = threading.Thread(target=_forward_progress, args=(epochs, on_progress), daemon=True)
    listener.start()
    pool = ProcessPoolExecutor(jobs, context, _init_worker, (mapped, work, epochs, stop))
    try:
        waiting = {pool.submit(_train_in_worker, fold): fold.held_out for fold in open_}
        return _await_outcomes(waiting, work.settings, on_progress)
    except BaseException:
        stop.set()  # the processes leave at their next step
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        epochs.put(None)
        listener.join()


def _await_outcomes(
    waiting: dict[Future[FoldOutcome], str], settings: TrainSettings, on_progress: ProgressCallback
) -> dict[str, FoldOutcome]:
    outcomes = {}
    for future in as_completed(waiting):
        outcomes[waiting[future]] = future.result()
        on_progress(_fold_done_progress(settings, waiting[future]))
    return outcomes


def _forward_progress(epochs: "SimpleQueue[FoldProgress | None]", on_progress: ProgressCallback) -> None:
    while (progress := epochs.get()) is not None:
        on_progress(progress)


@dataclass
class _WorkerState:
    """What a process of the pool keeps between its folds."""

    features: Features
    work: _FoldContext
    epochs: "SimpleQueue[FoldProgress | None]"
    stop: Event


_worker_state: _WorkerState


def _init_worker(mapped: Path, work: _FoldContext, epochs: "SimpleQueue[FoldProgress | None]", stop: Event) -> None:
    global _worker_state
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and sets `stop`
    _worker_state = _WorkerState(Features.open(mapped), work, epochs, stop)


def _train_in_worker(fold: FoldSplit) -> FoldOutcome:
    if _worker_state.stop.is_set():
        raise TrainingStopped
    settings = _worker_state.work.settings
    watch = TrainingCallbacks(
        lambda epoch: _worker_state.epochs.put(_epoch_progress(settings, fold.held_out, epoch)),
        _worker_state.stop.is_set,
    )
    return _worker_state.work.train_and_store(_worker_state.features, fold, watch)

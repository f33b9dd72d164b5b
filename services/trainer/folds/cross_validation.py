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
from services.trainer.evaluation.protocol import Fold
from services.trainer.folds import fold as folds
from services.trainer.folds import store as kept
from services.trainer.folds.fold import Outcome
from services.trainer.learners.base import Epoch, Stopped, Watch
from services.trainer.settings import TrainSettings
from shared.store import LocalStore


@dataclass(frozen=True)
class Progress:
    """What a run tells while it goes: an epoch of a fold, or (epoch None) a fold done, computed now or `reused`."""

    model: str
    seed: int
    held_out: str
    epochs: int
    epoch: Epoch | None = None
    reused: bool = False


Tell = Callable[[Progress], None]


def run(
    features: Features,
    settings: TrainSettings,
    everything: Sequence[Fold],
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    tell: Tell = lambda progress: None,
) -> list[Outcome]:
    """Outcomes in the order of the folds. They lie in `folder/folds`; with `jobs` > 1 the features are written to
    `folder/features` once and mapped by every process. Ctrl-C ends the processes at their next step; folds that ended
    before stay and are reused."""
    store = LocalStore(folder)
    names = {fold.held_out: folds.key(features.digest, settings, fold) for fold in everything}
    outcomes = {held_out: outcome for held_out, name in names.items() if (outcome := kept.load(store, name))}
    for held_out in outcomes:
        tell(_done(settings, held_out, reused=True))
    open_ = [fold for fold in everything if fold.held_out not in outcomes]
    work = _Work(settings, device, store, names)
    if jobs == 1 or len(open_) < 2:
        outcomes |= _here(features, open_, work, tell)
    else:
        mapped = _mapped(features, folder / "features" / features.digest[:16])
        outcomes |= _side_by_side(mapped, open_, work, tell, min(jobs, len(open_)))
    return [outcomes[held_out] for held_out in names]


@dataclass(frozen=True)
class _Work:
    """What all folds of a run have in common but for their features, which a process maps itself."""

    settings: TrainSettings
    device: str
    store: LocalStore
    names: Mapping[str, str]

    def train(self, features: Features, fold: Fold, watch: Watch) -> Outcome:
        return kept.train(self.store, self.names[fold.held_out], features, fold, self.settings, self.device, watch)


def _mapped(features: Features, folder: Path) -> Path:
    """The folder of this digest's features; labels.json is written last, so what has it is whole."""
    if not (folder / "labels.json").exists():
        features.save(folder)
    return folder


def _here(features: Features, open_: list[Fold], work: _Work, tell: Tell) -> dict[str, Outcome]:
    outcomes = {}
    for fold in open_:
        watch = Watch(on_epoch=lambda epoch, who=fold.held_out: tell(_epoch(work.settings, who, epoch)))  # type: ignore[misc]
        outcomes[fold.held_out] = work.train(features, fold, watch)
        tell(_done(work.settings, fold.held_out))
    return outcomes


def _epoch(settings: TrainSettings, held_out: str, epoch: Epoch) -> Progress:
    return Progress(settings.model, settings.seed, held_out, settings.epochs, epoch)


def _done(settings: TrainSettings, held_out: str, reused: bool = False) -> Progress:
    return Progress(settings.model, settings.seed, held_out, settings.epochs, reused=reused)


def _side_by_side(mapped: Path, open_: list[Fold], work: _Work, tell: Tell, jobs: int) -> dict[str, Outcome]:
    context = multiprocessing.get_context("spawn")
    epochs: SimpleQueue[Progress | None] = context.SimpleQueue()
    stop = context.Event()
    listener = threading.Thread(target=_listen, args=(epochs, tell), daemon=True)
    listener.start()
    pool = ProcessPoolExecutor(jobs, context, _begin, (mapped, work, epochs, stop))
    try:
        waiting = {pool.submit(_one, fold): fold.held_out for fold in open_}
        return _collect(waiting, work.settings, tell)
    except BaseException:
        stop.set()  # the processes leave at their next step
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        epochs.put(None)
        listener.join()


def _collect(waiting: dict[Future[Outcome], str], settings: TrainSettings, tell: Tell) -> dict[str, Outcome]:
    outcomes = {}
    for future in as_completed(waiting):
        outcomes[waiting[future]] = future.result()
        tell(_done(settings, waiting[future]))
    return outcomes


def _listen(epochs: "SimpleQueue[Progress | None]", tell: Tell) -> None:
    while (progress := epochs.get()) is not None:
        tell(progress)


@dataclass
class _Process:
    """What a process of the pool keeps between its folds."""

    features: Features
    work: _Work
    epochs: "SimpleQueue[Progress | None]"
    stop: Event


_process: _Process


def _begin(mapped: Path, work: _Work, epochs: "SimpleQueue[Progress | None]", stop: Event) -> None:
    global _process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and sets `stop`
    _process = _Process(Features.open(mapped), work, epochs, stop)


def _one(fold: Fold) -> Outcome:
    if _process.stop.is_set():
        raise Stopped
    settings = _process.work.settings
    watch = Watch(lambda epoch: _process.epochs.put(_epoch(settings, fold.held_out, epoch)), _process.stop.is_set)
    return _process.work.train(_process.features, fold, watch)

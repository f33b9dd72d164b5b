"""A whole leave-one-subject-out run: folds side by side in processes, each kept as it ends, none computed twice."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from services.trainer import folds
from services.trainer.dataset import Features
from services.trainer.folds import Outcome
from services.trainer.learner import Epoch, Stopped, Watch
from services.trainer.protocol import Fold, loso
from services.trainer.settings import TrainSettings


@dataclass(frozen=True)
class Progress:
    """What a run tells while it goes: an epoch of a fold, or (epoch None) a fold done, computed now or `reused`."""

    model: str
    subject: str
    epochs: int
    epoch: Epoch | None = None
    reused: bool = False


Tell = Callable[[Progress], None]


def run(
    features: Features,
    settings: TrainSettings,
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    tell: Tell = lambda progress: None,
) -> list[Outcome]:
    """Outcomes in the order of the subjects. Folds lie in `folder/folds`; with `jobs` > 1 the features are written to
    `folder/features` once and mapped by every process. Ctrl-C ends the processes at their next step; folds that ended
    before stay and are reused. Raises BadData for fewer than two subjects."""
    made_from = features.digest
    kept = folder / "folds"
    names = {fold.subject: folds.key(made_from, settings, fold)[:16] for fold in loso(features.subjects)}
    outcomes = {subject: outcome for subject, name in names.items() if (outcome := folds.load(kept, name))}
    for subject in outcomes:
        tell(Progress(settings.model, subject, settings.epochs, reused=True))
    open_ = [fold for fold in loso(features.subjects) if fold.subject not in outcomes]
    if jobs == 1 or len(open_) < 2:
        outcomes |= _here(features, open_, settings, device, tell, kept, names)
    else:
        mapped = _mapped(features, folder / "features" / made_from[:16])
        outcomes |= _side_by_side(mapped, open_, settings, device, tell, kept, names, min(jobs, len(open_)))
    return [outcomes[subject] for subject in names]


def _mapped(features: Features, folder: Path) -> Path:
    """The folder of this digest's features; labels.json is written last, so what has it is whole."""
    if not (folder / "labels.json").exists():
        features.save(folder)
    return folder


def _here(
    features: Features,
    open_: list[Fold],
    settings: TrainSettings,
    device: str,
    tell: Tell,
    kept: Path,
    names: Mapping[str, str],
) -> dict[str, Outcome]:
    outcomes = {}
    with _one_thread():
        for fold in open_:
            watch = Watch(on_epoch=lambda epoch, who=fold.subject: tell(_epoch(settings, who, epoch)))  # type: ignore[misc]
            outcome, fitted = folds.train(features, fold, settings, device, watch)
            folds.save(kept, names[fold.subject], outcome, fitted)
            outcomes[fold.subject] = outcome
            tell(Progress(settings.model, fold.subject, settings.epochs))
    return outcomes


def _epoch(settings: TrainSettings, subject: str, epoch: Epoch) -> Progress:
    return Progress(settings.model, subject, settings.epochs, epoch)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums come out equal whether a fold runs here or in a process of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _side_by_side(
    mapped: Path,
    open_: list[Fold],
    settings: TrainSettings,
    device: str,
    tell: Tell,
    kept: Path,
    names: Mapping[str, str],
    jobs: int,
) -> dict[str, Outcome]:
    context = multiprocessing.get_context("spawn")
    epochs: SimpleQueue[Progress | None] = context.SimpleQueue()
    stop = context.Event()
    listener = threading.Thread(target=_listen, args=(epochs, tell), daemon=True)
    listener.start()
    pool = ProcessPoolExecutor(jobs, context, _begin, (mapped, settings, device, kept, epochs, stop))
    try:
        waiting = {pool.submit(_one, fold, names[fold.subject]): fold.subject for fold in open_}
        return _collect(waiting, settings, tell)
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
        tell(Progress(settings.model, waiting[future], settings.epochs))
    return outcomes


def _listen(epochs: "SimpleQueue[Progress | None]", tell: Tell) -> None:
    while (progress := epochs.get()) is not None:
        tell(progress)


@dataclass
class _Process:
    """What a process of the pool keeps between its folds."""

    features: Features
    settings: TrainSettings
    device: str
    kept: Path
    epochs: "SimpleQueue[Progress | None]"
    stop: Event


_process: _Process


def _begin(
    mapped: Path,
    settings: TrainSettings,
    device: str,
    kept: Path,
    epochs: "SimpleQueue[Progress | None]",
    stop: Event,
) -> None:
    global _process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and sets `stop`
    torch.set_num_threads(1)
    _process = _Process(Features.open(mapped), settings, device, kept, epochs, stop)


def _one(fold: Fold, name: str) -> Outcome:
    if _process.stop.is_set():
        raise Stopped
    settings = _process.settings
    watch = Watch(lambda epoch: _process.epochs.put(_epoch(settings, fold.subject, epoch)), _process.stop.is_set)
    outcome, fitted = folds.train(_process.features, fold, settings, _process.device, watch)
    folds.save(_process.kept, name, outcome, fitted)
    return outcome

"""The Prometheus metrics of the trainer."""

import time
from collections.abc import Callable

import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.trainer.learners.base import EpochSummary
from services.trainer.report.model import FIGURES

_FOLD_BUCKETS = (0.1, 1, 10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200)
_RUN_LABELS = ("dataset", "pipeline", "model")
_EPOCH_HELP = {
    "epoch_loss": "Loss of the newest epoch",
    "epoch_uf1": "Macro F1 of the newest epoch, training subjects",
    "epoch_au_f1": "Mean F1 of action units of the newest epoch, training subjects",
    "clips_per_second": "Clips trained on in the newest epoch",
}
CLIP_STATES = ("expected", "features", "left_out", "waiting", "lost")


class TrainingMetrics:
    """Metrics on the registry of the process. For each dataset and model, the newest report counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clips = Gauge(
            "mer_train_clips",
            f"Clips of an uploaded dataset by state: {', '.join(CLIP_STATES)}",
            ["dataset", "pipeline", "state"],
            registry=registry,
        )
        self.folds = Counter("mer_train_folds", "Folds handled, by outcome", ["model", "outcome"], registry=registry)
        self.epoch = Gauge(
            "mer_train_epoch", "Newest epoch of the present fold, from 1", ["model", "fold"], registry=registry
        )
        gauges = (
            Gauge(f"mer_train_{name}", title, ["model"], registry=registry) for name, title in _EPOCH_HELP.items()
        )
        self.loss, self.uf1, self.au_f1, self.rate = gauges
        self.gpu = Gauge("mer_train_gpu_memory_bytes", "Peak GPU memory of tensors", registry=registry)
        self.seconds = Histogram(
            "mer_train_fold_seconds",
            "Seconds to train and test one fold",
            ["model"],
            buckets=_FOLD_BUCKETS,
            registry=registry,
        )
        self.figures = {
            name: Gauge(
                f"mer_train_{name}",
                f"{figure.meaning} of the newest report, folds pooled",
                _RUN_LABELS,
                registry=registry,
            )
            for name, figure in FIGURES.items()
        }

    def track_fold(
        self, model: str, fold: str, clock: Callable[[], float] = time.monotonic
    ) -> Callable[[EpochSummary], None]:
        """The `on_epoch` callback of a fold that begins now. The gauge of the fold before is removed."""
        self.epoch.clear()
        started = clock()

        def record_epoch(epoch: EpochSummary) -> None:
            nonlocal started
            now = clock()
            self.epoch.labels(model, fold).set(epoch.number + 1)
            self.loss.labels(model).set(epoch.loss)
            self.uf1.labels(model).set(epoch.uf1)
            if epoch.au_f1 is not None:
                self.au_f1.labels(model).set(epoch.au_f1)
            self.rate.labels(model).set(epoch.clips / max(now - started, 1e-9))
            self.gpu.set(torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0)
            started = now

        return record_epoch

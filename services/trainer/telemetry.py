"""What the trainer tells Prometheus, each name declared once."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FOLD_BUCKETS = (0.1, 1, 10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200)
_RUN = ("dataset", "pipeline", "model")
_FIGURES = {"uf1": "Macro F1", "uar": "Macro recall", "accuracy": "Accuracy", "au_f1": "Mean F1 of action units"}
STATES = ("expected", "features", "left_out", "waiting")


class TrainMetrics:
    """On the registry of the process. Of a dataset that is trained on several times, the newest report counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clips = Gauge(
            "mer_train_clips",
            f"Clips of a dropped dataset by state: {', '.join(STATES)}",
            ["dataset", "pipeline", "state"],
            registry=registry,
        )
        self.folds = Counter("mer_train_folds", "Folds handled, by outcome", ["model", "outcome"], registry=registry)
        self.loss = Gauge("mer_train_epoch_loss", "Loss of the newest epoch", ["model"], registry=registry)
        self.seconds = Histogram(
            "mer_train_fold_seconds",
            "Time of training and testing one fold",
            ["model"],
            buckets=_FOLD_BUCKETS,
            registry=registry,
        )
        self.figures = {
            name: Gauge(f"mer_train_{name}", f"{title} of the newest report, folds pooled", _RUN, registry=registry)
            for name, title in _FIGURES.items()
        }

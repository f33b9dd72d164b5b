from prometheus_client import CollectorRegistry

from services.trainer.learners.base import EpochSummary
from services.trainer.service.metrics import TrainingMetrics


def test_a_fold_is_followed_epoch_by_epoch_and_the_one_before_it_is_gone():
    registry, now = CollectorRegistry(), [100.0]
    metrics = TrainingMetrics(registry)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"mer_train_{name}", {"model": "rcn-a", **labels})

    note = metrics.track_fold("rcn-a", "toy/s01", clock=lambda: now[0])
    now[0] = 104.0
    note(EpochSummary(0, 1.5, 1.0, 0.5, 0.1, 0.5, 0.25, (), 0.75, 200))
    assert (value("epoch", fold="toy/s01"), value("epoch_loss"), value("epoch_uf1")) == (1, 1.5, 0.25)
    assert (value("epoch_au_f1"), value("clips_per_second")) == (0.75, 50)
    now[0] = 106.0
    note(EpochSummary(1, 1.5, 1.0, 0.5, 0.1, 0.5, 0.25, (), None, 200))
    assert (value("epoch", fold="toy/s01"), value("clips_per_second")) == (2, 100)
    metrics.track_fold("rcn-a", "toy/s02")
    assert value("epoch", fold="toy/s01") is None
    assert registry.get_sample_value("mer_train_gpu_memory_bytes") is not None

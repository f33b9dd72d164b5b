import pytest

from services.trainer.learners.network import NetworkLearner
from services.trainer.learners.optimiser import build_optimiser, learning_rate_factor
from services.trainer.settings import PROFILES, TrainSettings


def test_rates_of_both_schedules():
    paper = PROFILES["paper"]
    factors = [learning_rate_factor(paper, epoch, 0, 10) for epoch in (0, 41, 42, 99)]
    assert factors == pytest.approx([1, 1, 0.987, 0.987**58])
    cycle = TrainSettings(epochs=10)
    rates = [learning_rate_factor(cycle, step // 10, step, 10) for step in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.01
    assert rates[55] == pytest.approx(0.5)


def test_only_weight_matrices_decay():
    module = NetworkLearner(3, TrainSettings()).module
    decayed, free = build_optimiser(module, TrainSettings()).param_groups
    names = {id(weight): name for name, weight in module.named_parameters()}
    assert decayed["weight_decay"] == 0.05
    assert free["weight_decay"] == 0
    assert "tokens.courses" in {names[id(weight)] for weight in free["params"]}
    assert "mouth_head.2.weight" in {names[id(weight)] for weight in decayed["params"]}
    assert len(decayed["params"]) + len(free["params"]) == len(names)

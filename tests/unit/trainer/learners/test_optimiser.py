import pytest
import torch

from services.trainer.learners.network import NetworkLearner
from services.trainer.learners.optimiser import (
    build_optimiser,
    export_optimiser_state,
    learning_rate_factor,
    load_optimiser_state,
    set_learning_rate,
)
from shared.training.settings import PROFILES, TrainSettings


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


def test_a_rate_that_is_a_tensor_is_set_in_place_also_after_a_state_was_loaded():
    """As on a GPU: a CUDA graph knows the tensor's address."""
    weights = [torch.ones(2, requires_grad=True) for _ in range(2)]
    groups = [{"params": [weight], "weight_decay": 0.0} for weight in weights]
    optimiser = torch.optim.AdamW(groups, torch.tensor(0.5), fused=True)
    for _ in range(2):
        optimiser.zero_grad()
        sum(weight.sum() for weight in weights).backward()
        rates = [group["lr"] for group in optimiser.param_groups]
        set_learning_rate(optimiser, 0.25)
        assert [group["lr"] for group in optimiser.param_groups] == rates == [0.25, 0.25]
        assert all(group["lr"] is rate for group, rate in zip(optimiser.param_groups, rates, strict=True))
        before = weights[0].detach().clone()
        optimiser.step()
        assert torch.allclose(before - weights[0], torch.tensor(0.25))  # equal gradients: AdamW moves by the rate
        load_optimiser_state(optimiser, export_optimiser_state(optimiser))


def test_a_rate_that_is_a_number_is_set_in_every_group():
    optimiser = build_optimiser(NetworkLearner(3, TrainSettings()).module, TrainSettings())
    set_learning_rate(optimiser, 0.125)
    assert [group["lr"] for group in optimiser.param_groups] == [0.125, 0.125]

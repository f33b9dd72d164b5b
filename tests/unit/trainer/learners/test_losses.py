import math

import numpy as np
import pytest
import torch

from services.trainer.learners.losses import TrainingLosses, au_weights, class_logit_offsets, class_weights, focal_loss
from shared.training.settings import PROFILES, TrainSettings

NINE_TO_ONE = np.array([0] * 9 + [1])


def weights(settings: TrainSettings, emotions=NINE_TO_ONE, classes: int = 3) -> list[float]:
    return class_weights(emotions, classes, settings).tolist()


def coded(count: int) -> torch.Tensor:
    return torch.ones(count, dtype=torch.bool)


def losses(settings: TrainSettings, emotions=NINE_TO_ONE, classes: int = 2) -> TrainingLosses:
    return TrainingLosses.from_labels(
        emotions, torch.zeros(len(emotions), 9), coded(len(emotions)), classes, settings, "cpu"
    )


def test_rare_classes_weigh_more_by_the_rule_that_is_set_and_the_mean_over_clips_is_one():
    for rule, ratio in [("balanced", 3.0), ("inverse", 9.0), ("effective-number", (1 - 0.9**9) / (1 - 0.9))]:
        found = weights(TrainSettings(class_weights=rule, effective_beta=0.9))
        assert found[1] / found[0] == pytest.approx(ratio, rel=1e-6)
        assert np.mean(np.array(found)[NINE_TO_ONE]) == pytest.approx(1.0)
        assert found[2] == 0  # nobody shows it in this fold
    assert weights(PROFILES["paper"]) == [1, 1, 1]


def test_effective_number_lies_between_none_and_inverse():
    assert weights(TrainSettings(class_weights="effective-number", effective_beta=0.0))[:2] == [1, 1]
    nearly = weights(TrainSettings(class_weights="effective-number", effective_beta=0.999999))
    assert nearly == pytest.approx(weights(TrainSettings(class_weights="inverse")), rel=1e-4)


def test_focal_loss_by_hand():
    """p of the true classes: 0.8 and 0.5; gamma 2: 0.2^2 * -ln 0.8 and 0.5^2 * -ln 0.5, class 1 weighs three times."""
    logits = torch.tensor([[math.log(0.8), math.log(0.2)], [math.log(0.5), math.log(0.5)]])
    easy, hard = 0.04 * -math.log(0.8), 0.25 * -math.log(0.5)
    found = focal_loss(logits, torch.tensor([0, 1]), torch.tensor([1.0, 3.0]), 2.0)
    assert found.item() == pytest.approx((easy + 3 * hard) / 4, rel=1e-5)


def test_focal_loss_without_focus_is_cross_entropy():
    rng = torch.Generator().manual_seed(0)
    logits, target = torch.randn(8, 2, generator=rng), torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    found = [
        losses(TrainSettings(loss=loss, focal_gamma=0.0))(logits, None, target, torch.zeros(8, 9), coded(8))[0]
        for loss in ("focal", "cross-entropy")
    ]
    assert found[0].item() == pytest.approx(found[1].item(), rel=1e-6)


def test_logit_adjustment_by_hand():
    """Equal logits, shares 0.9 and 0.1: the adjusted softmax is (0.9, 0.1), and the rare class costs -ln 0.1."""
    settings = TrainSettings(logit_adjustment=1.0, class_weights="none")
    rare = losses(settings)(torch.zeros(1, 2), None, torch.tensor([1]), torch.zeros(1, 9), coded(1))[0]
    assert rare.item() == pytest.approx(-math.log(0.1), rel=1e-6)
    half = class_logit_offsets(NINE_TO_ONE, 2, TrainSettings(logit_adjustment=0.5)).tolist()
    assert half == pytest.approx([0.5 * math.log(0.9), 0.5 * math.log(0.1)], rel=1e-6)
    absent = class_logit_offsets(NINE_TO_ONE, 3, settings).tolist()
    assert absent[2] == absent[1]  # counts as one with a single clip


def test_both_losses_are_summed_and_a_network_without_au_logits_has_the_emotion_loss_alone():
    settings = TrainSettings(class_weights="none", au_positives="plain", au_weight=0.5)
    logits, aus = torch.zeros(1, 2), torch.ones(1, 9)
    emotion, au, both = losses(settings)(logits, torch.zeros(1, 9), torch.tensor([0]), aus, coded(1))
    assert [emotion.item(), au.item(), both.item()] == pytest.approx([math.log(2), math.log(2), 1.5 * math.log(2)])
    emotion, au, both = losses(settings)(logits, None, torch.tensor([0]), aus, coded(1))
    assert [emotion.item(), au.item(), both.item()] == pytest.approx([math.log(2), 0, math.log(2)])


def test_rare_units_positives_weigh_more():
    aus = torch.tensor([[1.0, 1, 0]] + [[1.0, 0, 0]] * 9)
    assert au_weights(aus, TrainSettings()).tolist() == pytest.approx([1, 3, 10**0.5])
    assert au_weights(aus, PROFILES["paper"]).tolist() == [1, 1, 1]


def test_the_au_loss_is_the_mean_over_coded_clips():
    """By hand: logit 0 costs log 2 per unit, logit 2 for an absent unit log(1 + e^2). Clips that were not coded say
    nothing, whatever their logits."""
    settings = TrainSettings(au_positives="plain")
    some = TrainingLosses.from_labels(
        NINE_TO_ONE, torch.zeros(10, 2), torch.tensor([False] * 5 + [True] * 5), 2, settings, "cpu"
    )
    logits = torch.tensor([[0.0, 2.0], [9.0, -9.0], [0.0, 0.0]], requires_grad=True)
    which = torch.tensor([True, False, True])
    au = some(torch.zeros(3, 2), logits, torch.tensor([0, 1, 0]), torch.zeros(3, 2), which)[1]
    assert au.item() == pytest.approx((3 * math.log(2) + math.log(1 + math.e**2)) / 4, rel=1e-6)
    au.backward()
    assert logits.grad[1].tolist() == [0, 0]
    assert logits.grad[[0, 2]].all()
    none = some(torch.zeros(3, 2), logits, torch.tensor([0, 1, 0]), torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool))
    assert none[1].item() == 0


def test_clips_that_were_not_coded_weigh_on_no_unit():
    """Nine coded clips of which one shows the unit: sqrt(8). The ten others are no negatives."""
    aus = torch.tensor([[1.0]] + [[0.0]] * 18)
    which = torch.tensor([True] * 9 + [False] * 10)
    found = TrainingLosses.from_labels(np.zeros(19, int), aus, which, 2, TrainSettings(), "cpu")
    assert found.au_weights.tolist() == pytest.approx([8**0.5])

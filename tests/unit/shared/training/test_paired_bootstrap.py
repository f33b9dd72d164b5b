"""Paired differences in cases whose answer is known."""

import numpy as np
import pytest

from services.trainer.evaluation.metrics import score_emotions
from shared.training.paired_bootstrap import compare_action_units, compare_emotions

SUBJECTS = np.repeat(np.arange(12), 5)
TRUE = np.tile(np.arange(5), 12)


def wrong_for(*subjects: int) -> np.ndarray:
    """All clips of these subjects get the next class, the others their own."""
    return np.where(np.isin(SUBJECTS, subjects), (TRUE + 1) % 5, TRUE)


def test_equal_predictions_differ_in_nothing():
    some = wrong_for(3, 4)
    for found in compare_emotions(TRUE, some, some, SUBJECTS, resamples=200).values():
        assert found == (0.0, (0.0, 0.0), 1.0)
    units = np.random.default_rng(0).random((60, 3)) < 0.4
    assert compare_action_units(units, units, units, SUBJECTS, resamples=200) == (0.0, (0.0, 0.0), 1.0)


def test_the_difference_is_that_of_the_scores_averaged_over_seeds():
    seeds = [wrong_for(1), wrong_for(1, 2, 3)]
    found = compare_emotions(TRUE, TRUE, seeds, SUBJECTS, resamples=50)
    for name in ("uf1", "uar"):
        mean = np.mean([score_emotions(TRUE, each, SUBJECTS, resamples=1)[name] for each in seeds])
        assert found[name].difference == pytest.approx(1 - mean)


@pytest.mark.parametrize("wrong", [1, 2, 5])
def test_p_is_twice_the_chance_to_draw_none_of_the_subjects_that_differ(wrong):
    """The second errs for `wrong` of 12 subjects, the first never: only redraws without them show no difference."""
    found = compare_emotions(TRUE, TRUE, wrong_for(*range(wrong)), SUBJECTS, resamples=20_000)["uar"]
    assert found.difference == pytest.approx(wrong / 12)
    assert found.p == pytest.approx(min(1, 2 * (1 - wrong / 12) ** 12), abs=0.015)
    assert found.interval[0] <= found.difference <= found.interval[1]


def test_every_subject_better_is_as_sure_as_the_redraws_allow():
    found = compare_emotions(TRUE, TRUE, (TRUE + 1) % 5, SUBJECTS, resamples=999)["uf1"]
    assert found.difference == 1
    assert found.p == pytest.approx(2 / 1000)
    assert compare_emotions(TRUE, (TRUE + 1) % 5, TRUE, SUBJECTS, resamples=999)["uf1"].difference == -1


def test_as_many_better_as_worse_is_no_difference():
    found = compare_emotions(TRUE, wrong_for(0, 1, 2), wrong_for(3, 4, 5), SUBJECTS, resamples=4000)["uar"]
    assert found.difference == pytest.approx(0)
    assert found.p > 0.8
    assert found.interval[0] == pytest.approx(-found.interval[1], abs=0.06)


def test_the_pairing_counts():
    """Both learners err for the same hard subjects: unpaired intervals would overlap, the difference is sure."""
    first, second = wrong_for(0, 1, 2, 3, 4, 5), wrong_for(0, 1, 2, 3, 4, 5)
    second = np.where(np.arange(60) % 5 == 0, (TRUE + 1) % 5, second)  # and for one clip of every subject
    found = compare_emotions(TRUE, first, second, SUBJECTS, resamples=2000)["uar"]
    assert found.p < 0.05
    bounds = [score_emotions(TRUE, each, SUBJECTS)["interval"]["uar"] for each in (first, second)]
    assert bounds[0][0] < bounds[1][1]


def test_units_that_do_not_occur_do_not_count():
    true = np.zeros((60, 2))
    true[::2, 0] = 1
    right, worse = true == 1, true == 1
    worse = worse.copy()
    worse[SUBJECTS < 6] = False
    whole = compare_action_units(true, right, worse, SUBJECTS, resamples=500)
    assert whole.difference == pytest.approx(1 - 2 / 3)  # half of the positives are found; unit 1 never occurs
    assert compare_action_units(np.zeros((60, 2)), right, worse, SUBJECTS) is None


def test_equal_seeds_give_equal_figures_and_wrong_lengths_are_refused():
    one, other = (compare_emotions(TRUE, TRUE, wrong_for(1), SUBJECTS, resamples=100, seed=3) for _ in range(2))
    assert one == other
    with pytest.raises(ValueError, match="as many predictions"):
        compare_emotions(TRUE, TRUE[:-1], TRUE, SUBJECTS)
    with pytest.raises(ValueError, match="as many predictions"):
        compare_emotions([], [], [], [])

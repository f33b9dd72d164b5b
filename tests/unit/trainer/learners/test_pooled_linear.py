"""The linear learners of maps: their 243 or 147 numbers, mirror images, and weights."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression

from services.trainer.data.features import FeatureSubset
from services.trainer.learners.base import NO_CALLBACKS
from services.trainer.learners.baselines import LinearMapsLearner
from services.trainer.learners.pooled_linear import PooledLinearLearner, fit_softmax, fit_unit, pool_maps
from services.trainer.learners.registry import create_learner
from shared.training.model_settings import ModelSettings
from shared.training.settings import TrainSettings

AS_GIVEN = TrainSettings(model="pooled-linear", network=ModelSettings(map_head="none"))


def parts(features) -> tuple[FeatureSubset, FeatureSubset]:
    return FeatureSubset(features, np.arange(6, len(features))), FeatureSubset(features, np.arange(6))


def numbers_by_hand(map_: np.ndarray) -> np.ndarray:
    """The 243 numbers of one map [3,28,28], step by step with NumPy and SciPy."""
    channels = []
    for name, values in zip("uvs", map_.astype(np.float64), strict=True):
        centred = np.sqrt(values) - np.sqrt(values).mean() if name == "s" else values - np.median(values)
        standardised = centred / centred.std()
        channels.append(gaussian_filter(2.5 * np.tanh(standardised / 2.5), 1.5)[1::3, 1::3])
    return np.array(channels).ravel()


def test_one_cell_is_spread_over_the_places_within_four_sigma():
    given = np.zeros((1, 3, 28, 28))
    given[0, 1, 10, 16] = 1.0  # row and column of places 3 and 5, far from the border
    line = np.exp(-(np.arange(-6, 7) ** 2) / (2 * 1.5**2))
    at_places = (line / line.sum())[[0, 3, 6, 9, 12]]  # the places are three cells apart
    expected = np.zeros((3, 9, 9))
    expected[1, 1:6, 3:8] = np.outer(at_places, at_places)
    assert np.allclose(pool_maps(given).reshape(3, 9, 9), expected)


def test_the_243_numbers_by_hand_also_at_the_border(toy):
    features = toy(2)
    rng = np.random.default_rng(5)
    maps = rng.normal(size=features.arrays["maps"].shape).astype(np.float32)
    maps[:, :, 2] = np.abs(maps[:, :, 2])
    drawn = replace(features, arrays={**features.arrays, "maps": maps})
    plain, mirrored = PooledLinearLearner(3, AS_GIVEN)._pooled_inputs(FeatureSubset(drawn, np.array([1, 4])))
    at_factor = maps[[1, 4], drawn.factor_index(2.0)]
    assert np.allclose(plain, [numbers_by_hand(each) for each in at_factor], atol=1e-4)
    flipped = at_factor[..., ::-1] * np.array([-1, 1, 1])[:, None, None]
    assert np.allclose(mirrored, [numbers_by_hand(each) for each in flipped], atol=1e-4)
    assert not np.allclose(plain, mirrored, atol=0.1)


def test_learns_and_a_clip_and_its_mirror_image_are_predicted_alike(toy):
    features = toy(6)
    train, test = parts(features)
    learner = create_learner(3, AS_GIVEN)
    learner.fit(train, NO_CALLBACKS)
    found = learner.predict(test)
    assert (found.emotions.argmax(1) == test.emotions).all()
    assert np.allclose(found.emotions.sum(1), 1)
    assert found.aus.shape == (6, len(features.units))
    turned = features.arrays["maps"][..., ::-1] * np.array([-1, 1, 1], np.float32)[:, None, None]
    other = replace(features, arrays={**features.arrays, "maps": np.ascontiguousarray(turned)})
    mirrored = learner.predict(FeatureSubset(other, test.rows))
    assert np.allclose(mirrored.emotions, found.emotions, atol=1e-6)
    assert np.allclose(mirrored.aus, found.aus, atol=1e-6)


def test_loaded_weights_predict_the_same(toy):
    train, test = parts(toy(3))
    for model in ("pooled-linear", "linear-maps"):
        settings = TrainSettings(model=model)
        fitted, loaded = create_learner(3, settings), create_learner(3, settings)
        fitted.fit(train, NO_CALLBACKS)
        loaded.load_weights(fitted.export_weights())
        assert np.array_equal(loaded.predict(test).emotions, fitted.predict(test).emotions)
        assert np.array_equal(loaded.predict(test).aus, fitted.predict(test).aus)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn_and_an_absent_class_is_never_predicted(classes):
    rng = np.random.default_rng(1)
    inputs, labels = rng.normal(size=(60, 5)), np.arange(60) % classes + 1  # class 0 never occurs
    table = fit_softmax(inputs, labels, classes + 1)
    logits = np.column_stack([inputs, np.ones(60)]) @ table.T
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    fitted = LogisticRegression(C=0.003, max_iter=1000, class_weight="balanced").fit(inputs, labels)
    assert np.allclose(shares[:, 1:], fitted.predict_proba(inputs), atol=1e-6)
    assert shares[:, 0].max() < 1e-6


def test_clips_without_coding_do_not_count_for_a_unit(toy):
    """Of clips that are not coded, neither zeros nor ones among the targets change what is learned."""
    features = toy(6)
    coded = features.subjects != features.subjects[0]
    learned = []
    for value in (0, 1):
        aus = np.where(coded[:, None], features.aus, value).astype(np.uint8)
        learner = create_learner(3, AS_GIVEN)
        learner.fit(FeatureSubset(replace(features, aus=aus, au_coded=coded), np.arange(len(features))), NO_CALLBACKS)
        learned.append(learner.au)
    assert np.array_equal(*learned)


def test_a_unit_that_never_varies_is_a_constant():
    inputs = np.random.default_rng(2).normal(size=(40, 4))
    assert fit_unit(inputs, np.zeros(40, np.uint8))[-1] == -20
    assert fit_unit(inputs, np.ones(40, np.uint8))[-1] == 20
    assert fit_unit(inputs[:0], np.zeros(0, np.uint8))[-1] == -20


def test_linear_on_maps_sees_no_patches(toy):
    features = toy(4)
    train, test = parts(features)
    loud = {**features.arrays, "patches": features.arrays["patches"] * 9}
    other = replace(features, arrays=loud)
    learner = LinearMapsLearner(3, TrainSettings(model="linear-maps"))
    learner.fit(train, NO_CALLBACKS)
    assert learner.mean.shape == (3 * 7 * 7,)
    found = learner.predict(test).emotions
    assert np.array_equal(learner.predict(FeatureSubset(other, test.rows)).emotions, found)
    assert (found.argmax(1) == test.emotions).all()

"""Maps as learners see them: without the head, scaled by clip, computed once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer.data.features import FeatureSubset
from services.trainer.learners.augmentation import mirror_maps
from services.trainer.learners.map_input import MapPreparation, normalise_maps, prepare_maps
from shared.training.model_settings import ModelSettings

Y, X = np.mgrid[:28, :28] - 13.5
ROBUST = ModelSettings(map_head="robust")
PER_CLIP = ModelSettings(map_head="none", map_scaling="per-clip")


def head(kind: str) -> np.ndarray:
    """(u, v) [2,28,28] of a head that is moved, or turned or scaled about a point off the middle."""
    motions = {
        "moved": [np.full_like(X, 0.8), np.full_like(Y, -1.7)],
        "turned": [-0.05 * (Y + 5), 0.05 * (X - 3)],
        "scaled": [0.04 * (X - 3), 0.04 * (Y + 5)],
    }
    return np.array(motions[kind])


def brows(noise: float = 0.0) -> np.ndarray:
    """A map [3,28,28] whose brows rise by 1 px at most; strain is what it is."""
    bumps = sum(np.exp(-((X - x) ** 2 + (Y + 7) ** 2) / 8) for x in (-5, 5))
    drawn = np.random.default_rng(0).normal(0, 1, (2, 28, 28))
    return np.array([noise * drawn[0], noise * drawn[1] - bumps, np.abs(bumps) / 10])


@pytest.mark.parametrize("kind", ["moved", "turned", "scaled"])
def test_the_head_goes_and_the_expression_stays(kind):
    given = brows()
    moved = given.copy()
    moved[:2] += head(kind)
    found = prepare_maps(np.array([given, moved]), ROBUST)
    assert np.allclose(found[0], given, atol=1e-3)  # nothing was there to remove
    assert np.allclose(found[1], given, atol=1e-3)
    plain = prepare_maps(moved[None], ModelSettings(map_head="least-squares"))[0]
    assert np.abs(plain[:2] - given[:2]).max() > 0.1  # which takes part of the brows with it


def test_with_noise_the_fit_keeps_the_brows_within_a_tenth():
    given, noisy = brows(), brows(noise=0.05)
    noisy[:2] += head("turned")
    left = prepare_maps(noisy[None], ROBUST)[0]
    kept = (left[1] * given[1]).sum() / (given[1] ** 2).sum()
    assert kept == pytest.approx(1, abs=0.1)


def test_a_background_that_moves_otherwise_does_not_pull():
    outside = (X / 10) ** 2 + ((Y - 1) / 13) ** 2 > 1
    behind = brows()
    behind[0, outside] += 3.0
    assert np.allclose(prepare_maps(behind[None], ROBUST)[0], behind, atol=1e-3)


def test_a_face_at_rest_stays_at_rest():
    still = np.zeros((2, 3, 28, 28), np.float32)
    assert np.array_equal(prepare_maps(still, ROBUST), still)
    assert np.array_equal(prepare_maps(still, PER_CLIP), still)


def test_normalised_by_hand():
    """u is a column of 784 numbers with median 0 and known deviation, v has one outlier, strain has two values."""
    u, v, strain = np.zeros((3, 28, 28))
    u[:14], u[14:] = 3.0, 5.0  # median 4, deviation 1
    v[0, 0] = 28.0  # median 0, deviation sqrt(1 - 1/784): mean 1/28
    strain[:, :14], strain[:, 14:] = 4.0, 16.0  # roots 2 and 4, mean 3, deviation 1
    found = normalise_maps(torch.tensor(np.array([[u, v, strain]])))[0].numpy()
    bounded = 2.5 * np.tanh(1 / 2.5)
    assert np.allclose(found[0], np.where(np.arange(28)[:, None] < 14, -bounded, bounded))
    assert found[1, 0, 0] == pytest.approx(2.5 * np.tanh(28 / np.sqrt(1 - 1 / 784) / 2.5))
    assert np.count_nonzero(found[1]) == 1
    assert np.allclose(found[2], np.where(np.arange(28) < 14, -bounded, bounded))


def test_unit_and_amplification_cancel():
    given = brows(noise=0.1)[None]
    other = given * np.array([7.0, 3.0, 0.2])[:, None, None]
    assert np.allclose(prepare_maps(other, PER_CLIP), prepare_maps(given, PER_CLIP), atol=1e-5)


@pytest.mark.parametrize("settings", [ROBUST, PER_CLIP, ModelSettings(map_head="robust", map_scaling="per-clip")])
def test_a_mirrored_map_gives_the_mirrored_result(settings):
    given = torch.tensor(np.array([brows(noise=0.2)]))
    given[:, :2] += torch.tensor(head("turned"))
    found = prepare_maps(mirror_maps(given).numpy(), settings)
    assert np.allclose(found, mirror_maps(torch.from_numpy(prepare_maps(given.numpy(), settings))), atol=1e-4)


def test_maps_of_single_flows_lose_the_head_and_keep_their_scale():
    flows = np.stack([share * brows()[:2] + head("moved") for share in (0.1, 1.0)])
    both = ModelSettings(map_head="robust", map_scaling="per-clip")
    assert np.allclose(prepare_maps(flows[None], both)[0, 1], brows()[:2], atol=1e-3)
    assert np.allclose(prepare_maps(flows[None], both)[0, 0], 0.1 * brows()[:2], atol=1e-3)


def test_features_are_prepared_once_for_all_folds_and_left_as_they_are(toy):
    features, prepare = toy(2), MapPreparation()
    before = features.arrays["maps"].copy()
    first = prepare(features, PER_CLIP)
    assert prepare(features, PER_CLIP) is first
    assert np.array_equal(features.arrays["maps"], before)
    assert np.array_equal(first.arrays["maps"], prepare_maps(before, PER_CLIP))
    assert first.arrays["patches"] is features.arrays["patches"]
    assert prepare(features, ROBUST) is not first
    assert prepare(features, ModelSettings(map_head="none", map_scaling="none")) is features
    without = replace(features, arrays={"patches": features.arrays["patches"]})
    assert prepare(without, PER_CLIP) is without
    assert FeatureSubset(first, np.arange(2)).emotions.tolist() == features.emotions[:2].tolist()

"""Resampling weights against closed forms."""

import numpy as np
import pytest
from hypothesis import given, strategies

from services.flow import pyramid
from services.flow.resample import resample_image
from shared.stage_settings.flow import FLOW_PROFILES


def along(taps, values):
    return (taps.weights * np.asarray(values)[taps.index]).sum(axis=1)


@given(n=strategies.integers(1, 60), out=strategies.integers(1, 60))
def test_resizing_keeps_a_constant(n, out):
    assert np.allclose(along(pyramid.resize_taps(n, out), np.full(n, 3.0)), 3.0)


@given(n=strategies.integers(1, 60), spacing=strategies.sampled_from([1.25, 2.0]))
def test_shrinking_keeps_a_constant_and_its_size(n, spacing):
    taps = pyramid.shrink_taps(n, spacing)
    assert len(taps.index) == pyramid.coarse_size(n, spacing)
    assert np.allclose(along(taps, np.full(n, 3.0)), 3.0)


def test_halving_takes_every_second_sample():
    kept = pyramid.shrink_taps(8, 2.0).index[:, 2]
    assert kept.tolist() == [1, 3, 5, 7]
    assert pyramid.shrink_taps(7, 2.0).index[-1, 2] == 6  # past the end: mirrored


def test_same_size_is_the_identity():
    assert np.allclose(along(pyramid.resize_taps(9, 9), np.arange(9.0)), np.arange(9.0))


def test_doubling_interpolates_a_ramp():
    assert np.allclose(along(pyramid.resize_taps(6, 12), np.arange(6.0))[1:-1], (np.arange(12)[1:-1] - 0.5) / 2)


def test_mirror_repeats_the_edge_however_far():
    assert pyramid.mirror_indices(np.arange(-5, 7), 2).tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]
    assert not pyramid.mirror_indices(np.arange(-9, 9), 1).any()


def test_schedule_goes_coarse_to_fine_in_every_stage():
    steps = pyramid.level_schedule((112, 96), FLOW_PROFILES["paper"])
    assert [step.shape for step in steps] == [(56, 48), (112, 96), (90, 77), (112, 96), (90, 77), (112, 96)]
    assert [step.alpha for step in steps] == [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("shape", [(1, 1), (5, 9)])
def test_compiled_resampling_agrees(shape):
    image = np.random.default_rng(0).random(shape)
    axes = pyramid.resize_taps(shape[0], 4), pyramid.resize_taps(shape[1], 7)
    out = np.empty((4, 7), np.float32)
    rows, columns = ((taps.index, taps.weights.astype(np.float32)) for taps in axes)
    resample_image(image.astype(np.float32), *rows, *columns, 2.0, out)
    assert np.allclose(out, 2.0 * pyramid.apply_taps(image, axes), atol=1e-5)

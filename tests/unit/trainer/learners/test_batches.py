from collections import Counter

import numpy as np
import pytest
import torch

from services.trainer.data.features import FeatureSubset
from services.trainer.learners import augmentation, batches
from services.trainer.learners.batch_source import HostBatchSource, TrainingDevice
from shared.training.settings import PROFILES, TrainSettings

FRAMES, MAPS = ("patches", "clip"), ("patches", "maps")  # what fmer and fmer-lite need


def everything(features) -> FeatureSubset:
    return FeatureSubset(features, np.arange(len(features)))


def host_source(part: FeatureSubset, needs) -> HostBatchSource:
    return HostBatchSource(part, needs, TrainingDevice())


def drawn_batches(part: FeatureSubset, settings: TrainSettings, seed: int = 0, needs=FRAMES):
    rng = np.random.default_rng(seed)
    return batches.training_batches(part, settings, rng, host_source(part, needs))


def test_every_clip_comes_once_an_epoch_with_its_own_clip(toy):
    features = toy(3, 7)
    part, settings = FeatureSubset(features, np.arange(4, 20)), TrainSettings(batch=5, mirror=False)
    seen = []
    for inputs, which in drawn_batches(part, settings):
        assert list(inputs) == ["patches", "clip"], "in the order that the network is called with"
        patches, clips = (array.numpy() for array in inputs.values())
        assert len(patches) == len(clips) == len(which) <= 5
        for one_patch, one_clip, clip_index in zip(patches, clips, which.numpy(), strict=True):
            row = part.rows[clip_index]
            assert np.array_equal(one_clip, features.arrays["clip"][row].transpose(3, 0, 1, 2))
            assert any(np.array_equal(one_patch, features.arrays["patches"][row, f]) for f in range(3))
            seen.append(row)
    assert sorted(seen) == list(range(4, 20))


def test_corrected_draws_one_factor_per_clip_and_paper_one_per_flow(toy):
    part = everything(toy(2, 6))
    rng = np.random.default_rng(0)
    assert batches.draw_factors(12, 3, PROFILES["corrected"], rng).shape == (12,)
    mixed = batches.draw_factors(12, 3, PROFILES["paper"], rng)
    assert mixed.shape == (12, 9)
    assert batches.draw_factors(12, 3, PROFILES["paper"], rng, ("maps",)).shape == (12,)
    patches = part.batch_array("patches", np.arange(12), mixed)
    for clip, pair in [(0, 0), (5, 8), (11, 3)]:
        assert np.array_equal(patches[clip, pair], part.features.arrays["patches"][clip, mixed[clip, pair], pair])


def test_drawn_factors_use_all_and_differ_from_epoch_to_epoch():
    rng = np.random.default_rng(0)
    first, second = (batches.draw_factors(200, 10, TrainSettings(), rng) for _ in range(2))
    assert set(first) == set(range(10))
    assert not np.array_equal(first, second)


def test_half_of_the_clips_are_mirrored_picture_and_flow_together(toy):
    part = everything(toy(4, 12))
    turned = 0
    for inputs, which in drawn_batches(part, TrainSettings(), 2):
        patches, clips = (array.numpy() for array in inputs.values())
        for patch, clip, clip_index in zip(patches, clips, which.numpy(), strict=True):
            originals = torch.from_numpy(part.features.arrays["patches"][clip_index])
            as_is = any(np.array_equal(patch, original) for original in originals)
            assert as_is != any(np.array_equal(patch, augmentation.mirror_patches(original)) for original in originals)
            picture = part.features.arrays["clip"][clip_index].transpose(3, 0, 1, 2)
            assert np.array_equal(clip, picture if as_is else picture[..., ::-1])
            turned += not as_is
    assert 12 < turned < 36


def test_patches_and_map_of_a_clip_have_one_factor_and_one_side(toy):
    features = toy(4, 12)
    seen = set()
    for inputs, which in drawn_batches(everything(features), TrainSettings(), needs=MAPS):
        assert list(inputs) == ["patches", "maps"]
        for patch, one_map, clip_index in zip(*inputs.values(), which.tolist(), strict=True):
            patches, maps = (torch.from_numpy(features.arrays[name][clip_index]) for name in MAPS)
            ways = [(factor, turned) for factor in range(3) for turned in (False, True)]
            (way,) = [
                (factor, turned)
                for factor, turned in ways
                if torch.equal(patch, augmentation.mirror_patches(patches[factor]) if turned else patches[factor])
            ]
            factor, turned = way
            assert torch.equal(one_map, augmentation.mirror_maps(maps[factor]) if turned else maps[factor])
            seen.add(way)
    assert len(seen) == 6


def test_where_each_flow_has_a_factor_of_its_own_the_map_has_the_last_ones(toy):
    features, settings = toy(2, 6), PROFILES["paper"]
    ((inputs, which),) = drawn_batches(everything(features), settings.model_copy(update={"batch": 12}), needs=MAPS)
    last = []
    for patch, one_map, clip_index in zip(*(array.numpy() for array in inputs.values()), which.tolist(), strict=True):
        (factor,) = [f for f in range(3) if np.array_equal(patch[8], features.arrays["patches"][clip_index, f, 8])]
        assert np.array_equal(one_map, features.arrays["maps"][clip_index, factor])
        last.append(factor)
    assert set(last) == {0, 1, 2}


def test_order_and_factor_at_test_are_fixed(toy):
    part = everything(toy(2, 6))
    found = list(batches.sequential_batches(part, 1, host_source(part, ("patches", "clip", "maps")), size=5))
    assert [len(batch["patches"]) for batch in found] == [5, 5, 2]
    patches, clips, maps = (np.concatenate(arrays) for arrays in zip(*(b.values() for b in found), strict=True))
    assert np.array_equal(patches, part.features.arrays["patches"][:, 1])
    assert np.array_equal(clips, part.features.arrays["clip"].transpose(0, 4, 1, 2, 3))
    assert np.array_equal(maps, part.features.arrays["maps"][:, 1])


def test_maps_come_with_a_factor_of_their_own_whatever_the_flows_do(toy):
    part = everything(toy(2, 6))
    settings = PROFILES["paper"].model_copy(update={"batch": 5})
    seen = []
    for inputs, which in drawn_batches(part, settings, needs=("maps",)):
        assert list(inputs) == ["maps"]
        for one, clip_index in zip(inputs["maps"].numpy(), which.numpy(), strict=True):
            assert any(np.array_equal(one, original) for original in part.features.arrays["maps"][clip_index])
            seen.append(clip_index)
    assert sorted(seen) == list(range(12))
    source = host_source(part, ("maps",))
    assert [len(inputs["maps"]) for inputs in batches.sequential_batches(part, 1, source, size=5)] == [5, 5, 2]


@pytest.mark.parametrize("counts", [(9, 2, 1), (9, 3, 2), (4, 4, 4), (1, 0, 12)])
def test_a_balanced_epoch_draws_classes_alike_and_a_classes_clips_alike(counts):
    emotions = np.repeat([0, 1, 2], counts)
    drawn = batches.epoch_order(emotions, TrainSettings(sampling="balanced"), np.random.default_rng(0))
    assert len(drawn) == len(emotions)
    per_class = Counter(emotions[drawn].tolist())
    assert set(per_class) == set(emotions.tolist())
    assert max(per_class.values()) - min(per_class.values()) <= 1
    for label in per_class:
        times = np.bincount(drawn, minlength=len(emotions))[emotions == label]
        assert times.max() - times.min() <= 1


def test_a_clip_that_comes_twice_is_drawn_twice(toy):
    """Alone in its class it comes often, and each time with a factor and a side of its own."""
    features = toy(2, 6)
    part = FeatureSubset(features, np.array([0, 1, 4, 7, 10]))  # one of class 0, four of class 1
    seen = set()
    for seed in range(8):
        for inputs, which in drawn_batches(part, TrainSettings(sampling="balanced"), seed):
            patches = inputs["patches"].numpy()
            alone = [patch for patch, clip_index in zip(patches, which.tolist(), strict=True) if clip_index == 0]
            assert len(alone) in (2, 3)
            seen.add(len({patch.tobytes() for patch in alone}))
    assert max(seen) > 1


def test_all_augmentations_together_leave_shapes_and_kinds_as_they_are(toy):
    part = everything(toy(2, 6))
    settings = TrainSettings(jitter=1.0, rotate=10, scale=0.1, shift=1, batch=5)
    inputs, _ = next(drawn_batches(part, settings, needs=("patches", "clip", "maps")))
    assert {name: (array.shape, array.dtype) for name, array in inputs.items()} == {
        "patches": ((5, 9, 2, 30, 7, 7), torch.float32),
        "clip": ((5, 3, 16, 144, 144), torch.uint8),
        "maps": ((5, 3, 28, 28), torch.float32),
    }

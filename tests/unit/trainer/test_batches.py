import numpy as np

from services.trainer import batches
from services.trainer.dataset import Part
from services.trainer.settings import PROFILES, TrainSettings


def everything(features) -> Part:
    return Part(features, np.arange(len(features)))


def test_every_clip_comes_once_an_epoch_with_its_own_clip(toy):
    features = toy(3, 7)
    part, settings = Part(features, np.arange(4, 20)), TrainSettings(batch=5, mirror=False)
    seen = []
    for patches, clips, which in batches.shuffled(part, settings, np.random.default_rng(0)):
        assert len(patches) == len(clips) == len(which) <= 5
        for one_patch, one_clip, place in zip(patches.numpy(), clips.numpy(), which.numpy(), strict=True):
            row = part.rows[place]
            assert np.array_equal(one_clip, features.clips[row].transpose(3, 0, 1, 2))
            assert any(np.array_equal(one_patch, features.patches[row, f]) for f in range(3))
            seen.append(row)
    assert sorted(seen) == list(range(4, 20))


def test_corrected_draws_one_factor_per_clip_and_paper_one_per_flow(toy):
    part = everything(toy(2, 6))
    rng = np.random.default_rng(0)
    assert batches.draw_factors(12, 3, PROFILES["corrected"], rng).shape == (12,)
    mixed = batches.draw_factors(12, 3, PROFILES["paper"], rng)
    assert mixed.shape == (12, 9)
    patches = part.patches(np.arange(12), mixed)
    for clip, pair in [(0, 0), (5, 8), (11, 3)]:
        assert np.array_equal(patches[clip, pair], part.features.patches[clip, mixed[clip, pair], pair])


def test_drawn_factors_use_all_and_differ_from_epoch_to_epoch():
    rng = np.random.default_rng(0)
    first, second = (batches.draw_factors(200, 10, TrainSettings(), rng) for _ in range(2))
    assert set(first) == set(range(10))
    assert not np.array_equal(first, second)


def test_mirroring_twice_is_nothing_and_once_turns_a_smile_to_the_other_side():
    patches = np.random.default_rng(0).normal(size=(2, 9, 2, 30, 7, 7)).astype(np.float32)
    assert np.array_equal(batches.mirror_patches(batches.mirror_patches(patches)), patches)
    smile = np.zeros((9, 2, 30, 7, 7), np.float32)
    smile[:, 0, 10, 2, 1], smile[:, 1, 10, 2, 1] = -1.0, -0.5  # left mouth corner: outwards (to the left) and up
    mirrored = batches.mirror_patches(smile)
    assert mirrored[0, 0, 16, 2, 5] == 1.0  # the right corner (dlib 54 is ROI 16), now to the right
    assert mirrored[0, 1, 16, 2, 5] == -0.5
    assert np.count_nonzero(mirrored) == np.count_nonzero(smile)


def test_mirrored_rois_pair_the_sides_of_brows_and_lips():
    pairs = {(0, 9), (4, 5), (10, 16), (11, 15), (13, 13), (17, 21), (19, 19), (22, 26), (24, 24), (27, 29), (28, 28)}
    assert all(batches.MIRRORED[a] == b and batches.MIRRORED[b] == a for a, b in pairs)
    assert sorted(batches.MIRRORED) == list(range(30))


def test_half_of_the_clips_are_mirrored_picture_and_flow_together(toy):
    part = everything(toy(4, 12))
    turned = 0
    for patches, clips, which in batches.shuffled(part, TrainSettings(), np.random.default_rng(2)):
        for patch, clip, place in zip(patches.numpy(), clips.numpy(), which.numpy(), strict=True):
            originals = part.features.patches[place]
            as_is = any(np.array_equal(patch, original) for original in originals)
            assert as_is != any(np.array_equal(patch, batches.mirror_patches(original)) for original in originals)
            picture = part.features.clips[place].transpose(3, 0, 1, 2)
            assert np.array_equal(clip, picture if as_is else picture[..., ::-1])
            turned += not as_is
    assert 12 < turned < 36


def test_order_and_factor_at_test_are_fixed(toy):
    part = everything(toy(2, 6))
    patches, clips = zip(*batches.in_order(part, 1, size=5), strict=True)
    assert [len(batch) for batch in patches] == [5, 5, 2]
    assert np.array_equal(np.concatenate(patches), part.features.patches[:, 1])
    assert np.array_equal(np.concatenate(clips), part.features.clips.transpose(0, 4, 1, 2, 3))

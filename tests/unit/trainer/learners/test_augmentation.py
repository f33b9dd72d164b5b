import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer.learners import augmentation
from services.trainer.learners.augmentation import AffineDraw, AugmentationDraw
from shared.training.settings import TrainSettings

EVERYTHING = TrainSettings(jitter=1.0, rotate=10, scale=0.1, shift=1)


def random_patches(clips: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(clips, 9, 2, 30, 7, 7)).astype(np.float32))


def random_maps(clips: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(clips, 3, 28, 28)).astype(np.float32))


def random_clips(clips: int = 2) -> torch.Tensor:
    values = np.random.default_rng(2).integers(0, 256, (clips, 3, 16, 144, 144), dtype=np.uint8)
    return torch.from_numpy(values)


def affine(clips: int, angle: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> AffineDraw:
    moved = torch.tensor(shift)
    return AffineDraw(
        torch.full((clips,), angle), torch.full((clips,), scale), moved.expand(clips, 2), moved.expand(clips, 30, 2)
    )


def test_mirroring_twice_is_nothing_and_once_turns_a_smile_to_the_other_side():
    patches = random_patches()
    assert torch.equal(augmentation.mirror_patches(augmentation.mirror_patches(patches)), patches)
    smile = torch.zeros(9, 2, 30, 7, 7)
    smile[:, 0, 10, 2, 1], smile[:, 1, 10, 2, 1] = -1.0, -0.5  # left mouth corner: outwards (to the left) and up
    mirrored = augmentation.mirror_patches(smile)
    assert mirrored[0, 0, 16, 2, 5] == 1.0  # the right corner (dlib 54 is ROI 16), now to the right
    assert mirrored[0, 1, 16, 2, 5] == -0.5
    assert mirrored.count_nonzero() == smile.count_nonzero()


def test_mirrored_rois_pair_the_sides_of_brows_and_lips():
    pairs = {(0, 9), (4, 5), (10, 16), (11, 15), (13, 13), (17, 21), (19, 19), (22, 26), (24, 24), (27, 29), (28, 28)}
    assert all(augmentation.MIRRORED_ROIS[a] == b and augmentation.MIRRORED_ROIS[b] == a for a, b in pairs)
    assert sorted(augmentation.MIRRORED_ROIS) == list(range(30))


def test_a_mirrored_map_has_its_u_negated_and_its_strain_kept():
    maps = random_maps()
    mirrored = augmentation.mirror_maps(maps)
    assert torch.equal(augmentation.mirror_maps(mirrored), maps)
    assert torch.equal(mirrored[:, 0], -maps[:, 0].flip(-1))
    assert torch.equal(mirrored[:, 1:], maps[:, 1:].flip(-1))


def test_all_inputs_of_a_batch_are_mirrored():
    mirrored = augmentation.mirror_batch({"patches": random_patches(), "clip": random_clips(), "maps": random_maps()})
    assert list(mirrored) == ["patches", "clip", "maps"], "in the order that a network is called with"
    assert torch.equal(mirrored["patches"], augmentation.mirror_patches(random_patches()))
    assert torch.equal(mirrored["clip"], random_clips().flip(-1))
    assert torch.equal(mirrored["maps"], augmentation.mirror_maps(random_maps()))


def test_a_moved_time_axis_keeps_the_sum_of_the_flows_and_no_motion_runs_backwards():
    amplitudes = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2))
    times = augmentation.time_weights(amplitudes)
    assert times.min() >= 0
    assert torch.allclose(times.sum(1), torch.ones(50, 9), atol=1e-6)
    patches = random_patches(50)
    moved = augmentation.retime_flows(patches, times)
    assert torch.allclose(moved.sum(1), patches.sum(1), atol=1e-5)
    assert (moved - patches).abs().max() > 0.1


def test_time_that_does_not_move_changes_nothing_and_time_that_runs_late_shows_less_at_first():
    still = augmentation.time_weights(np.zeros((1, 2)))
    assert torch.equal(still[0], torch.eye(9))
    late = augmentation.retime_flows(torch.ones(1, 9, 2, 30, 7, 7), augmentation.time_weights(np.array([[-0.5, 0.0]])))[
        0, :, 0, 0, 0, 0
    ]
    assert late[0] == pytest.approx(1 - 0.5 * math.sin(math.pi / 9))
    assert late[8] == pytest.approx(1 + 0.5 * math.sin(math.pi / 9))


def test_a_delayed_clip_holds_its_end():
    clips = torch.arange(16, dtype=torch.uint8)[None, None, :, None, None].repeat(3, 3, 1, 2, 2)
    shown = augmentation.delay_clips(clips, torch.tensor([1, 0, -1]))[:, 0, :, 0, 0]
    assert shown.tolist() == [[*range(1, 16), 15], list(range(16)), [0, *range(15)]]


def test_nothing_happens_at_no_angle_scale_one_and_no_shift():
    none = affine(2)
    assert torch.allclose(augmentation.warp_patches(random_patches(), none), random_patches(), atol=1e-5)
    assert torch.allclose(augmentation.warp_maps(random_maps(), none), random_maps(), atol=1e-5)
    assert torch.equal(augmentation.warp_clips(random_clips(), none), random_clips())


def test_a_gpu_chooses_the_clips_that_a_cpu_mirrors():
    drawn = AugmentationDraw(torch.tensor([True, False, True]))
    batch = {"patches": random_patches(3), "clip": random_clips(3), "maps": random_maps(3)}
    mirrored = augmentation.mirror_batch(batch)
    chosen = {name: augmentation.choose_mirrored(batch[name], drawn.flip, mirrored[name]) for name in batch}
    expected = augmentation.augment_batch(batch, drawn)
    assert all(torch.equal(chosen[name], expected[name]) for name in batch)


def test_a_quarter_turn_takes_right_to_down_and_places_with_it():
    """x towards y: what points right points down, what lies right of the centre lies below it."""
    maps = torch.zeros(1, 3, 28, 28)
    maps[0, 0, 10, 20], maps[0, 2, 10, 20] = 2.0, 3.0
    turned = augmentation.warp_maps(maps, affine(1, math.pi / 2))
    assert turned[0, 1, 20, 17] == pytest.approx(2.0, abs=1e-4)  # row 10 -> column 27 - 10, column 20 -> row 20
    assert turned[0, 0, 20, 17] == pytest.approx(0.0, abs=1e-4)
    assert turned[0, 2, 20, 17] == pytest.approx(3.0, abs=1e-4)  # strain is no vector
    patches = torch.zeros(1, 9, 2, 30, 7, 7)
    patches[0, 4, 0, 12, 3, 5] = 1.0
    turned = augmentation.warp_patches(patches, affine(1, math.pi / 2))
    assert turned[0, 4, 1, 12, 5, 3] == pytest.approx(1.0, abs=1e-5)
    assert turned.abs().sum() == pytest.approx(1.0, abs=1e-3)


def test_a_quarter_turn_of_a_clip_is_that_of_its_pictures():
    clips = random_clips(1)
    assert torch.equal(augmentation.warp_clips(clips, affine(1, math.pi / 2)), clips.rot90(-1, (3, 4)))


def test_a_larger_face_moves_more_and_a_shift_moves_places_alone():
    maps = torch.ones(1, 3, 28, 28)
    larger = augmentation.warp_maps(maps, affine(1, scale=1.5))
    assert torch.allclose(larger[0, :2], torch.tensor(1.5))
    assert torch.allclose(larger[0, 2], torch.tensor(1.0))
    moved = augmentation.warp_maps(random_maps(1), affine(1, shift=(1.0, 2.0)))
    assert torch.allclose(moved[0, :, 2:, 1:], random_maps(1)[0, :, :-2, :-1], atol=1e-4)
    assert torch.allclose(moved[0, :, 0], moved[0, :, 2], atol=1e-4)  # over the edge comes the edge


def test_turning_flows_of_a_linear_field_gives_the_turned_field():
    """u = a x, v = 0 about the centre, turned by 30 degrees: R diag(a, 0) R^T, which bilinear sampling has exactly."""
    line = torch.arange(28.0) - 13.5
    field = torch.zeros(1, 3, 28, 28)
    field[0, 0] = 0.1 * line
    angle = math.pi / 6
    turned = augmentation.warp_maps(field, affine(1, angle))
    cos, sin = math.cos(angle), math.sin(angle)
    along = 0.1 * (cos * line[None, :] + sin * line[:, None])
    inside = (slice(8, 20), slice(8, 20))
    assert torch.allclose(turned[0, 0][inside], (cos * along)[inside], atol=1e-4)
    assert torch.allclose(turned[0, 1][inside], (sin * along)[inside], atol=1e-4)


def test_what_is_off_is_not_drawn_and_takes_nothing_from_other_draws():
    plain, more = (
        augmentation.draw_augmentation(8, settings, np.random.default_rng(3))
        for settings in (TrainSettings(), EVERYTHING)
    )
    assert (plain.times, plain.delay, plain.affine) == (None, None, None)
    assert torch.equal(plain.flip, more.flip)
    assert not augmentation.draw_augmentation(8, TrainSettings(mirror=False), np.random.default_rng(3)).flip.any()


def test_draws_stay_within_what_the_settings_allow():
    drawn = augmentation.draw_augmentation(500, EVERYTHING, np.random.default_rng(0))
    assert set(drawn.delay.tolist()) == {-1, 0, 1}
    assert 0.9 * math.radians(10) < drawn.affine.angle.abs().max() <= math.radians(10)
    assert 0.09 < (drawn.affine.scale - 1).abs().max() <= 0.1 + 1e-6
    assert 0.9 < drawn.affine.patch_shift.abs().max() <= 1
    assert drawn.affine.patch_shift.shape == (500, 30, 2)


def test_each_clip_of_a_batch_gets_its_own():
    flip = torch.tensor([False, True, False, False, True, False])
    drawn = replace(augmentation.draw_augmentation(6, EVERYTHING, np.random.default_rng(1)), flip=flip)
    batch = {"patches": random_patches(6), "clip": random_clips(6), "maps": random_maps(6)}
    which = torch.tensor([4, 0])
    apart = augmentation.augment_batch(
        {name: array[which] for name, array in batch.items()}, drawn.subset_on_device(which, "cpu")
    )
    together = augmentation.augment_batch(batch, drawn)
    assert list(together) == list(apart) == ["patches", "clip", "maps"]
    for name, array in together.items():
        assert torch.allclose(array[which].float(), apart[name].float(), atol=1e-5)


def test_maps_are_turned_and_mirrored():
    drawn = AugmentationDraw(torch.tensor([True, False]), affine=affine(2, scale=2.0))
    maps = augmentation.augment_batch({"maps": torch.ones(2, 3, 28, 28)}, drawn)["maps"]
    assert maps[:, :, 5, 5].tolist() == [pytest.approx([-2, 2, 1]), pytest.approx([2, 2, 1])]

import gc
import weakref

import numpy as np
import pytest
import torch

from services.trainer.data.features import Features, FeatureSubset
from services.trainer.learners import batch_source
from services.trainer.learners.batch_source import DeviceBatchSource, HostBatchSource, TrainingDevice

WHICH = np.array([3, 0, 4])


@pytest.fixture
def part(toy) -> FeatureSubset:
    return FeatureSubset(toy(2, 6), np.array([9, 1, 7, 3, 10]))


FRAMES, MAPS = ("patches", "clip"), ("maps",)


@pytest.mark.parametrize("needs", [FRAMES, MAPS, ("patches", "maps")], ids="+".join)
def test_arrays_held_on_the_device_give_the_batches_of_arrays_gathered(part, needs):
    for factors in (np.array([2, 0, 1]), np.arange(27).reshape(3, 9) // 2 % 3):
        gathered, resident = (
            way(part, needs, TrainingDevice())(WHICH, factors) for way in (HostBatchSource, DeviceBatchSource)
        )
        assert tuple(gathered) == tuple(resident) == needs
        for one, other in zip(gathered.values(), resident.values(), strict=True):
            assert torch.equal(one, other)
            assert (one.dtype, one.stride()) == (other.dtype, other.stride())


def test_a_batch_may_be_written_into(part):
    for way in (HostBatchSource, DeviceBatchSource):
        source = way(part, ("patches", "clip", "maps"), TrainingDevice())
        written = source(WHICH, np.zeros(3, int))
        for array in written.values():
            array += 1
        for name, array in source(WHICH, np.zeros(3, int)).items():
            assert torch.equal(array + 1, written[name])


def test_features_are_moved_once_for_all_folds_and_released_with_the_next(part, toy):
    device, other_part = TrainingDevice(), FeatureSubset(part.features, np.arange(3))
    one, other = (DeviceBatchSource(each, MAPS, device) for each in (part, other_part))
    assert one.arrays["maps"] is other.arrays["maps"]
    moved = weakref.ref(one.arrays["maps"])
    next_source = DeviceBatchSource(FeatureSubset(toy(2, 3), np.arange(3)), MAPS, device)
    assert next_source.arrays["maps"] is not one.arrays["maps"]
    del one, other
    gc.collect()
    assert moved() is None


def test_mapped_features_are_supplied_on_a_cpu_without_a_copy_of_the_whole(part, tmp_path):
    part.features.save(tmp_path)
    mapped = FeatureSubset(Features.open(tmp_path), part.rows)
    source = TrainingDevice().batch_source(mapped, FRAMES)
    assert isinstance(source, HostBatchSource)
    expected = HostBatchSource(part, FRAMES, TrainingDevice())(WHICH, np.ones(3, int))
    for name, array in source(WHICH, np.ones(3, int)).items():
        assert torch.equal(array, expected.pop(name))
    assert not expected


@pytest.mark.parametrize(
    ("model", "device", "expected"),
    [("fmer", "cpu", 16), ("fmer", "cuda", 1), ("rcn-a", "cuda:1", 1), ("linear", "cuda", 16)],
)
def test_folds_side_by_side_are_as_many_as_asked_for_and_one_where_a_gpu_trains(model, device, expected):
    assert batch_source.max_parallel_folds(model, 16, device) == expected


def test_features_go_to_a_gpu_whole_if_they_fit_and_in_batches_if_not(part):
    for free, fits in [(10**6, False), (10**9, True)]:
        device = TrainingDevice("cuda", free_bytes=lambda name, free=free: free)
        assert device.has_room(part.features, FRAMES) == fits


def test_features_that_a_device_holds_need_no_more_room(part):
    device = TrainingDevice("cpu", free_bytes=lambda name: 0)
    assert not device.has_room(part.features, MAPS)
    device.load_arrays(part.features, MAPS)
    assert device.has_room(part.features, MAPS)
    assert not device.has_room(part.features, FRAMES)

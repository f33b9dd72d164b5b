import gc

import numpy as np
import pytest
import torch

from services.trainer import supply
from services.trainer.dataset import Features, Part
from services.trainer.supply import Gathered, Resident

WHICH = np.array([3, 0, 4])


@pytest.fixture
def part(toy) -> Part:
    return Part(toy(2, 6), np.array([9, 1, 7, 3, 10]))


@pytest.mark.parametrize("needs", ["patches-and-clip", "maps"])
def test_arrays_held_on_the_device_give_the_batches_of_arrays_gathered(part, needs):
    for factors in (np.array([2, 0, 1]), *([] if needs == "maps" else [np.arange(27).reshape(3, 9) % 3])):
        gathered, resident = (way(part, needs, "cpu")(WHICH, factors) for way in (Gathered, Resident))
        for one, other in zip(gathered, resident, strict=True):
            assert torch.equal(one, other)
            assert (one.dtype, one.stride()) == (other.dtype, other.stride())


def test_a_batch_may_be_written_into(part):
    for way in (Gathered, Resident):
        source = way(part, "maps", "cpu")
        (maps,) = source(WHICH, np.zeros(3, int))
        maps += 1
        assert not torch.equal(source(WHICH, np.zeros(3, int))[0], maps)


def test_features_are_moved_once_for_all_folds_and_let_go_with_the_next(part, toy):
    one, other = Resident(part, "maps", "cpu"), Resident(Part(part.features, np.arange(3)), "maps", "cpu")
    assert one.arrays[0] is other.arrays[0]
    Resident(Part(toy(2, 3), np.arange(3)), "maps", "cpu")
    gc.collect()
    assert supply._held is not None
    assert supply._held[3][0] is not one.arrays[0]


def test_mapped_features_are_supplied_on_a_cpu_without_a_copy_of_the_whole(part, tmp_path):
    part.features.save(tmp_path)
    mapped = Part(Features.open(tmp_path), part.rows)
    source = supply.supply(mapped, "patches-and-clip", "cpu")
    assert isinstance(source, Gathered)
    for one, other in zip(
        source(WHICH, np.ones(3, int)), Gathered(part, "patches-and-clip", "cpu")(WHICH, np.ones(3, int)), strict=True
    ):
        assert torch.equal(one, other)

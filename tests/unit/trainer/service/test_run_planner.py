"""Folds of a run over the workers of a group, by Kafka's own hash and by how its members share partitions."""

from kafka.partitioner.default import murmur2

from services.trainer.service.run_planner import PARTITION_KEYS, fold_partition_key
from shared.bus.topics import TOPICS

PARTITIONS = 24
TOGETHER = [partition % 2 for partition in range(PARTITIONS)]  # both members joined at once
LATER = [partition // 12 for partition in range(PARTITIONS)]  # the second joined a group of one
THREE = [partition % 3 for partition in range(PARTITIONS)]


def partition(key: str) -> int:
    return (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def shares(owners: list[int], folds: int, run: int) -> list[int]:
    taken = [owners[partition(fold_partition_key(f"{run:032x}", number))] for number in range(folds)]
    return [taken.count(owner) for owner in set(owners)]


def test_every_partition_has_a_key_of_its_own() -> None:
    assert TOPICS["mer.folds"].partitions == PARTITIONS
    assert [partition(str(key)) for key in PARTITION_KEYS] == list(range(PARTITIONS))


def test_workers_get_equal_shares_of_any_run() -> None:
    for run in (index << 96 for index in range(PARTITIONS)):
        for folds in range(1, 50):
            assert max(shares(TOGETHER, folds, run)) - min(shares(TOGETHER, folds, run)) <= 1
            assert max(shares(LATER, folds, run)) - min(shares(LATER, folds, run)) <= 2
            assert max(shares(THREE, folds, run)) - min(shares(THREE, folds, run)) <= 1
        assert max(shares(LATER, 12, run)) <= 7

"""The partitions of a member of a consumer group: for its commits, and for its reports to the group."""

import itertools
import threading
from collections.abc import Iterable
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor


class PartitionAssignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """The partitions of this member, each with the epoch of its assignment. The client's I/O thread calls it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epochs: dict[int, int] = {}
        self._clock = itertools.count(1)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._epochs.update({partition.partition: next(self._clock) for partition in assigned})

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        with self._lock:
            for partition in revoked:
                self._epochs.pop(partition.partition, None)

    def renew_epochs(self) -> None:
        """Give every partition a new epoch: membership was lost and regained without a notice about partitions."""
        with self._lock:
            self._epochs = {partition: next(self._clock) for partition in self._epochs}

    def forget_partitions(self) -> None:
        with self._lock:
            self._epochs.clear()

    def partition_epochs(self) -> dict[int, int]:
        with self._lock:
            return dict(self._epochs)


class OwnedPartitionsAssignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Cooperative-sticky assignor that reports the partitions that this member owns now.

    The client's own assignor reports the last assignment, even after the group has removed the member. Then partitions
    that nobody owns could wait for a member that does not know of them.
    """

    def __init__(self, topic: str, assignment: PartitionAssignment) -> None:
        super().__init__()
        self._topic, self._owned = topic, assignment

    def metadata(self, topics: Iterable[str]) -> Any:
        self.member_assignment = [TopicPartition(self._topic, number) for number in self._owned.partition_epochs()]
        return super().metadata(topics)

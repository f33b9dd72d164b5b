"""What KEDA makes of a ScaledObject: the number of pods for a given backlog.

After KEDA 2.18, pkg/scalers/kafka_scaler.go (getLagForPartition, getTotalLag), and the autoscaler it makes: per trigger
ceil(sum of lags / lagThreshold), the largest trigger, within minReplicaCount..maxReplicaCount. The steps on the way
there (pollingInterval, stabilisation) are left out: this is where it settles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PartitionState:
    """A partition: the offset after its last message, and the group's commit (None: it has none yet)."""

    end: int
    committed: int | None

    def lag(self, policy: str) -> int:
        if self.committed is None:
            return self.end if policy == "earliest" else 1
        return self.end - self.committed


Backlog = Mapping[tuple[str, str], Mapping[int, PartitionState]]
"""By topic and group, the partitions."""


def replica_count(scaled_object: Mapping[str, Any], backlog: Backlog) -> int:
    """Pods that the ScaledObject asks for."""
    spec = scaled_object["spec"]
    wanted = [_wanted_pods(trigger["metadata"], backlog) for trigger in spec["triggers"]]
    least, most = int(spec["minReplicaCount"]), int(spec["maxReplicaCount"])
    if not any(active for active, _ in wanted):
        return least
    return min(max(1, least, *(count for _, count in wanted)), most)


def _wanted_pods(trigger: Mapping[str, str], backlog: Backlog) -> tuple[bool, int]:
    """Whether it keeps the stage from its least, and how many pods it asks for."""
    places = backlog[trigger["topic"], trigger["consumerGroup"]]
    lags = [place.lag(trigger["offsetResetPolicy"]) for place in places.values()]
    threshold, total = int(trigger["lagThreshold"]), sum(lags)
    if trigger["allowIdleConsumers"] == "false" and total // threshold > len(lags):
        total = len(lags) * threshold
    return sum(lags) > int(trigger["activationLagThreshold"]), -(-total // threshold)

"""How many pods a stage gets: the numbers behind the ScaledObjects and the plain autoscalers."""

from dataclasses import dataclass

from shared.bus.topics import TOPIC_BY_GROUP, TOPICS


@dataclass(frozen=True)
class ScaledService:
    """A Deployment and the groups whose backlog says how many pods of it there are to be."""

    service: str
    groups: tuple[str, ...]
    min_pods: int
    records_per_pod: int  # so many waiting messages are worth a pod
    patience_seconds: int  # how long nothing may call for a pod before one goes

    @property
    def max_pods(self) -> int:
        """One pod per partition: one more would find none to read."""
        return max(TOPICS[TOPIC_BY_GROUP[group]].partitions for group in self.groups)


# Services whose records cost seconds and more get a pod for each. Those that may hold a GPU, and those
# for videos, which come seldom, go when nothing waits.
SCALED_SERVICES = (
    ScaledService("spotter", ("spotter",), min_pods=0, records_per_pod=1, patience_seconds=600),
    ScaledService("ingest", ("ingest",), min_pods=1, records_per_pod=10, patience_seconds=300),
    ScaledService("interpolator", ("interpolator",), min_pods=0, records_per_pod=1, patience_seconds=600),
    ScaledService("magnifier", ("magnifier",), min_pods=1, records_per_pod=10, patience_seconds=300),
    ScaledService("flow", ("flow",), min_pods=1, records_per_pod=1, patience_seconds=600),
    ScaledService("roi-au", ("roi-au",), min_pods=1, records_per_pod=10, patience_seconds=300),
    ScaledService("trainer", ("trainer",), min_pods=0, records_per_pod=1, patience_seconds=1800),
    ScaledService("recogniser", ("recogniser",), min_pods=0, records_per_pod=10, patience_seconds=300),
)

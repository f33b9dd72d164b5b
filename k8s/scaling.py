"""How many pods a stage gets: the numbers behind the ScaledObjects and the plain autoscalers."""

from dataclasses import dataclass

from shared.bus.topics import GROUPS, TOPICS


@dataclass(frozen=True)
class Scaled:
    """A Deployment and the groups whose backlog says how many pods of it there are to be."""

    service: str
    groups: tuple[str, ...]
    least: int
    records_per_pod: int  # so many waiting messages are worth a pod
    patience_seconds: int  # how long nothing may call for a pod before one goes

    @property
    def most(self) -> int:
        """One pod per partition: one more would find none to read."""
        return max(TOPICS[GROUPS[group]].partitions for group in self.groups)


# Services whose records cost seconds and more get a pod for each. Those that may hold a GPU go when nothing waits.
SCALED = (
    Scaled("ingest", ("ingest",), least=1, records_per_pod=10, patience_seconds=300),
    Scaled("interpolator", ("interpolator",), least=0, records_per_pod=1, patience_seconds=600),
    Scaled("magnifier", ("magnifier",), least=1, records_per_pod=10, patience_seconds=300),
    Scaled("flow", ("flow",), least=1, records_per_pod=1, patience_seconds=600),
    Scaled("roi-au", ("roi-au",), least=1, records_per_pod=10, patience_seconds=300),
    Scaled("trainer", ("trainer",), least=0, records_per_pod=1, patience_seconds=1800),
)

"""The pods that a ScaledObject would ask for, from the lag that a real broker tells while workers take and commit."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import RetriableError

from k8s import generate
from k8s.keda import PartitionState, replica_count
from k8s.scaling import SCALED_SERVICES
from shared.bus import Message, Subscription
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS


class Scaler:
    """What KEDA does: asks the broker for the ends of a trigger's topic and the commits of its group."""

    def __init__(self, bootstrap: str, prefix: str, service: str) -> None:
        self.bootstrap, self.prefix = bootstrap, prefix
        (self.scaled_object,) = [
            generate.scaled_object(scaled) for scaled in SCALED_SERVICES if scaled.service == service
        ]

    def pods(self) -> int:
        triggers = [trigger["metadata"] for trigger in self.scaled_object["spec"]["triggers"]]
        while True:
            try:
                places = [self._places(trigger["topic"], trigger["consumerGroup"]) for trigger in triggers]
            except RetriableError:  # the coordinator of a new group is just being chosen
                continue
            names = [(trigger["topic"], trigger["consumerGroup"]) for trigger in triggers]
            return replica_count(self.scaled_object, dict(zip(names, places, strict=True)))

    def _places(self, topic: str, group: str) -> dict[int, PartitionState]:
        name, group = self.prefix + topic, self.prefix + group
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            (about,) = admin.describe_topics([name])
            places = [TopicPartition(name, each["partition_index"]) for each in about["partitions"]]
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            commits: dict[Any, Any] = admin.list_group_offsets({group: places})[group]
        committed = {place: commits[place].offset for place in places if place in commits}
        return {
            p.partition: PartitionState(ends[p].offset, c if (c := committed.get(p, -1)) >= 0 else None) for p in places
        }


@pytest.fixture
def bus(kafka_bootstrap: str) -> Iterator[KafkaBus]:
    prefix = f"scale-{uuid.uuid4().hex[:8]}."
    names = ensure_topics(kafka_bootstrap, [TOPICS["mer.clips"], TOPICS["mer.sources"]], prefix=prefix)
    bus = KafkaBus(kafka_bootstrap, prefix=prefix)
    yield bus
    bus.close()
    with closing(KafkaAdminClient(bootstrap_servers=kafka_bootstrap)) as admin:
        admin.delete_topics(names)


def taken(member: Subscription) -> Message:
    while (message := member.take_message(10)) is None:
        pass
    return message


def test_a_gpu_stage_gets_a_pod_for_each_record_and_none_for_none(kafka_bootstrap: str, bus: KafkaBus) -> None:
    scaler = Scaler(kafka_bootstrap, bus.prefix, "interpolator")
    assert scaler.pods() == 0
    for number in range(5):
        bus.publish("mer.clips", f"clip-{number}", b"record")
    assert scaler.pods() == 5, "nothing was ever committed: all of it waits"
    member = bus.subscribe("mer.clips", "interpolator")
    member.commit(taken(member))
    member.commit(taken(member))
    assert scaler.pods() == 3
    member.commit(taken(member))
    member.commit(taken(member))
    last = taken(member)
    assert scaler.pods() == 1, "what is in work is not done: its pod stays"
    member.commit(last)
    assert scaler.pods() == 0


def test_no_more_pods_than_partitions_and_none_before_enough_waits(kafka_bootstrap: str, bus: KafkaBus) -> None:
    ingest, interpolator = (Scaler(kafka_bootstrap, bus.prefix, name) for name in ("ingest", "interpolator"))
    assert ingest.pods() == 1, "a stage without a GPU keeps one"
    for number in range(31):
        bus.publish("mer.sources", f"clip-{number}", b"record")
        bus.publish("mer.clips", f"clip-{number}", b"record")
    assert ingest.pods() == 4, "ten cheap records are one pod's"
    assert interpolator.pods() == TOPICS["mer.clips"].partitions

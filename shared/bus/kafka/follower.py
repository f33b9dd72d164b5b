"""The state that a topic on Kafka holds: read from its beginning, then kept up to date, by a consumer of no group."""

import time
from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from shared.bus import Message
from shared.bus.kafka.broker import Broker, translate_kafka_errors
from shared.bus.kafka.subscription import message_from_record
from shared.errors import Unavailable

_FOLLOWER_POLL_MS = 1000


class KafkaFollower:
    """See `shared.bus.Follower`; connects at the first read, and anew after trouble. For one thread."""

    def __init__(self, broker: Broker, topic: str, name: str) -> None:
        self.broker, self.topic, self.name = broker, topic, name
        self._consumer: Any = None
        self._next_offsets: dict[TopicPartition, int] = {}
        self._newest: dict[str, Message] = {}

    def read_newest(self) -> dict[str, Message]:
        """Raises Unavailable; what was read before is kept for the next read."""
        try:
            with translate_kafka_errors(f"reading {self.name}"):
                self._apply_records(self._fetch_new_records())
        except BaseException:
            self.close()
            raise
        return self._newest

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close(autocommit=False)
            self._consumer = None

    def _fetch_new_records(self) -> list[Any]:
        """All messages up to the ends as of now that were not read yet."""
        consumer = self._connect_consumer()
        ends = consumer.end_offsets(list(self._next_offsets))
        records: list[Any] = []
        heard = time.monotonic()
        while any(consumer.position(place) < end for place, end in ends.items()):
            for some in consumer.poll(_FOLLOWER_POLL_MS).values():
                records += some
                heard = time.monotonic()
            if time.monotonic() - heard > self.broker.timeout_seconds:  # it went away between question and answer
                raise KafkaTimeoutError(f"nothing came for {self.broker.timeout_seconds:g} s")
        self._next_offsets = {place: consumer.position(place) for place in self._next_offsets}
        return records

    def _apply_records(self, records: list[Any]) -> None:
        for record in sorted(records, key=lambda record: record.timestamp):  # stable: a key's order is its partition's
            message = message_from_record(record, self.name)
            self._newest.pop(message.key, None)
            if record.value is not None:  # a tombstone takes its key away
                self._newest[message.key] = message

    def _connect_consumer(self) -> Any:
        if self._consumer is None:
            places = list_partitions(self.broker, self.topic)
            self._consumer = self.broker.connect_client(
                KafkaConsumer,
                group_id=None,
                auto_offset_reset="earliest",  # what expired before it was read is gone, what is there is not skipped
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            self._consumer.assign(places)
            first = self._consumer.beginning_offsets(places)
            self._next_offsets = {place: max(self._next_offsets.get(place, 0), first[place]) for place in places}
            for place, offset in self._next_offsets.items():
                self._consumer.seek(place, offset)
        return self._consumer


def list_partitions(broker: Broker, topic: str) -> list[TopicPartition]:
    """Of a topic on the cluster. Raises Unavailable if it is not there (yet)."""
    with (
        translate_kafka_errors(f"asking for the partitions of {topic}"),
        closing(broker.connect_client(KafkaAdminClient)) as admin,
    ):
        (found,) = admin.describe_topics([topic])
    if not found["partitions"]:
        raise Unavailable(f"Topic {topic} is not on the broker (yet): run the topics' set-up.")
    return [TopicPartition(topic, partition["partition_index"]) for partition in found["partitions"]]

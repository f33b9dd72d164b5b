"""The state of a topic on Kafka: read from its beginning, then kept up to date, by a consumer without a group."""

import time
from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from shared.bus import Message
from shared.bus.kafka.broker import Broker, translate_kafka_errors
from shared.bus.kafka.subscription import message_from_record
from shared.errors import Unavailable

_FOLLOWER_POLL_MS = 1000


class KafkaFollower:
    """See `shared.bus.Follower`. It connects at the first read and after an error. For one thread."""

    def __init__(self, broker: Broker, topic: str, name: str) -> None:
        self.broker, self.topic, self.name = broker, topic, name
        self._consumer: Any = None
        self._next_offsets: dict[TopicPartition, int] = {}
        self._newest: dict[str, Message] = {}

    def read_newest(self) -> dict[str, Message]:
        """Raises Unavailable. Messages read before are kept for the next read."""
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
        """All messages that were not read yet, up to the present ends."""
        consumer = self._connect_consumer()
        ends = consumer.end_offsets(list(self._next_offsets))
        records: list[Any] = []
        last_answer = time.monotonic()
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for batch in consumer.poll(_FOLLOWER_POLL_MS).values():
                records += batch
                last_answer = time.monotonic()
            if time.monotonic() - last_answer > self.broker.timeout_seconds:  # the broker went away meanwhile
                raise KafkaTimeoutError(f"no messages within {self.broker.timeout_seconds:g} s")
        self._next_offsets = {partition: consumer.position(partition) for partition in self._next_offsets}
        return records

    def _apply_records(self, records: list[Any]) -> None:
        for record in sorted(records, key=lambda record: record.timestamp):  # stable: a key's order is its partition's
            message = message_from_record(record, self.name)
            self._newest.pop(message.key, None)
            if record.value is not None:  # a tombstone removes its key
                self._newest[message.key] = message

    def _connect_consumer(self) -> Any:
        if self._consumer is None:
            partitions = list_partitions(self.broker, self.topic)
            self._consumer = self.broker.connect_client(
                KafkaConsumer,
                group_id=None,
                auto_offset_reset="earliest",  # continue at the first message that has not expired
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            self._consumer.assign(partitions)
            first = self._consumer.beginning_offsets(partitions)
            self._next_offsets = {each: max(self._next_offsets.get(each, 0), first[each]) for each in partitions}
            for partition, offset in self._next_offsets.items():
                self._consumer.seek(partition, offset)
        return self._consumer


def list_partitions(broker: Broker, topic: str) -> list[TopicPartition]:
    """The partitions of a topic on the cluster. Raises Unavailable if the topic does not exist (yet)."""
    with (
        translate_kafka_errors(f"listing the partitions of {topic}"),
        closing(broker.connect_client(KafkaAdminClient)) as admin,
    ):
        (found,) = admin.describe_topics([topic])
        if found["error_code"] == TopicAuthorizationFailedError.errno:
            raise TopicAuthorizationFailedError(topic)
    if not found["partitions"]:
        raise Unavailable(f"Topic {topic} does not exist on the broker (yet): run the set-up of topics.")
    return [TopicPartition(topic, partition["partition_index"]) for partition in found["partitions"]]

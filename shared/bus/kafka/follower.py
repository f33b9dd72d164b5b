"""The state of a topic on Kafka: read from its beginning, then kept up to date, by a consumer without a group."""

import logging
import time
from collections.abc import Iterator
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from shared.bus import Batch, Update
from shared.bus.kafka.broker import Broker, translate_kafka_errors
from shared.bus.kafka.subscription import message_from_record
from shared.bus.kafka.topic_identity import describe_topic

_FOLLOWER_POLL_MS = 1000

log = logging.getLogger(__name__)


class KafkaFollower:
    """See `shared.bus.Follower`. It connects at the first read and after one that ended early. For one thread.

    The newest message of a key is the last of its partition. Timestamps come from the producers' clocks, which may be
    hours apart, so they only order messages of different partitions. A topic that was made anew is read from its start.
    """

    def __init__(self, broker: Broker, topic: str, name: str) -> None:
        self.broker, self.topic, self.name = broker, topic, name
        self._admin: Any = None
        self._consumer: Any = None
        self._forget_topic(None)

    def read_batches(self) -> Iterator[Batch]:
        """Raises Unavailable."""
        try:
            with translate_kafka_errors(f"reading {self.name}"):
                self._connect_clients()
                yield from self._fetch_batches(self._find_ends())
        except BaseException:  # also one of the reader, which closes this generator: the next read starts anew
            self.close()
            raise

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close(autocommit=False)
            self._consumer = None
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _forget_topic(self, identity: Any) -> None:
        """Start with a topic of this identity, of which nothing is known."""
        self._identity = identity  # its id and its partitions
        self._is_begun = False
        self._next_offsets: dict[TopicPartition, int] = {}
        self._times: dict[int, int] = {}  # by partition: the latest timestamp so far, ms

    def _find_ends(self) -> dict[TopicPartition, int]:
        """The present ends of the partitions. Forgets what was read if the topic is not the one that it was."""
        topic_id, partitions = describe_topic(self._admin, self.topic)
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(partitions)
        shorter = any(offset > ends.get(partition, 0) for partition, offset in self._next_offsets.items())
        if shorter or self._identity != (topic_id, partitions):
            if self._identity is not None:
                log.warning("topic %s was made anew: it is read from its beginning", self.name)
            self._forget_topic((topic_id, partitions))
        if not self._next_offsets or not self._consumer.assignment():
            self._place_consumer(partitions)
        return ends

    def _place_consumer(self, partitions: list[TopicPartition]) -> None:
        self._consumer.assign(partitions)
        first = self._consumer.beginning_offsets(partitions)
        self._next_offsets = {each: max(self._next_offsets.get(each, 0), first[each]) for each in partitions}
        for partition, offset in self._next_offsets.items():
            self._consumer.seek(partition, offset)

    def _fetch_batches(self, ends: dict[TopicPartition, int]) -> Iterator[Batch]:
        """The updates up to `ends`, those of a partition in its order."""
        if not self._is_begun:
            yield Batch(from_start=True, updates=[])
            self._is_begun = True
        consumer, last_answer = self._consumer, time.monotonic()
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            if records := [record for part in consumer.poll(_FOLLOWER_POLL_MS).values() for record in part]:
                times = dict(self._times)
                yield Batch(from_start=False, updates=[self._update_from_record(record, times) for record in records])
                self._times, last_answer = times, time.monotonic()
            elif time.monotonic() - last_answer > self.broker.timeout_seconds:  # the broker went away meanwhile
                raise KafkaTimeoutError(f"no messages within {self.broker.timeout_seconds:g} s")
            self._next_offsets = {partition: consumer.position(partition) for partition in ends}

    def _update_from_record(self, record: Any, times: dict[int, int]) -> Update:
        """The update that a record of the client is. Notes its timestamp in `times`."""
        moment = times[record.partition] = max(record.timestamp, times.get(record.partition, 0))
        message = message_from_record(record, self.name)
        present = None if record.value is None else message  # a tombstone removes its key
        return Update(message.key, present, (moment, record.partition, record.offset))

    def _connect_clients(self) -> None:
        if self._consumer is None:
            self._admin = self.broker.connect_client(KafkaAdminClient)
            self._consumer = self.broker.connect_client(
                KafkaConsumer,
                group_id=None,
                auto_offset_reset="earliest",  # continue at the first message that has not expired
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )

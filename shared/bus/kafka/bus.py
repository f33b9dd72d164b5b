"""`KafkaBus`: the bus of a deployment, over any Kafka cluster."""

import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import OffsetSpec

from shared.bus import GroupProgress, Message
from shared.bus.kafka.broker import Broker, broker_from, translate_kafka_errors
from shared.bus.kafka.follower import KafkaFollower
from shared.bus.kafka.subscription import KafkaSubscription
from shared.bus.kafka.topic_identity import find_commits
from shared.bus.kafka.watchdog import Watchdog
from shared.bus.present_keys import PresentKeys
from shared.bus.topics import TOPICS, Topic
from shared.errors import Unavailable


class KafkaBus:
    """Bus over the cluster `broker`. Open it once per process. `shared.bus.kafka.create_topics` creates the topics.

    `prefix` precedes the names of topics and groups, so that several deployments can share a cluster. A member without
    a heartbeat for `session_seconds` loses its partitions. Its loop polls all the time. So `poll_interval_seconds` does
    not limit work, only the delay of a rebalance by a stuck member.
    """

    def __init__(
        self,
        broker: Broker | str,
        topics: Mapping[str, Topic] = TOPICS,
        *,
        prefix: str = "",
        session_seconds: float = 45,
        poll_interval_seconds: float = 60,
        watchdog: Callable[[], Watchdog] = lambda: Watchdog(120),
    ) -> None:
        self.broker, self.topics, self.prefix = broker_from(broker), topics, prefix
        self.session_seconds, self.poll_interval_seconds = session_seconds, poll_interval_seconds
        self._watchdog = watchdog
        self._lock = threading.Lock()
        self._producer: Any = None
        self._subscriptions: list[KafkaSubscription] = []

    def publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str] | None = None) -> None:
        """Raises BadData if the message is too large. After Unavailable it may have arrived or not: send it again."""
        encoded = [(name, text.encode()) for name, text in (headers or {}).items()]
        name = self._prefixed_topic(topic)
        producer = None
        try:
            with translate_kafka_errors(f"publishing to {topic}"):
                producer = self._open_producer()
                sent = producer.send(name, key=key.encode(), value=value, headers=encoded)
                sent.get(timeout=3 * self.broker.timeout_seconds)
        except Unavailable:
            self._drop_producer(producer)
            raise

    def subscribe(self, topic: str, group: str) -> KafkaSubscription:
        member = KafkaSubscription(
            self.broker,
            self._prefixed_topic(topic),
            self.prefix + group,
            name=topic,
            session_seconds=self.session_seconds,
            poll_interval_seconds=self.poll_interval_seconds,
            watchdog=self._watchdog(),
        )
        self._subscriptions.append(member)
        return member

    def read_newest(self, topic: str) -> dict[str, Message]:
        with closing(self.follow(topic)) as follower:
            newest = {update.key: update for batch in follower.read_batches() for update in batch.updates}
        by_age = sorted(newest.values(), key=lambda update: update.place)
        return {update.key: update.message for update in by_age if update.message is not None}

    def follow(self, topic: str) -> KafkaFollower:
        return KafkaFollower(self.broker, self._prefixed_topic(topic), topic)

    def erase_messages(self, topic: str, covers: Callable[[str], bool], group: str | None = None) -> int:
        if self.topics[topic].cleanup == "compact":
            with closing(PresentKeys(self.follow(topic))) as present:
                keys = [key for key in present.read_keys() if covers(key)]
            for key in keys:
                self.publish(topic, key, None)
            return len(keys)
        if group is not None:
            self._delete_committed(topic, self.prefix + group)
        return 0

    def _delete_committed(self, topic: str, group: str) -> None:
        """Delete the messages of every partition that the group has committed."""
        with (
            translate_kafka_errors(f"deleting processed messages of {topic}"),
            closing(self.broker.connect_client(KafkaAdminClient)) as admin,
        ):
            commits = find_commits(admin, self._prefixed_topic(topic), group)
            if done := {partition: offset for partition, offset in commits.items() if offset}:
                admin.delete_records(done)

    def group_progress(self, topic: str, group: str) -> GroupProgress:
        """Messages that the broker has deleted count as committed: nobody can read them any more."""
        group = self.prefix + group
        with (
            translate_kafka_errors(f"reading the progress of {group} on {topic}"),
            closing(self.broker.connect_client(KafkaAdminClient)) as admin,
        ):
            commits = find_commits(admin, self._prefixed_topic(topic), group)
            first = admin.list_partition_offsets(dict.fromkeys(commits, OffsetSpec.EARLIEST))
            end = admin.list_partition_offsets(dict.fromkeys(commits, OffsetSpec.LATEST))
        heads = {each: max(offset or 0, first[each].offset) for each, offset in commits.items()}
        return GroupProgress(
            published=sum(end[each].offset for each in commits),
            committed=sum(heads.values()),
            heads={each.partition: head for each, head in heads.items() if head < end[each].offset},
        )

    def close(self) -> None:
        for member in self._subscriptions:
            member.close()
        self._drop_producer(self._producer)

    def _prefixed_topic(self, topic: str) -> str:
        return self.prefix + self.topics[topic].name

    def _open_producer(self) -> Any:
        with self._lock:
            if self._producer is None:
                wait = int(self.broker.timeout_seconds * 1000)
                self._producer = self.broker.connect_client(
                    KafkaProducer,
                    acks="all",
                    enable_idempotence=True,
                    max_block_ms=wait,
                    delivery_timeout_ms=2 * wait,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
            return self._producer

    def _drop_producer(self, producer: Any) -> None:
        """Close the producer after an error: unsent messages of an idempotent producer may block it for ever."""
        with self._lock:
            if producer is None or producer is not self._producer:
                return
            self._producer = None
        with suppress(Exception):  # it is not used any more
            producer.close(timeout=1)

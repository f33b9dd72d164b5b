"""`KafkaBus`: the bus of a deployment, over any Kafka cluster."""

import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import OffsetSpec

from shared.bus import GroupProgress, Message
from shared.bus.kafka.broker import Broker, broker_from, translate_kafka_errors
from shared.bus.kafka.follower import KafkaFollower, list_partitions
from shared.bus.kafka.subscription import KafkaSubscription
from shared.bus.kafka.watchdog import Watchdog
from shared.bus.topics import TOPICS, Topic
from shared.errors import Unavailable


class KafkaBus:
    """Bus over the cluster `broker`; open it once per process. The topics exist: see `shared.bus.kafka.create_topics`.

    `prefix` goes before the names of topics and groups, so that several deployments can share a cluster. A member that
    is silent for `session_seconds` loses its partitions. Its loop polls all the time, so `poll_interval_seconds` is no
    limit on work, only on how long a stuck member holds up a rebalance.
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
        """Raises Unavailable (nothing is known about the message: send it again) or BadData (too large)."""
        packed = [(name, text.encode()) for name, text in (headers or {}).items()]
        name = self._prefixed_topic(topic)
        producer = None
        try:
            with translate_kafka_errors(f"publishing to {topic}"):
                producer = self._open_producer()
                sent = producer.send(name, key=key.encode(), value=value, headers=packed)
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
            return dict(follower.read_newest())

    def follow(self, topic: str) -> KafkaFollower:
        return KafkaFollower(self.broker, self._prefixed_topic(topic), topic)

    def group_progress(self, topic: str, group: str) -> GroupProgress:
        """What the broker has deleted since counts as committed: nobody can read it any more."""
        places, group = list_partitions(self.broker, self._prefixed_topic(topic)), self.prefix + group
        with (
            translate_kafka_errors(f"asking how far {group} is on {topic}"),
            closing(self.broker.connect_client(KafkaAdminClient)) as admin,
        ):
            first = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
            end = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            commits = admin.list_group_offsets({group: places})[group]
        done = {place: commits[place].offset if place in commits else -1 for place in places}
        return GroupProgress(
            published=sum(end[place].offset for place in places),
            committed=sum(max(done[place], first[place].offset) for place in places),
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
        """After trouble a new one is made: what an idempotent producer still owes may bar its way."""
        with self._lock:
            if producer is None or producer is not self._producer:
                return
            self._producer = None
        with suppress(Exception):  # it is given up either way
            producer.close(timeout=1)

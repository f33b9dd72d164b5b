"""The Kafka bus keeps the contract, on a real broker."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from bus_contract import WAIT_SECONDS, BusContract, PublishDated, view_messages
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource

from shared.bus import Bus, Message
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS
from shared.errors import Unavailable
from shared.topic_views import TopicView


class TestKafkaBus(BusContract):
    most_batches = 3

    @pytest.fixture
    def opener(self, kafka_bootstrap: str) -> Iterator[Callable[[], KafkaBus]]:
        self.bootstrap, self.prefix = kafka_bootstrap, f"{uuid.uuid4().hex[:8]}."
        created = self.create_topic()
        yield lambda: KafkaBus(kafka_bootstrap, prefix=self.prefix, session_seconds=30)
        self.delete_topic(*created)

    def create_topic(self) -> list[str]:
        topics = [TOPICS[self.topic], TOPICS["mer.features"]]
        return ensure_topics(self.bootstrap, topics, prefix=self.prefix)

    def delete_topic(self, *names: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.delete_topics(names)

    @pytest.fixture
    def publish_dated(self, opener: Callable[[], KafkaBus]) -> Iterator[PublishDated]:
        """As on a topic that was made before the broker dated the messages."""
        name = f"{self.prefix}{self.topic}"
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.alter_configs([ConfigResource("TOPIC", name, {"message.timestamp.type": "CreateTime"})])
        with closing(KafkaProducer(bootstrap_servers=self.bootstrap, metrics_enabled=False)) as producer:

            def publish(hours: float, key: str, value: bytes | None) -> None:
                moment = int((time.time() - 3600 * hours) * 1000)
                producer.send(name, value, key.encode(), timestamp_ms=moment).get(WAIT_SECONDS)

            yield publish

    @pytest.mark.parametrize("count", [0, 1, 3, 5], ids=["empty", "shorter", "equally long", "longer"])
    def test_a_view_notices_a_topic_that_was_made_anew(self, bus: Bus, connect, count: int) -> None:
        """As after a broker has lost its volume: nothing of the former topic is left, everything of the new is seen."""
        for number in range(3):
            bus.publish(self.topic, "key", b"old %d" % number)
        with closing(view_messages(connect(), self.topic)) as view:
            assert view.read_newest()["key"].value == b"old 2"
            self.delete_topic(self.prefix + self.topic)
            until(lambda: bool(self.create_topic()))  # the broker deletes in the background
            anew = connect()
            for number in range(count):
                until(lambda number=number: published(anew, self.topic, b"new %d" % number))
            until(lambda: is_readable(view))
            newest = [message.value for message in view.read_newest().values()]
        assert newest == [b"new %d" % number for number in range(count)][-1:]


def is_readable(view: TopicView[Message]) -> bool:
    try:
        view.read_newest()
    except Unavailable:
        return False
    return True


def published(bus: Bus, topic: str, value: bytes) -> bool:
    try:
        bus.publish(topic, "key", value)
    except Unavailable:  # the topic is so new that the broker does not know it everywhere
        return False
    return True


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < deadline

"""The Kafka bus keeps the contract, on a real broker."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from bus_contract import WAIT_SECONDS, BusContract, PublishDated, view_messages
from kafka import KafkaAdminClient, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource

from shared.bus import Bus, Message, PartitionRevoked, Subscription
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
            self.make_topic_anew(connect, count)
            until(lambda: is_readable(view))
            newest = [message.value for message in view.read_newest().values()]
        assert newest == [b"new %d" % number for number in range(count)][-1:]

    def make_topic_anew(self, connect: Callable[[], Bus], count: int) -> None:
        """Delete the topic and make it again, with this number of messages, all in one partition."""
        self.delete_topic(self.prefix + self.topic)
        until(lambda: bool(self.create_topic()))  # the broker deletes in the background
        anew = connect()
        for number in range(count):
            until(lambda number=number: published(anew, self.topic, b"new %d" % number))

    @pytest.mark.parametrize(
        ("count", "with_work"),
        [
            pytest.param(1, False, id="shorter, idle"),
            pytest.param(5, False, id="longer, idle"),
            pytest.param(1, True, id="shorter, in work"),
            # Half a minute: nothing but new metadata shows the change.
            pytest.param(5, True, id="longer, in work", marks=pytest.mark.exhaustive),
        ],
    )
    def test_a_member_reads_a_topic_that_was_made_anew_from_its_beginning(
        self, bus: Bus, connect: Callable[[], Bus], caplog: pytest.LogCaptureFixture, count: int, with_work: bool
    ) -> None:
        """Positions, work in hand and commits are those of another topic. A commit that comes too late does no harm."""
        for number in range(4):
            bus.publish(self.topic, "key", b"old %d" % number)
        member = connect().subscribe(self.topic, "g")
        for _ in range(3):
            member.commit(take(member))
        held = take(member)
        if not with_work:
            member.commit(held)
        self.make_topic_anew(connect, count)
        if with_work:
            with suppress(PartitionRevoked):
                member.commit(held)
        expected, found = {b"new %d" % number for number in range(count)}, set[bytes]()

        def take_everything() -> bool:
            if message := member.take_message(1):
                found.add(message.value)
                with suppress(PartitionRevoked):
                    member.commit(message)
            return found >= expected and bus.group_progress(self.topic, "g").lag == 0

        until(take_everything)
        assert found == expected
        assert any("was made anew" in line for line in caplog.messages)

    def test_a_commit_of_a_topic_that_is_gone_counts_nowhere(self, bus: Bus, connect: Callable[[], Bus]) -> None:
        """As by a member that notices late: nothing is skipped, nothing counts as done, and nothing is erased."""
        self.make_topic_anew(connect, 3)
        taker = connect().subscribe(self.topic, "g")
        partition = taker.take_message(WAIT_SECONDS).partition
        taker.close()
        at = TopicPartition(self.prefix + self.topic, partition)
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.alter_group_offsets(self.prefix + "g", {at: OffsetAndMetadata(2, "topic=another", -1)})
        assert bus.group_progress(self.topic, "g").lag == 3
        bus.erase_messages(self.topic, lambda key: True, "g")
        late = connect().subscribe(self.topic, "g")
        found = []
        for _ in range(3):
            found.append(take(late))
            late.commit(found[-1])
        assert [message.value for message in found] == [b"new 0", b"new 1", b"new 2"]


def take(member: Subscription) -> Message:
    message = member.take_message(WAIT_SECONDS)
    assert message is not None
    return message


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

"""What only a real broker can show of `KafkaBus`, beyond the contract."""

import gc
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove

from shared.bus import Message, PartitionRevoked, Subscription
from shared.bus.kafka.broker import Broker
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS
from shared.errors import BadData, Unavailable
from shared.topic_views import TopicView

# The client leaves the socket of a failed connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
TOPIC = "mer.clips"
PATIENCE_SECONDS = 300


@dataclass
class Place:
    """A topic of one partition, which a group's members can only have one after the other."""

    bootstrap: str
    prefix: str
    opened: list[KafkaBus]

    def bus(self) -> KafkaBus:
        self.opened.append(KafkaBus(self.bootstrap, prefix=self.prefix, session_seconds=30))
        return self.opened[-1]

    def admin(self) -> "closing[KafkaAdminClient]":
        return closing(KafkaAdminClient(bootstrap_servers=self.bootstrap))

    def group(self) -> dict[str, Any]:
        with self.admin() as admin:
            return admin.describe_groups([f"{self.prefix}g"])[f"{self.prefix}g"]

    def settled_members(self) -> int:
        group = self.group()  # asked once: state and members are of the same moment
        return len(group["members"]) if group["group_state"] == "Stable" else 0

    def commits(self) -> dict[int, int]:
        with self.admin() as admin:
            offsets = admin.list_group_offsets([f"{self.prefix}g"])[f"{self.prefix}g"]
        return {place.partition: offset.offset for place, offset in offsets.items()}


@pytest.fixture
def place(kafka_bootstrap: str) -> Iterator[Place]:
    place = Place(kafka_bootstrap, f"{uuid.uuid4().hex[:8]}.", [])
    created = ensure_topics(kafka_bootstrap, [replace(TOPICS[TOPIC], partitions=1)], prefix=place.prefix)
    yield place
    for bus in place.opened:
        bus.close()
    with place.admin() as admin:
        admin.delete_topics(created)
    gc.collect()


def test_work_in_hand_survives_that_others_join(place: Place) -> None:
    """Cooperative: a partition that stays is not taken away for the time of the rebalance."""
    bus = place.bus()
    bus.publish(TOPIC, "k", b"v")
    holder = bus.subscribe(TOPIC, "g")
    taken = take(holder)
    joined = place.bus().subscribe(TOPIC, "g")
    until(lambda: place.settled_members() == 2)
    assert joined.take_message(0.5) is None
    assert holder.owns_message(taken)
    holder.commit(taken)
    assert place.commits() == {0: 1}


def test_a_partition_that_went_and_came_back_is_not_the_same(place: Place) -> None:
    bus = place.bus()
    bus.publish(TOPIC, "k", b"v")
    member = bus.subscribe(TOPIC, "g")
    stale = take(member)
    expel_everybody(place)
    with pytest.raises(PartitionRevoked):
        member.commit(stale)
    assert not member.owns_message(stale)
    again = take(member)
    assert again == stale
    with pytest.raises(PartitionRevoked):
        member.commit(replace(stale, offset=7))
    member.commit(again)
    assert place.commits() == {0: 1}


def test_work_in_hand_is_dropped_as_soon_as_membership_is_lost(place: Place) -> None:
    bus = place.bus()
    bus.publish(TOPIC, "k", b"v")
    member = bus.subscribe(TOPIC, "g")
    stale = take(member)
    expel_everybody(place)
    until(lambda: not member.owns_message(stale))


def test_a_commit_is_of_one_message_of_one_partition(place: Place) -> None:
    bus = place.bus()
    for number in range(5):
        bus.publish(TOPIC, "k", b"%d" % number)
    member = bus.subscribe(TOPIC, "g")
    for number in range(3):
        message = take(member)
        assert message.offset == number
        member.commit(message)
        assert place.commits() == {0: number + 1}
    assert take(member).offset == 3
    assert place.commits() == {0: 3}


def test_what_was_not_committed_is_given_again_before_anything_else(place: Place) -> None:
    bus = place.bus()
    bus.publish(TOPIC, "k", b"0")
    bus.publish(TOPIC, "k", b"1")
    member = bus.subscribe(TOPIC, "g")
    assert take(member) == take(member)


def test_the_start_is_committed_at_the_first_assignment(place: Place) -> None:
    bus = place.bus()
    bus.publish(TOPIC, "k", b"v")
    bus.subscribe(TOPIC, "g")
    until(lambda: place.commits() == {0: 0})
    assert bus.group_progress(TOPIC, "g").lag == 1


def test_a_message_too_large_is_bad_data_and_the_next_goes_through(place: Place) -> None:
    bus = place.bus()
    with pytest.raises(BadData, match="larger than"):
        bus.publish(TOPIC, "k", bytes(2_000_000))
    bus.publish(TOPIC, "k", b"v")
    assert bus.read_newest(TOPIC)["k"].value == b"v"


def test_without_a_broker_everything_waits_or_says_so() -> None:
    with closing(KafkaBus(Broker("127.0.0.1:1", timeout_seconds=1))) as bus:
        with pytest.raises(Unavailable, match="publishing to mer"):
            bus.publish(TOPIC, "k", b"v")
        with pytest.raises(Unavailable):
            bus.read_newest(TOPIC)
        assert bus.subscribe(TOPIC, "g").take_message(0.1) is None
    gc.collect()


def test_a_follower_does_not_wait_for_ever(place: Place) -> None:
    """As when the broker goes away between telling where a topic ends and giving its messages."""
    promises: list[int] = []

    class PromisingBroker(Broker):
        """Its topics seem to be longer than they are, by what `promises` holds."""

        def connect_client(self, client_class: Any, **options: Any) -> Any:
            client = super().connect_client(client_class, **options)
            if client_class is KafkaConsumer:
                ends = client.end_offsets
                client.end_offsets = lambda places: {each: end + sum(promises) for each, end in ends(places).items()}
            return client

    place.opened.append(KafkaBus(PromisingBroker(place.bootstrap, timeout_seconds=8), prefix=place.prefix))
    (bus,) = place.opened
    bus.publish(TOPIC, "k", b"v")
    with closing(bus.follow(TOPIC)) as follower:
        view = TopicView(follower, lambda message: message)
        assert view.read_newest()["k"].value == b"v"
        promises.append(1)
        with pytest.raises(Unavailable, match="8 s"):
            view.read_newest()
        promises.clear()
        assert view.read_newest()["k"].value == b"v"


def test_a_topic_that_is_not_there_yet_is_unavailable(place: Place) -> None:
    with closing(KafkaBus(Broker(place.bootstrap, timeout_seconds=1), prefix=f"{place.prefix}none.")) as bus:
        with pytest.raises(Unavailable):
            bus.publish(TOPIC, "k", b"v")
        with pytest.raises(Unavailable, match="set-up"):
            bus.group_progress(TOPIC, "g")


def test_topics_are_made_once_and_as_declared(place: Place) -> None:
    topics = [TOPICS[f"mer.{name}"] for name in ("features", "flows", "flow.dlq", "bucket-events")]
    prefix = f"{place.prefix}made."
    made = ensure_topics(place.bootstrap, topics, prefix=prefix)
    assert made == sorted(prefix + topic.name for topic in topics)
    assert ensure_topics(place.bootstrap, topics, prefix=prefix) == []
    with place.admin() as admin:
        for topic in topics:
            (described,) = admin.describe_topics([prefix + topic.name])
            assert len(described["partitions"]) == topic.partitions
            assert log_setting(admin, prefix + topic.name, "cleanup.policy") == topic.cleanup
        assert log_setting(admin, prefix + "mer.flows", "retention.ms") == "-1"
        assert log_setting(admin, prefix + "mer.bucket-events", "retention.ms") == "86400000"
        admin.delete_topics(made)


def test_a_topic_of_an_earlier_version_gets_the_settings_of_this_one(place: Place) -> None:
    prefix = f"{place.prefix}old."
    earlier = replace(TOPICS["mer.bucket-events"], retention_days=None)
    made = ensure_topics(place.bootstrap, [earlier], prefix=prefix, min_insync=1)
    with place.admin() as admin:
        assert log_setting(admin, made[0], "retention.ms") == "-1"
        assert ensure_topics(place.bootstrap, [TOPICS["mer.bucket-events"]], prefix=prefix) == []
        assert log_setting(admin, made[0], "retention.ms") == "86400000"
        admin.delete_topics(made)


def test_a_producer_whose_clock_is_days_ahead_is_heard(place: Place) -> None:
    prefix = f"{place.prefix}ahead."
    made = ensure_topics(place.bootstrap, [TOPICS["mer.flows"], TOPICS["mer.features"]], prefix=prefix)
    in_two_days = int((time.time() + 2 * 86_400) * 1000)
    with closing(KafkaProducer(bootstrap_servers=place.bootstrap)) as producer:
        for topic in made:
            accepted = producer.send(topic, b"v", b"k", timestamp_ms=in_two_days).get(PATIENCE_SECONDS)
            assert accepted.timestamp < in_two_days, "the broker's clock stamps it"
    with place.admin() as admin:
        admin.delete_topics(made)


def log_setting(admin: KafkaAdminClient, topic: str, name: str) -> str:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    configs = admin.describe_configs([resource], config_filter="all")
    return str(next(iter(configs.values()))[topic][name]["value"])


def expel_everybody(place: Place) -> None:
    """As when their sessions ran out: the members are not told."""
    with place.admin() as admin:
        members = [MemberToRemove(member_id=member["member_id"]) for member in place.group()["members"]]
        admin.remove_group_members(f"{place.prefix}g", members)


def take(member: Subscription) -> Message:
    message = member.take_message(PATIENCE_SECONDS)
    assert message is not None
    return message


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)

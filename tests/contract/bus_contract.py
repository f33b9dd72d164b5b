"""What every bus promises. A bus passes by inheriting these tests and giving `connect` and `topic`."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from shared.bus import Batch, Bus, Follower, Message, PartitionRevoked, Subscription, Update
from shared.topic_views import TopicView

PublishDated = Callable[[float, str, bytes | None], None]  # hours, key, value
WAIT_SECONDS = 300.0  # a real broker takes seconds to hand out partitions, on a busy machine more


class BusContract:
    """`opener` opens a connection, each to the same empty topics; `topic` has several partitions."""

    topic = "mer.clips"
    most_batches = 30  # in which 30 messages come that are there

    @pytest.fixture
    def opener(self) -> Callable[[], Bus]:
        raise NotImplementedError

    @pytest.fixture
    def connect(self, opener: Callable[[], Bus]) -> Iterator[Callable[[], Bus]]:
        opened: list[Bus] = []

        def connect() -> Bus:
            opened.append(opener())
            return opened[-1]

        yield connect
        for bus in opened:
            bus.close()

    @pytest.fixture
    def bus(self, connect: Callable[[], Bus]) -> Bus:
        return connect()

    def test_a_message_arrives_as_it_was_sent(self, bus: Bus) -> None:
        bus.publish(self.topic, "kasme/naïve/β", b"\x00\xff value", {"reason": "größer"})
        message = _take(bus.subscribe(self.topic, "g"))
        assert (message.key, message.value) == ("kasme/naïve/β", b"\x00\xff value")
        assert message.headers["reason"] == "größer"

    def test_nothing_waits_on_an_empty_topic(self, bus: Bus) -> None:
        assert bus.subscribe(self.topic, "g").take_message(0.2) is None

    def test_order_holds_within_a_key(self, bus: Bus) -> None:
        for number in range(10):
            bus.publish(self.topic, "one", b"%d" % number)
        assert [m.value for m in _drain(bus.subscribe(self.topic, "g"), 10)] == [b"%d" % n for n in range(10)]

    def test_every_message_once_over_two_members(self, bus: Bus, connect) -> None:
        sent = {f"key{number}": b"%d" % number for number in range(40)}
        for key, value in sent.items():
            bus.publish(self.topic, key, value)
        other = connect()
        members = [bus.subscribe(self.topic, "g"), other.subscribe(self.topic, "g")]
        got: list[Message] = []
        deadline = time.monotonic() + WAIT_SECONDS
        while len(got) < len(sent):
            assert time.monotonic() < deadline, f"{len(got)} of {len(sent)} messages came"
            for member in members:
                if message := member.take_message(0.5):
                    member.commit(message)
                    got.append(message)
        assert sorted(m.key for m in got) == sorted(sent)

    def test_groups_do_not_disturb_each_other(self, bus: Bus) -> None:
        bus.publish(self.topic, "k", b"v")
        assert _drain(bus.subscribe(self.topic, "one"), 1)[0].value == b"v"
        assert _drain(bus.subscribe(self.topic, "two"), 1)[0].value == b"v"

    def test_what_was_not_committed_is_taken_again(self, bus: Bus, connect) -> None:
        bus.publish(self.topic, "k", b"v")
        first = bus.subscribe(self.topic, "g")
        taken = _take(first)
        first.close()
        again = _take(connect().subscribe(self.topic, "g"))
        assert (again.partition, again.offset, again.value) == (taken.partition, taken.offset, b"v")

    def test_what_was_committed_is_not_taken_again(self, bus: Bus, connect) -> None:
        bus.publish(self.topic, "k", b"v")
        first = bus.subscribe(self.topic, "g")
        first.commit(_take(first))
        first.close()
        assert connect().subscribe(self.topic, "g").take_message(1.0) is None

    def test_batches_are_all_messages_in_order_and_a_commit_of_the_last_is_one_of_all(self, bus: Bus, connect) -> None:
        for number in range(30):
            bus.publish(self.topic, "one", b"%d" % number)
        first, batches = bus.subscribe(self.topic, "g"), []
        while sum(map(len, batches)) < 30:
            if batch := first.take_batch(WAIT_SECONDS):
                first.commit(batch[-1])
            batches.append(batch)
        assert [message.value for batch in batches for message in batch] == [b"%d" % n for n in range(30)]
        assert len(batches) <= self.most_batches
        assert first.take_batch(0) == []
        first.close()
        assert connect().subscribe(self.topic, "g").take_message(1.0) is None

    def test_a_message_in_work_is_nobody_elses(self, bus: Bus, connect) -> None:
        bus.publish(self.topic, "k", b"v")
        holder = bus.subscribe(self.topic, "g")
        taken = _take(holder)
        assert connect().subscribe(self.topic, "g").take_message(1.0) is None or not holder.owns_message(taken)

    def test_a_commit_after_the_partition_went_is_refused(self, bus: Bus, connect) -> None:
        bus.publish(self.topic, "k", b"v")
        late = bus.subscribe(self.topic, "g")
        taken = _take(late)
        late.close()
        heir = connect().subscribe(self.topic, "g")
        assert _take(heir).value == b"v"
        assert not late.owns_message(taken)
        with pytest.raises(PartitionRevoked):
            late.commit(taken)

    def test_latest_is_the_newest_of_every_key(self, bus: Bus) -> None:
        for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3")):
            bus.publish(self.topic, key, value)
        assert {key: m.value for key, m in bus.read_newest(self.topic).items()} == {"a": b"3", "b": b"2"}

    def test_a_message_without_value_takes_its_key_away(self, bus: Bus) -> None:
        for key, value in (("a", b"1"), ("b", b"2"), ("a", None)):
            bus.publish(self.topic, key, value)
        assert set(bus.read_newest(self.topic)) == {"b"}

    def test_what_is_erased_is_no_state_and_nothing_else_is_touched(self, bus: Bus) -> None:
        for key, value in (("a/1", b"old"), ("a/1", b"1"), ("a/2", b"2"), ("b", b"3")):
            bus.publish("mer.features", key, value)
        erased = bus.erase_messages("mer.features", lambda key: key.startswith("a/"))
        assert erased >= 2
        assert {key: m.value for key, m in bus.read_newest("mer.features").items()} == {"b": b"3"}
        assert bus.erase_messages("mer.features", lambda key: key.startswith("a/")) == 0
        bus.publish("mer.features", "a/1", b"new")
        assert bus.read_newest("mer.features")["a/1"].value == b"new"

    def test_a_view_sees_what_has_come_since(self, bus: Bus, connect) -> None:
        bus.publish(self.topic, "a", b"1")
        with closing(view_messages(connect(), self.topic)) as view:
            assert {key: m.value for key, m in view.read_newest().items()} == {"a": b"1"}
            bus.publish(self.topic, "b", b"2")
            bus.publish(self.topic, "a", b"3")
            assert {key: m.value for key, m in view.read_newest().items()} == {"a": b"3", "b": b"2"}
            bus.publish(self.topic, "b", None)
            assert set(view.read_newest()) == {"a"}

    def test_a_follower_gives_each_update_once(self, bus: Bus, connect) -> None:
        with closing(connect().follow(self.topic)) as follower:
            assert _read(follower) == (True, []), "an empty topic begins, too"
            assert _read(follower) == (False, [])
            bus.publish(self.topic, "a", b"1")
            from_start, (update,) = _read(follower)
            assert (from_start, update.key, update.message and update.message.value) == (False, "a", b"1")
            bus.publish(self.topic, "a", None)
            from_start, (update,) = _read(follower)
            assert (from_start, update.key, update.message) == (False, "a", None)
            assert _read(follower) == (False, [])
            follower.close()
            bus.publish(self.topic, "b", b"2")
            from_start, (update,) = _read(follower)
            assert (from_start, update.key) == (False, "b"), "it goes on where it was"

    def test_a_read_that_ended_early_is_repeated(self, bus: Bus, connect, publish_dated: PublishDated) -> None:
        for number in range(6):
            publish_dated(6 - number, f"key{number % 4}", b"%d" % number)
        with closing(connect().follow(self.topic)) as follower, closing(connect().follow(self.topic)) as calm:
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    fail_at(follower, lambda batch: batch.from_start)
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    fail_at(follower, lambda batch: bool(batch.updates))
            _, updates = _read(follower)
            assert sorted(updates, key=lambda each: each.place) == sorted(_read(calm)[1], key=lambda each: each.place)
            assert {each.key for each in updates} == {"key0", "key1", "key2", "key3"}
            assert _read(follower) == (False, [])

    @pytest.fixture
    def publish_dated(self, bus: Bus) -> PublishDated:
        """Publishes from a host whose clock is some hours behind. A bus without clocks just publishes."""
        return lambda hours, key, value: bus.publish(self.topic, key, value)

    def test_state_follows_offsets_whatever_the_clocks_say(
        self, bus: Bus, connect, publish_dated: PublishDated
    ) -> None:
        """Two producers, one of them hours behind: a follower that was up, one that starts, and the bus agree."""
        draw = random.Random(7)
        true: dict[str, bytes] = {}
        with closing(view_messages(connect(), self.topic)) as up:
            for number in range(60):
                key, value = f"key{draw.randrange(6)}", draw.choice([b"%d" % number, b"%d" % number, None])
                publish_dated(draw.choice([0, 3, 8]), key, value)
                true.pop(key, None)
                if value is not None:
                    true[key] = value
                if number % 7 == 0:
                    up.read_newest()
            with closing(view_messages(connect(), self.topic)) as restarted:
                read = [up.read_newest(), restarted.read_newest(), bus.read_newest(self.topic)]
        assert [{key: message.value for key, message in each.items()} for each in read] == [true] * 3
        assert len({tuple(each) for each in read}) == 1, "they also agree which key is the newest"

    def test_a_member_says_when_it_has_joined(self, bus: Bus) -> None:
        bus.publish(self.topic, "k", b"v")
        member = bus.subscribe(self.topic, "g")
        _take(member)
        assert member.is_member()
        assert not member.is_stalled()

    def test_depth_counts_what_waits(self, bus: Bus) -> None:
        for number in range(3):
            bus.publish(self.topic, f"k{number}", b"v")
        member = bus.subscribe(self.topic, "g")
        member.commit(_take(member))
        depth = bus.group_progress(self.topic, "g")
        assert (depth.published, depth.committed, depth.lag) == (3, 1, 2)
        assert depth.heads
        for _ in range(2):
            member.commit(_take(member))
        assert bus.group_progress(self.topic, "g").heads == {}

    def test_the_head_of_a_partition_moves_with_its_commits(self, bus: Bus) -> None:
        for _ in range(2):
            bus.publish(self.topic, "one partition", b"v")
        member = bus.subscribe(self.topic, "g")
        first = _take(member)
        assert bus.group_progress(self.topic, "g").heads == {first.partition: 0}
        member.commit(first)
        assert bus.group_progress(self.topic, "g").heads == {first.partition: 1}


def view_messages(bus: Bus, topic: str) -> TopicView[Message]:
    """The newest messages themselves, kept up to date."""
    return TopicView(bus.follow(topic), lambda message: message)


def fail_at(follower: Follower, is_bad: Callable[[Batch], bool]) -> None:
    """Read as somebody who fails at a batch."""
    for batch in follower.read_batches():
        if is_bad(batch):
            raise ZeroDivisionError


def _read(follower: Follower) -> tuple[bool, list[Update]]:
    """Whether one read was from the start, and its updates."""
    batches = list(follower.read_batches())
    assert not any(batch.from_start for batch in batches[1:])
    return any(batch.from_start for batch in batches), [update for batch in batches for update in batch.updates]


def _take(member: Subscription) -> Message:
    message = member.take_message(WAIT_SECONDS)
    assert message is not None
    return message


def _drain(member: Subscription, count: int) -> list[Message]:
    messages = []
    for _ in range(count):
        messages.append(_take(member))
        member.commit(messages[-1])
    return messages

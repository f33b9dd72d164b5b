"""`Bus`: the transport of records between stages. `shared.bus.local` has the embedded one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import MerError


@dataclass(frozen=True)
class Message:
    """One message as received. `partition` and `offset` identify it for the commit."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def position(self) -> str:
        """`topic/partition@offset`."""
        return f"{self.topic}/{self.partition}@{self.offset}"


class PartitionRevoked(MerError):
    """The message's partition no longer belongs to this member. Its work is dropped, another member repeats it."""

    def __init__(self, message: Message) -> None:
        super().__init__(f"{message.position} was given to another member.")


@dataclass(frozen=True)
class GroupProgress:
    """How far a group is on a topic, in messages.

    `heads` has the offset of the first message that is not committed, by partition. Finished partitions have none.
    """

    published: int
    committed: int
    heads: Mapping[int, int] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        """Messages that are not committed."""
        return self.published - self.committed


class Subscription(Protocol):
    """One member of a group on one topic. It has one message at a time, for as long as the work takes."""

    def take_message(self, timeout: float) -> Message | None:
        """The next message that no member of the group has, or None after `timeout` seconds.

        A message that was not committed is delivered again after `close`, to this member or another one.
        """

    def take_batch(self, timeout: float) -> list[Message]:
        """The next messages of one partition in their order, at least one, or none after `timeout` seconds.

        A commit of the last commits all. The caller commits it before it takes more: until then only the last is held.
        """

    def is_member(self) -> bool:
        """Whether it is a member of its group by now, hence able to get messages."""

    def is_stalled(self) -> bool:
        """Whether the loop that keeps it a member has stopped. Then only a restart of the process helps."""

    def owns_message(self, message: Message) -> bool:
        """Whether a commit of `message` would still count."""

    def commit(self, message: Message) -> None:
        """Mark exactly this message as done. Raises PartitionRevoked if its partition went to another member."""

    def close(self) -> None:
        """Leave the group. A message that was not committed is free at once."""


@dataclass(frozen=True)
class Update:
    """A new message of a key, or None for a key that was removed. `place` orders the updates of a topic: a sort key."""

    key: str
    message: Message | None
    place: tuple[int, int, int]


@dataclass(frozen=True)
class Batch:
    """Updates in the order in which they apply. `from_start`: forget all earlier ones, the topic is read anew."""

    from_start: bool
    updates: list[Update]


class Follower(Protocol):
    """Reads the state that a topic holds, and then its changes. It keeps no messages."""

    def read_batches(self) -> Iterator[Batch]:
        """The updates up to now that were not read yet.

        A batch counts as read when its reader asks for the next one. After a read that ended early, the next read
        repeats the last batch.
        """

    def close(self) -> None:
        """Release connections. A later read opens them again."""


class Bus(Protocol):
    """Topics with partitions, keys and groups. Delivery is at least once, and in order within a key."""

    def publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str] | None = None) -> None:
        """Publish a message. Returns when it is durable. None as value removes the key from the topic's state."""

    def subscribe(self, topic: str, group: str) -> Subscription:
        """A new member of `group`. A group without commits starts at the earliest message."""

    def read_newest(self, topic: str) -> dict[str, Message]:
        """The newest message of every key as of now: how state is rebuilt from a compacted topic."""

    def follow(self, topic: str) -> Follower:
        """A follower, which reads the topic once and then only what is new."""

    def erase_messages(self, topic: str, covers: Callable[[str], bool], group: str | None = None) -> int:
        """Erase the messages whose keys `covers` accepts, for good. Returns how many are known to be erased.

        On Kafka, a topic of state erases them when it compacts its log. Any other topic can only lose its beginning:
        everything that `group` has committed.
        """

    def group_progress(self, topic: str, group: str) -> GroupProgress:
        """Messages published on the topic and committed by the group."""

    def close(self) -> None:
        """Close the connection and all subscriptions."""

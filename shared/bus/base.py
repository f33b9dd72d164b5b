"""`Bus`: what carries records between stages. `shared.bus.local` has the embedded one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import MerError


class PartitionRevoked(MerError):
    """The message's partition is no longer this member's: its work is dropped, another member does it again."""


@dataclass(frozen=True)
class Message:
    """One message as taken: `partition` and `offset` say which, for the commit."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupProgress:
    """How far a group is on a topic, in messages."""

    published: int
    committed: int

    @property
    def lag(self) -> int:
        return self.published - self.committed


class Subscription(Protocol):
    """One member of a group on one topic. It has one message at a time: take, work for as long as it takes, commit."""

    def take_message(self, timeout: float) -> Message | None:
        """The next message that no member of the group has, or None after `timeout` seconds.

        A message that was taken and not committed is taken again, by this or another member, after `close`.
        """

    def is_member(self) -> bool:
        """Whether it is a member of its group by now, hence able to get messages."""

    def is_stalled(self) -> bool:
        """Whether what keeps it a member stands still; only a restart of the process mends that."""

    def owns_message(self, message: Message) -> bool:
        """Whether a commit of `message` would still count."""

    def commit(self, message: Message) -> None:
        """Mark exactly this message as done. Raises Revoked if its partition went to another member."""

    def close(self) -> None:
        """Leave the group; what was taken and not committed is free at once."""


class Follower(Protocol):
    """The state that a topic holds, kept up to date."""

    def read_newest(self) -> Mapping[str, Message]:
        """The newest message of every key as of now; costs what has come since the last read."""

    def close(self) -> None: ...


class Bus(Protocol):
    """Topics with partitions, keys and groups: at least once, in order within a key."""

    def publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str] | None = None) -> None:
        """Returns when the message is durable. Without a value it takes its key out of the topic's state."""

    def subscribe(self, topic: str, group: str) -> Subscription:
        """A new member of `group`; a group without commits starts at the earliest message."""

    def read_newest(self, topic: str) -> dict[str, Message]:
        """The newest message of every key, as of now: how state is rebuilt from a compacted topic."""

    def follow(self, topic: str) -> Follower:
        """`latest`, again and again."""

    def group_progress(self, topic: str, group: str) -> GroupProgress:
        """Messages published on the topic and committed by the group."""

    def close(self) -> None:
        """Closes its subscriptions too."""

"""The identity of a topic on Kafka, and commits that carry it. A topic of the same name that is made later is another.

Without it, an offset of a topic that was deleted would count on its successor, and messages would be skipped.
"""

from typing import Any
from uuid import UUID

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import TopicAuthorizationFailedError

from shared.errors import Unavailable

_MARK_PREFIX = "topic="
_NO_TOPIC = str(UUID(int=0))


def describe_topic(admin: Any, topic: str) -> tuple[Any, list[TopicPartition]]:
    """The id of a topic (a UUID), which no other topic ever has, and its partitions.

    Raises Unavailable if the topic does not exist (yet).
    """
    (found,) = admin.describe_topics([topic])
    if found["error_code"] == TopicAuthorizationFailedError.errno:
        raise TopicAuthorizationFailedError(topic)
    if not found["partitions"]:
        raise Unavailable(f"Topic {topic} does not exist on the broker (yet): run the set-up of topics.")
    partitions = sorted(partition["partition_index"] for partition in found["partitions"])
    return found.get("topic_id"), [TopicPartition(topic, partition) for partition in partitions]


def find_commits(admin: Any, topic: str, group: str) -> dict[TopicPartition, int | None]:
    """What the group has committed on each partition of the topic, None where it has no valid commit."""
    topic_id, partitions = describe_topic(admin, topic)
    commits = admin.list_group_offsets({group: partitions})[group]
    return {each: find_valid_offset(commits.get(each), mark_topic(topic_id)) for each in partitions}


def mark_topic(topic_id: Any) -> str:
    """The mark of a topic with this id in the metadata of a commit, or "" if the id is not known."""
    return "" if topic_id is None or str(topic_id) == _NO_TOPIC else f"{_MARK_PREFIX}{topic_id}"


def find_valid_offset(commit: OffsetAndMetadata | None, mark: str) -> int | None:
    """The committed offset. None without a commit, and if it is of another topic than the one with this mark.

    A commit without a mark counts: it is that of an earlier version or of another program.
    """
    if commit is None or commit.offset < 0:
        return None
    is_foreign = mark and (commit.metadata or "").startswith(_MARK_PREFIX) and commit.metadata != mark
    return None if is_foreign else commit.offset

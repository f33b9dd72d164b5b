"""Transport of records between stages: one protocol, embedded in SQLite and on Kafka."""

from shared.bus.base import Bus, Follower, GroupProgress, Message, PartitionRevoked, Subscription

__all__ = ["Bus", "Follower", "GroupProgress", "Message", "PartitionRevoked", "Subscription"]

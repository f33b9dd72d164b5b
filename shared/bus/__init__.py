"""Transport of records between stages: one protocol, embedded in SQLite and on Kafka."""

from shared.bus.base import Batch, Bus, Follower, GroupProgress, Message, PartitionRevoked, Subscription, Update

__all__ = ["Batch", "Bus", "Follower", "GroupProgress", "Message", "PartitionRevoked", "Subscription", "Update"]

"""What carries records between stages: one protocol, embedded in SQLite and on Kafka."""

from shared.bus.base import Bus, Depth, Follower, Message, Revoked, Subscription

__all__ = ["Bus", "Depth", "Follower", "Message", "Revoked", "Subscription"]

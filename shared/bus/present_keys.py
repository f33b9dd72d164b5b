"""The keys of a topic's state, without its messages."""

from collections.abc import Set as AbstractSet

from shared.bus.base import Follower


class PresentKeys:
    """Follows the keys that have a message. There may be one for each clip."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._keys: set[str] = set()

    def read_keys(self) -> AbstractSet[str]:
        """The keys as of now. Raises Unavailable."""
        for batch in self._follower.read_batches():
            if batch.from_start:
                self._keys.clear()
            for update in batch.updates:
                (self._keys.discard if update.message is None else self._keys.add)(update.key)
        return self._keys

    def close(self) -> None:
        """Release the follower. A later read opens it again."""
        self._follower.close()

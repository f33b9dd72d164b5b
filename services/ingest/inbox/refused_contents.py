"""Contents that ended their reader, kept in the store: none is read again, not by another process either."""

from shared.records import json_digest
from shared.store import Store
from shared.worker.child import ChildLimits

REFUSED_PREFIX = "inbox-refused/"


class RefusedContents:
    """Sentences by the identity of a content, such as its etag and size. With other limits it is tried again."""

    def __init__(self, store: Store, limits: ChildLimits) -> None:
        self.store, self._limits = store, [limits.seconds, limits.memory]
        self._keys: set[str] | None = None  # all keys, listed at the first question
        self._sentences: dict[str, str] = {}

    def find_sentence(self, *identity: object) -> str:
        """Why the content is refused, "" if it is not. Raises Unavailable."""
        if self._keys is None:
            self._keys = set(self.store.list_keys(REFUSED_PREFIX))
        key = self._key_of(*identity) if self._keys else ""
        if key in self._keys and key not in self._sentences:
            self._sentences[key] = self.store.get(key).decode()
        return self._sentences.get(key, "")

    def refuse_content(self, sentence: str, *identity: object) -> None:
        key = self._key_of(*identity)
        self.store.put(key, sentence.encode())
        self._keys = {*(self._keys or ()), key}
        self._sentences[key] = sentence

    def _key_of(self, *identity: object) -> str:
        return f"{REFUSED_PREFIX}{json_digest([*identity, *self._limits])[:32]}"

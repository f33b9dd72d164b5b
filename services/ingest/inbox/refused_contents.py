"""Contents that ended their reader, kept in the store: none is read again, not by another process either."""

from shared.records import json_digest, quote_segment
from shared.store import Store
from shared.worker.child import ChildLimits

REFUSED_PREFIX = "inbox-refused/"


class RefusedContents:
    """Sentences by dataset and identity of a content, such as its etag and size. Other limits are another attempt."""

    def __init__(self, store: Store, limits: ChildLimits) -> None:
        self.store, self._limits = store, [limits.seconds, limits.memory]
        self._keys: set[str] | None = None  # all keys, listed at the first question
        self._sentences: dict[str, str] = {}

    def find_sentence(self, dataset: str, *identity: object) -> str:
        """Why the content is refused, "" if it is not. Raises Unavailable."""
        if self._keys is None:
            self._keys = set(self.store.list_keys(REFUSED_PREFIX))
        key = self._key_of(dataset, *identity) if self._keys else ""
        if key in self._keys and key not in self._sentences:
            self._sentences[key] = self.store.get(key).decode()
        return self._sentences.get(key, "")

    def refuse_content(self, sentence: str, dataset: str, *identity: object) -> None:
        key = self._key_of(dataset, *identity)
        self.store.put(key, sentence.encode())
        self._keys = {*(self._keys or ()), key}
        self._sentences[key] = sentence

    def forget_dataset(self, dataset: str) -> None:
        """As `delete_refusals`."""
        delete_refusals(self.store, dataset)
        self._keys, self._sentences = None, {}

    def _key_of(self, dataset: str, *identity: object) -> str:
        return f"{_dataset_prefix(dataset)}{json_digest([*identity, *self._limits])[:32]}"


def delete_refusals(store: Store, dataset: str) -> None:
    """Delete what is noted of a dataset, since the sentences name its files. Its contents may be read again."""
    for key in list(store.list_keys(_dataset_prefix(dataset))):
        store.delete(key)


def _dataset_prefix(dataset: str) -> str:
    return f"{REFUSED_PREFIX}{quote_segment(dataset)}/"

"""The ledger: the published records of a dataset, kept in the artifact store. Only differences from it are work.

It is written after the broker has acknowledged the records. If it is lost or late, records are published again with the
same recipes. This costs time and changes nothing.

While records are published, the clips are appended as parts: objects of their own beside the ledger. The ledger is
written whole once, at the end. So a dataset of any size costs twice the bytes of its ledger.
"""

import logging
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, unquote

from pydantic import Field

from shared.errors import BadData
from shared.records import Envelope, FrozenModel
from shared.store import NotStored, Store

LEDGER_PREFIX = "inbox/"
PARTS_PREFIX = f"{LEDGER_PREFIX}parts/"

log = logging.getLogger(__name__)


class EmittedClip(FrozenModel):
    """The last record of a clip: `fingerprint` of its packed files, digests of its sample and its pipeline."""

    fingerprint: str
    recipe: str
    sample: str
    pipeline: str


class Ledger(Envelope):
    """Clips by the sample's identity. `announced` is the key of the dataset's own record.

    `video_lengths` are those of `VideoLengths`.
    """

    schema_name: Literal["mer.ledger/1"] = Field("mer.ledger/1", alias="schema")
    clips: dict[str, EmittedClip] = Field(default_factory=dict)
    announced: str = ""
    video_lengths: dict[str, int] = Field(default_factory=dict, exclude_if=lambda known: not known)

    def without_publications(self) -> "Ledger":
        """The same clips with their artifacts, none of them published."""
        clips = {identity: clip.model_copy(update={"sample": ""}) for identity, clip in self.clips.items()}
        return self.model_copy(update={"clips": clips, "announced": ""})


def load_ledger(store: Store, dataset: str) -> Ledger:
    """The ledger of a dataset, or an empty one. Parts that a killed process left are joined to it."""
    ledger = _read_ledger(store, dataset, _ledger_key(dataset))
    parts = list(store.list_keys(_parts_prefix(dataset)))
    for key in parts:
        ledger.clips.update(_read_ledger(store, dataset, key).clips)
    if parts:
        save_ledger(store, dataset, ledger)
    return ledger


def append_part(store: Store, dataset: str, number: int, clips: Mapping[str, EmittedClip]) -> None:
    """Store clips that were published since the last part. Numbers count from 0 after each `save_ledger`."""
    store.put(f"{_parts_prefix(dataset)}{number:06d}.json", Ledger(clips=dict(clips)).encode())


def save_ledger(store: Store, dataset: str, ledger: Ledger) -> None:
    """Store the whole ledger, in place of its parts."""
    store.put(_ledger_key(dataset), ledger.encode())
    _delete_parts(store, dataset)


def recorded_datasets(store: Store) -> set[str]:
    """The names of all datasets with a ledger."""
    places = (key.removeprefix(PARTS_PREFIX).removeprefix(LEDGER_PREFIX) for key in store.list_keys(LEDGER_PREFIX))
    return {unquote(place.rpartition("/")[0] or place.removesuffix(".json")) for place in places}


def delete_ledger(store: Store, dataset: str) -> None:
    store.delete(_ledger_key(dataset))
    _delete_parts(store, dataset)


def _read_ledger(store: Store, dataset: str, key: str) -> Ledger:
    try:
        return Ledger.decode(store.get(key))
    except NotStored:
        return Ledger()
    except BadData as fault:
        log.warning("%s counts as empty: %s", key, fault, extra={"mer": {"dataset": dataset}})
        return Ledger()


def _delete_parts(store: Store, dataset: str) -> None:
    """Delete the parts, the oldest first: at any time the newest that are left are the right ones."""
    for key in store.list_keys(_parts_prefix(dataset)):
        store.delete(key)


def _ledger_key(dataset: str) -> str:
    return f"{LEDGER_PREFIX}{quote(dataset, safe='')}.json"


def _parts_prefix(dataset: str) -> str:
    return f"{PARTS_PREFIX}{quote(dataset, safe='')}/"

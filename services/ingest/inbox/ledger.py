"""The ledger: the published records of a dataset, kept in the artifact store. Only differences from it are work.

It is written after the broker has acknowledged the records. If it is lost or late, records are published again with the
same recipes. This costs time and changes nothing.
"""

import logging
from typing import Literal
from urllib.parse import quote, unquote

from pydantic import Field

from shared.errors import BadData
from shared.records import Envelope, FrozenModel
from shared.store import NotStored, Store

LEDGER_PREFIX = "inbox/"

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
    """The ledger of a dataset, or an empty one if none can be read."""
    try:
        return Ledger.decode(store.get(_ledger_key(dataset)))
    except NotStored:
        return Ledger()
    except BadData as fault:
        log.warning("the ledger is replaced by an empty one: %s", fault, extra={"mer": {"dataset": dataset}})
        return Ledger()


def save_ledger(store: Store, dataset: str, ledger: Ledger) -> None:
    store.put(_ledger_key(dataset), ledger.encode())


def recorded_datasets(store: Store) -> set[str]:
    """The names of all datasets with a ledger."""
    return {unquote(key.removeprefix(LEDGER_PREFIX).removesuffix(".json")) for key in store.list_keys(LEDGER_PREFIX)}


def delete_ledger(store: Store, dataset: str) -> None:
    store.delete(_ledger_key(dataset))


def _ledger_key(dataset: str) -> str:
    return f"{LEDGER_PREFIX}{quote(dataset, safe='')}.json"

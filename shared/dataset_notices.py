"""How a dataset is announced: its contents in the store, and a notice on `mer.datasets` that names them by digest.

A notice has the same size for one clip and for 50,000. The order is contents, tombstones of what is replaced, notice.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from shared.bus import Bus, Message
from shared.bus.topics import DATASETS, FEATURES
from shared.errors import BadData
from shared.records import Dataset, Envelope
from shared.store import Store
from shared.topic_views import TopicView

log = logging.getLogger(__name__)

Confirmation = Callable[[], None]  # called right before features are withdrawn. It raises if they must not be any more


class DatasetNotice(Envelope):
    """The message about a dataset. Its key is that of the dataset."""

    schema_name: Literal["mer.dataset-notice/1"] = Field("mer.dataset-notice/1", alias="schema")
    contents: str = Field(pattern="^[0-9a-f]{64}$", description="sha256 of the contents in the store")
    clips: int = Field(ge=0)
    faults: int = Field(ge=0)
    complete: bool
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def contents_key(self) -> str:
        return f"datasets/{self.contents}.json"


def announce_dataset(
    bus: Bus,
    store: Store,
    dataset: Dataset,
    previous: Dataset | None = None,
    confirm: Confirmation = lambda: None,
) -> None:
    """Store the dataset and publish its notice. `previous` is what it replaces under its key.

    Features of replaced versions of its clips are withdrawn, so that `mer.features` does not grow with each upload.
    Those of clips that are missing stay while the dataset has faults: they may come back with a corrected sheet.
    """
    data, notice = _describe_contents(dataset)
    store.put(notice.contents_key, data)
    if previous is not None:
        _withdraw_features(bus, store, previous, confirm, keep=dataset)
    bus.publish(DATASETS.name, dataset.key, notice.encode())
    if previous is not None:
        _delete_contents(store, previous, keep=notice)


def withdraw_dataset(bus: Bus, store: Store, dataset: Dataset, confirm: Confirmation = lambda: None) -> None:
    """Remove a dataset and its features from the topics. Its artifacts stay, and features that another one names.

    The notice is withdrawn after the features: without it, nobody would know what else to withdraw.
    """
    _withdraw_features(bus, store, dataset, confirm)
    bus.publish(DATASETS.name, dataset.key, None)
    _delete_contents(store, dataset)


def dataset_view(bus: Bus, store: Store) -> TopicView[Dataset]:
    """A view of the announced datasets. One whose contents cannot be read is logged and left out."""

    def read_dataset(message: Message) -> Dataset | None:
        try:
            notice = DatasetNotice.decode(message.value)
            data = store.get(notice.contents_key)
            if hashlib.sha256(data).hexdigest() != notice.contents:
                raise BadData(f"{notice.contents_key} was changed after it was written; upload the dataset again.")
            return Dataset.decode(data).model_copy(update={"created": notice.created})
        except BadData as reason:
            log.warning("%s %s: %s", DATASETS.name, message.key, reason)
            return None

    return TopicView(bus.follow(DATASETS.name), read_dataset)


def read_datasets(bus: Bus, store: Store) -> Mapping[str, Dataset]:
    """The announced datasets by key, read once."""
    with closing(dataset_view(bus, store)) as view:
        return view.read_newest()


def _describe_contents(dataset: Dataset) -> tuple[bytes, DatasetNotice]:
    """The bytes in the store, the same for equal datasets at any time, and the notice that names them."""
    data = dataset.model_dump_json(by_alias=True, exclude={"created"}).encode()
    digest = hashlib.sha256(data).hexdigest()
    clips, faults = len(dataset.clips), len(dataset.faults)
    return data, DatasetNotice(
        contents=digest, clips=clips, faults=faults, complete=dataset.complete, created=dataset.created
    )


def _withdraw_features(
    bus: Bus, store: Store, replaced: Dataset, confirm: Confirmation, keep: Dataset | None = None
) -> None:
    kept = keep.clip_keys if keep else {}
    awaited = replaced.clips.keys() - kept.keys() if keep and keep.faults else set()
    stale = {key for identity, key in replaced.clip_keys.items() if identity not in awaited}.difference(kept.values())
    if stale:
        others = [other for other in read_datasets(bus, store).values() if other.key != replaced.key]
        confirm()
        for key in sorted(stale.difference(*(other.clip_keys.values() for other in others))):
            bus.publish(FEATURES.name, key, None)


def _delete_contents(store: Store, replaced: Dataset, keep: DatasetNotice | None = None) -> None:
    _, notice = _describe_contents(replaced)
    if keep is None or notice.contents != keep.contents:
        store.delete(notice.contents_key)

"""What is withdrawn: a dataset, one of its persons, or a video. And the mark that stays of it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from shared.bus import Bus
from shared.bus.topics import IMAGE_STAGES, SPOTTED
from shared.dataset_notices import read_datasets
from shared.records import SOURCE_STAGE, Dataset, Envelope, FrozenModel, Sample, json_digest, quote_segment
from shared.store import NotStored, Store
from shared.topic_views import read_records
from shared.video_records import SpottedVideo

WITHDRAWN_PREFIX = "withdrawn/"


class WithdrawalScope(FrozenModel):
    """The clips of `datasets`, percent-encoded as in keys, or those of one `subject` of them.

    `needed` are clips that another uploaded dataset has under the same identity: they stay.
    """

    name: str
    subject: str | None = None
    video: bool = False
    datasets: frozenset[str]
    needed: frozenset[str] = frozenset()

    def covers(self, key: str) -> bool:
        """Whether a message key, an identity or the name of a video belongs to what is withdrawn."""
        identity = key.partition("@")[0]
        parts = identity.split("/")
        mine = parts[0] in self.datasets and (self.subject is None or parts[1:2] == [quote_segment(self.subject)])
        return mine and identity not in self.needed

    def covers_sample(self, sample: Sample) -> bool:
        return self.covers(sample.identity)

    @property
    def title(self) -> str:
        """What is withdrawn, for sentences."""
        return f"subject {self.subject} of {self.name}" if self.subject else self.name

    @property
    def mark_key(self) -> str:
        return f"{WITHDRAWN_PREFIX}{json_digest([self.name, self.subject, self.video])[:32]}.json"


class WithdrawalMark(Envelope):
    """What stays of a withdrawal: that there was one. Its key is a digest, so it names nobody."""

    schema_name: Literal["mer.withdrawn/1"] = Field("mer.withdrawn/1", alias="schema")
    datasets: tuple[str, ...] = Field(description="first parts of the removed clips' identities")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


def find_scope(bus: Bus, store: Store, name: str, subject: str | None = None) -> WithdrawalScope:
    """The scope of a dataset, by its name in the inbox or in the run's folder, or of one person of it."""
    known = read_datasets(bus, store).values()
    mine = [dataset for dataset in known if dataset.name == name]
    needed = {identity for dataset in known if dataset.name != name for identity in dataset.clips}
    scope = WithdrawalScope(name=name, subject=subject, datasets=_first_parts(mine) | {quote_segment(name)})
    return _with_earlier(store, scope.model_copy(update={"needed": frozenset(needed | _events(bus))}))


def find_video_scope(bus: Bus, store: Store, name: str) -> WithdrawalScope:
    """The scope of a video, by its name in the bucket."""
    needed = {identity for dataset in read_datasets(bus, store).values() for identity in dataset.clips}
    return WithdrawalScope(name=name, video=True, datasets=frozenset({quote_segment(name)}), needed=frozenset(needed))


def read_mark(store: Store, scope: WithdrawalScope) -> WithdrawalMark | None:
    """The mark of an earlier withdrawal of the same."""
    try:
        return WithdrawalMark.decode(store.get(scope.mark_key))
    except NotStored:
        return None


def write_mark(store: Store, scope: WithdrawalScope) -> None:
    """Leave the mark, so that a repetition finds what was published meanwhile."""
    store.put(scope.mark_key, WithdrawalMark(datasets=tuple(sorted(scope.datasets))).encode())


def list_clip_files(store: Store, scope: WithdrawalScope) -> Iterator[str]:
    """Keys of artifacts and manifests of every stage."""
    for dataset in sorted(scope.datasets):
        for stage in (SOURCE_STAGE, *IMAGE_STAGES):
            for key in store.list_keys(f"{stage}/{dataset}/"):
                if scope.covers(key.removeprefix(f"{stage}/").rpartition("/")[0]):
                    yield key


def known_names(bus: Bus, store: Store) -> list[str]:
    return sorted({dataset.name for dataset in read_datasets(bus, store).values()})


def _with_earlier(store: Store, scope: WithdrawalScope) -> WithdrawalScope:
    mark = read_mark(store, scope)
    return scope.model_copy(update={"datasets": scope.datasets | set(mark.datasets)}) if mark else scope


def _first_parts(datasets: Iterable[Dataset]) -> frozenset[str]:
    return frozenset(identity.partition("/")[0] for dataset in datasets for identity in dataset.clips)


def _events(bus: Bus) -> set[str]:
    """The clips of the events of all videos: a video may have the name of a dataset."""
    spotted = read_records(bus, SPOTTED.name, lambda key: SpottedVideo)
    return {identity for video in spotted for identity in video.clips}

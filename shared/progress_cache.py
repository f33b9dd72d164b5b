"""Progress that is measured again only when something has changed, for datasets and videos alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import is_
from typing import Any, Generic, Protocol, TypeVar

from shared.feature_index import FeatureIndex, group_name


class ClipOwner(Protocol):
    """A dataset or a video: something with clips, by the identities of their samples."""

    @property
    def clips(self) -> Mapping[str, str]: ...


C = TypeVar("C", bound=ClipOwner)
P = TypeVar("P")


@dataclass(frozen=True)
class Measurement(Generic[C, P]):
    """A progress, and the objects that it was measured on. `groups` are the groups of features named `group_names`."""

    source: C
    group_names: frozenset[str]
    groups: list[Any]
    failure_sentences: Mapping[str, str]
    progress: P


class ProgressCache(Generic[C, P]):
    """Remembers the progress of each dataset or video.

    The answer is the same object as long as the source, its groups of features and the sentences of dead letters are.
    For several threads: at worst two of them measure the same.
    """

    def __init__(self, measure: Callable[[C, FeatureIndex, Mapping[str, str]], P]) -> None:
        self._measure = measure
        self._last: dict[int, Measurement[C, P]] = {}  # by the id of the source, which a measurement keeps alive

    def find_progress(self, source: C, features: FeatureIndex, failure_sentences: Mapping[str, str]) -> P:
        """The progress of `source`, from features and sentences of dead letters by record key."""
        last = self._last.get(id(source))
        names = last.group_names if last else frozenset(map(group_name, source.clips))
        groups = [features.groups.get(name) for name in names]
        if last and last.failure_sentences is failure_sentences and all(map(is_, groups, last.groups)):
            return last.progress
        progress = self._measure(source, features, failure_sentences)
        self._last[id(source)] = Measurement(source, names, groups, failure_sentences, progress)
        return progress

    def keep_only(self, sources: Iterable[C]) -> None:
        """Forget all others."""
        for stranger in self._last.keys() - set(map(id, sources)):
            self._last.pop(stranger, None)

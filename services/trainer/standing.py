"""How far a dropped dataset is: which of its clips have features of exactly what was dropped, and which never will."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.trainer.followed import SOURCE, source_of
from shared.records import Dataset, Record


@dataclass(frozen=True)
class Standing:
    """`features` sorted by key; how many clips are buried and how many under way; `left_out`: a sentence for each clip
    that is buried or could not be used as it lies."""

    features: tuple[Record, ...]
    left_out: tuple[str, ...]
    buried: int
    waiting: int
    complete: bool

    @property
    def ready(self) -> bool:
        """Nothing more is to be expected, neither of the dataset nor of the stages."""
        return self.complete and not self.waiting


def standing(dataset: Dataset, features: Mapping[str, Record], letters: Mapping[tuple[str, str], str]) -> Standing:
    """`features` by record key; `letters`: sentences by (record key, source artifact).

    Features of another source than the dataset's own are those of an earlier drop: the clip is under way.
    """
    found, buried = [], []
    for identity, recipe in sorted(dataset.clips.items()):
        key, source = f"{identity}@{dataset.pipeline.digest}", f"{SOURCE}/{identity}/{recipe}.npz"
        record = features.get(key)
        if record is not None and source_of(record) == source:
            found.append(record)
        elif (key, source) in letters:
            buried.append(letters[key, source])
    waiting = len(dataset.clips) - len(found) - len(buried)
    return Standing(tuple(found), (*dataset.faults, *buried), len(buried), waiting, dataset.complete)

"""How far a dropped dataset is: which of its clips have features of exactly what was dropped, and which never will."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.records import Dataset, Record
from shared.topic_views import SOURCE, source_artifact_key


@dataclass(frozen=True)
class DatasetProgress:
    """`features` sorted by key; how many clips are buried; `under_way`: identities of clips that are neither;
    `left_out`: a sentence for each clip that is buried or could not be used as it lies."""

    features: tuple[Record, ...]
    left_out: tuple[str, ...]
    buried_count: int
    pending: tuple[str, ...]
    complete: bool

    @property
    def pending_count(self) -> int:
        return len(self.pending)

    @property
    def is_ready(self) -> bool:
        """Nothing more is to be expected, neither of the dataset nor of the stages."""
        return self.complete and not self.pending

    def without_pending(self) -> "DatasetProgress":
        """For who does not want to wait: what is under way is left out, and named."""
        late = tuple(f"{identity}: was under way when the run was asked for." for identity in self.pending)
        return replace(self, left_out=(*self.left_out, *late), pending=(), complete=True)


def measure_progress(
    dataset: Dataset, features: Mapping[str, Record], failure_sentences: Mapping[tuple[str, str], str]
) -> DatasetProgress:
    """`features` by record key; `letters`: sentences by (record key, source artifact).

    Features of another source than the dataset's own are those of an earlier drop: the clip is under way.
    """
    found, buried, under_way = [], [], []
    for identity, recipe in sorted(dataset.clips.items()):
        key, source = f"{identity}@{dataset.pipeline.digest}", f"{SOURCE}/{identity}/{recipe}.npz"
        record = features.get(key)
        if record is not None and source_artifact_key(record) == source:
            found.append(record)
        elif (key, source) in failure_sentences:
            buried.append(failure_sentences[key, source])
        else:
            under_way.append(identity)
    left_out = (*dataset.faults, *buried)
    return DatasetProgress(tuple(found), left_out, len(buried), tuple(under_way), dataset.complete)

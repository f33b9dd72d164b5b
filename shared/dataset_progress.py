"""The progress of an uploaded dataset: which of its clips have features, which are left out, which are pending.

`mer status`, the console, the run starter and `mer run` all count by `measure_progress`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.bus import Bus
from shared.bus.topics import IMAGE_STAGES, TOPIC_BY_GROUP
from shared.feature_index import FeatureIndex, PackedRecords
from shared.records import Dataset


@dataclass(frozen=True)
class DatasetProgress:
    """Every clip of a dataset in one of three states. `features` are sorted by key, and decoded whenever they are read.

    `left_out` has a sentence for each clip that has a fault or became a dead letter. `buried_count` counts the dead
    letters among them. `pending` holds the identities of all other clips.
    """

    features: PackedRecords
    left_out: tuple[str, ...]
    buried_count: int
    pending: tuple[str, ...]
    complete: bool

    @property
    def clip_count(self) -> int:
        """All clips of the dataset: with features, left out, or pending.

        A clip with a fault counts too. A user compares this number with the rows of the coding sheet. Without faulty
        clips, a dataset of which half cannot be read would look finished.
        """
        return len(self.features) + len(self.left_out) + len(self.pending)

    @property
    def pending_count(self) -> int:
        return len(self.pending)

    @property
    def is_ready(self) -> bool:
        """Whether the dataset is complete and no clip is pending."""
        return self.complete and not self.pending

    def lost_sentences(self) -> tuple[str, ...]:
        """A sentence for each pending clip, if `are_stages_idle`: nothing that is in work leads to its features."""
        return tuple(
            f"{identity}: it has neither features nor a dead letter, and nobody works on it."
            for identity in self.pending
        )

    def without_pending(self) -> "DatasetProgress":
        """The same progress with every pending clip left out, for a run that does not wait for them."""
        late = tuple(f"{identity}: was still in work when the run was requested." for identity in self.pending)
        return replace(self, left_out=(*self.left_out, *late), pending=(), complete=True)


def are_stages_idle(bus: Bus, stages: Sequence[str] = IMAGE_STAGES) -> bool:
    """Whether `stages` work on nothing. What was announced to them before, and is pending after that, is lost.

    Each stage is asked twice, since a later stage may have sent a record back to an earlier one. Raises Unavailable.
    """
    asked = [[bus.group_progress(TOPIC_BY_GROUP[stage], stage) for stage in stages] for _ in range(2)]
    return asked[0] == asked[1] and not any(progress.lag for progress in asked[0])


def measure_progress(dataset: Dataset, features: FeatureIndex, failure_sentences: Mapping[str, str]) -> DatasetProgress:
    """The progress of a dataset, from features and sentences of dead letters by record key.

    Features and dead letters count only if they belong to the clip's present source and labels: others are under other
    keys, and the clip is pending. A clip with features and a dead letter has features.
    """
    found, buried, pending = [], [], []
    for identity, key in sorted(dataset.clip_keys.items()):
        if packed := features.find_packed(key):
            found.append(packed)
        elif sentence := failure_sentences.get(key):
            buried.append(sentence)
        else:
            pending.append(identity)
    present, left_out = PackedRecords(found, features.packer), (*dataset.faults, *buried)
    return DatasetProgress(present, left_out, len(buried), tuple(pending), dataset.complete)

"""Evaluation protocols: which clips of which datasets, under which classes, and which clips are tested together.

A protocol states which clips it leaves out and how many it must have. `apply_evaluation_protocol` applies it to the
clips that were found and reports every difference. Protocols that look alike are different tasks: results under
different names are not comparable. The protocols themselves are data: see `catalogue.py` and `label_sets.py`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, Literal, Protocol, TypeVar

from shared.names import alphanumeric_key, spelling_key
from shared.person_names import parse_person_name
from shared.protocols.label_sets import DATASET_NAMES, SAME_PEOPLE, SHEET_COUNTS, DatasetShare, canonical_label

HoldOut = Literal["subject", "dataset"]


class LabelledClip(Protocol):
    """The fields of a clip that a protocol reads, for example those of a `shared.records.Sample`."""

    @property
    def dataset(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def clip(self) -> str: ...
    @property
    def emotion(self) -> str | None: ...


Clip = TypeVar("Clip", bound=LabelledClip)


@dataclass(frozen=True)
class EvaluationProtocol:
    """A named protocol. `labels` is the label set that the clips' emotions must have: "emotion" or "objective".

    `units` are the action units that it scores. () means all that its clips are coded for.
    """

    name: str
    title: str
    shares: tuple[DatasetShare, ...]
    hold_out: HoldOut = "subject"
    labels: str = "emotion"
    remark: str = ""
    units: tuple[int, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the first share. () for a task without classes."""
        return tuple(self.shares[0].classes)

    @property
    def total_clips(self) -> int | None:
        """The number of clips of all shares. None if no source states it."""
        totals = [share.total_clips for share in self.shares]
        return None if None in totals else sum(total or 0 for total in totals)

    def group_of_clip(self, clip: LabelledClip, datasets: Mapping[str, str] | None = None) -> str:
        """The group of a clip: `dataset/subject`, or the dataset. Clips of one group are tested together."""
        key = dataset_key(clip.dataset, datasets) or clip.dataset
        return key if self.hold_out == "dataset" else f"{key}/{clip.subject}"


@dataclass(frozen=True)
class ProtocolSelection(Generic[Clip]):
    """The clips that a protocol keeps, each with its class.

    `left_out` counts the others by reason. `faults` are sentences, none if the data are those of the protocol.
    """

    protocol: EvaluationProtocol
    kept: tuple[tuple[Clip, str], ...]  # clip, class
    left_out: Mapping[str, int]
    faults: tuple[str, ...]
    groups: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


def dataset_key(name: str, datasets: Mapping[str, str] | None = None) -> str | None:
    """The catalogue's short name of a dataset, from its name in records. None for an unknown dataset.

    `datasets` gives the short names of other names: {"lab copy": "casme2"}.
    """
    return datasets[name] if datasets and name in datasets else _find_catalogue_key(name)


@lru_cache(maxsize=1024)  # it is asked for each of up to 750,000 clips
def _find_catalogue_key(name: str) -> str | None:
    return next(
        (
            key
            for key, names in DATASET_NAMES.items()
            if alphanumeric_key(name) in {alphanumeric_key(key), *map(alphanumeric_key, names)}
        ),
        None,
    )


def person_pool(name: str, datasets: Mapping[str, str] | None = None) -> str:
    """The name of the group of people in a dataset. Datasets with equal names here have the same subjects.

    Names are compared without case, punctuation and zeros before numbers.
    """
    key = dataset_key(name, datasets) or alphanumeric_key(spelling_key(name)) or name
    return SAME_PEOPLE.get(key, key)


def apply_evaluation_protocol(
    protocol: EvaluationProtocol, clips: Iterable[Clip], datasets: Mapping[str, str] | None = None
) -> ProtocolSelection[Clip]:
    """Apply a protocol: keep each clip with its class or leave it out, and compare the counts with published ones."""
    shares = {share.dataset: share for share in protocol.shares}
    found: dict[str, list[Clip]] = {share.dataset: [] for share in protocol.shares}
    left_out: Counter[str] = Counter()
    kept: list[tuple[Clip, str]] = []
    for clip in clips:
        key = dataset_key(clip.dataset, datasets)
        if key is None or key not in shares:
            left_out[f"{clip.dataset}: not in this protocol"] += 1
            continue
        found[key].append(clip)
        if reason := shares[key].exclusion_reason(clip.subject, clip.clip, clip.emotion):
            left_out[f"{key}: {reason}"] += 1
        else:
            kept.append((clip, shares[key].class_of_label(clip.emotion)))
    faults = [
        fault
        for share in protocol.shares
        for fault in _describe_count_faults(protocol, share, found[share.dataset], kept, datasets)
    ]
    groups = len({protocol.group_of_clip(clip, datasets) for clip, _ in kept})
    return ProtocolSelection(
        protocol, tuple(kept), dict(left_out), tuple(faults), groups, Counter(name for _, name in kept)
    )


def sheet_version(dataset: str, labels: Iterable[str | None]) -> str:
    """The known version of a dataset's sheet with exactly these labels. '' if there is none."""
    counts = Counter(canonical_label(label) for label in labels)
    return next((name for name, known in SHEET_COUNTS.get(dataset, {}).items() if counts == Counter(known)), "")


def _describe_count_faults(
    protocol: EvaluationProtocol,
    share: DatasetShare,
    found: Sequence[LabelledClip],
    kept: Sequence[tuple[LabelledClip, str]],
    datasets: Mapping[str, str] | None,
) -> list[str]:
    if not found:
        return [f"{protocol.name}: needs {share.dataset}, none of its clips are here."]
    mine = [(clip, name) for clip, name in kept if dataset_key(clip.dataset, datasets) == share.dataset]
    counts = Counter(name for _, name in mine)
    people = len({parse_person_name(clip.subject, clip.dataset) for clip, _ in mine})
    if share.counts and counts != Counter(share.counts):
        got = f"{len(mine)} ({_format_counts(counts)})"
        return [
            f"{protocol.name}: {share.dataset} must give {share.total_clips} clips "
            f"({_format_counts(share.counts)}), got {got}; "
            f"{_describe_sheet_remedy(share, found)}"
        ]
    if share.total_clips is not None and len(mine) != share.total_clips:
        return [
            f"{protocol.name}: {share.dataset} must give {share.total_clips} clips, got {len(mine)}; "
            f"{_describe_sheet_remedy(share, found)}"
        ]
    if share.subjects and people != share.subjects:
        return [
            f"{protocol.name}: {share.dataset} must give {share.subjects} subjects, got {people}; check the subjects."
        ]
    return []


def _describe_sheet_remedy(share: DatasetShare, found: Sequence[LabelledClip]) -> str:
    version = sheet_version(share.dataset, [clip.emotion for clip in found])
    remedy = f"use {share.sheet}" if share.sheet else "complete the dataset"
    if version and version != share.sheet:
        return f"this is {version}: {remedy}, or report under another name."
    return f"clips are missing or another version of the sheet was read: {remedy}, or report under another name."


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"

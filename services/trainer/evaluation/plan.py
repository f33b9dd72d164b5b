"""The plan of a run's evaluation: its folds, its seeds, and the gaps in its folds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from services.trainer.data.features import Features
from shared.clip_notes import summarise_notes
from shared.training.clip_selection import ClipSelection
from shared.training.protocol import LOSO_PROTOCOL, FoldSplit, ProtocolSettings, protocol_folds

OTHER_COUNTS_REMARK = " (NOT with the published counts)"


@dataclass(frozen=True)
class EvaluationPlan:
    """Features with the protocol and the number of seeds that they are evaluated with.

    `notes`: remarks on the data. `apexes`: number of clips by kind of apex, empty if that is unknown.
    """

    features: Features
    protocol: ProtocolSettings = LOSO_PROTOCOL
    seeds: int = 1
    selection: ClipSelection | None = None
    notes: tuple[str, ...] = ()
    apexes: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def folds(self) -> list[FoldSplit]:
        """The folds of the protocol. Raises BadData as `protocol_folds` does."""
        return protocol_folds(self.protocol, self.features.subjects, self.features.emotions, self.seeds)

    @cached_property
    def report_fields(self) -> dict[str, Any]:
        """The plan for a report, as plain values."""
        features, task = self.features, self.protocol.named_protocol
        counts = np.bincount(features.emotions, minlength=len(features.classes)).tolist()
        differs = self.selection.faults if self.selection else ()
        return {
            "name": self.protocol.name,
            "title": self.protocol.title + (OTHER_COUNTS_REMARK if differs else ""),
            "hold_out": self.protocol.hold_out,
            "groups": len({self.protocol.group_key(subject) for subject in features.subjects.tolist()}),
            "folds": len(self.folds),
            "classes": list(features.classes),
            "counts": dict(zip(features.classes, counts, strict=True)),
            "left_out": dict(self.selection.left_out) if self.selection else {},
            "faults": [
                *differs,
                *summarise_notes(self.notes),
                *describe_distinct_people(self),
                *describe_au_coding(features),
                *describe_fold_gaps(self),
            ],
            "remark": task.remark if task else "",
            "settings": self.protocol.model_dump(mode="json"),
        }


def describe_distinct_people(evaluation: EvaluationPlan) -> list[str]:
    """A sentence on names that only the run's setting `distinct` makes different people."""
    alike = evaluation.protocol.find_same_people(set(evaluation.features.subjects.tolist()))
    named = "; ".join(map(" and ".join, alike))
    return [f"The run states that names that are spelled alike are different people: {named}."] if alike else []


def describe_au_coding(features: Features) -> list[str]:
    """A sentence on the clips that were not coded for action units, if there are some."""
    uncoded = Counter(features.dataset_names[~features.au_coded].tolist())
    if not uncoded:
        return []
    if not features.au_coded.any():
        return ["No clip was coded for action units, so there are no AU figures."]
    others = ", ".join(f"{name} {count}" for name, count in sorted(uncoded.items()))
    return [
        f"AU figures are of the {int(features.au_coded.sum())} of {len(features)} clips that were coded for action "
        f"units. The others ({others}) train and test emotions alone."
    ]


def describe_fold_gaps(evaluation: EvaluationPlan) -> list[str]:
    """One sentence for each gap in the folds that limits every learner's figures."""
    features = evaluation.features
    alone = _single_group_classes(evaluation)
    sentences = [
        f"Class {features.classes[label]}: all of its clips are of {group}, so it is never trained on when it is "
        "tested; its recall says nothing."
        for label, group in alone.items()
    ]
    for fold in evaluation.folds:
        sentences += _describe_missing_labels(features, fold, alone)
    tested = np.unique(features.subjects[np.concatenate([fold.test for fold in evaluation.folds])])
    if len(tested) == 1:
        sentences.append(f"Only {tested[0]} is tested: intervals over subjects say nothing.")
    return sentences


def _single_group_classes(evaluation: EvaluationPlan) -> Mapping[int, str]:
    """The group of each class that only one group shows."""
    groups = np.array([evaluation.protocol.group_key(subject) for subject in evaluation.features.subjects.tolist()])
    shown = {
        label: np.unique(groups[evaluation.features.emotions == label])
        for label in _present_classes(evaluation.features)
    }
    return {label: str(names[0]) for label, names in shown.items() if len(names) == 1}


def _describe_missing_labels(features: Features, fold: FoldSplit, single_group_classes: Mapping[int, str]) -> list[str]:
    """A sentence about the classes and AUs that no clip of the fold's training part shows."""
    lacking = [label for label in _present_classes(features) if label not in features.emotions[fold.train]]
    classes = [features.classes[label] for label in lacking if label not in single_group_classes]
    absent = [*(f"class {name}" for name in classes), *_find_missing_units(features, fold)]
    sentences = [f"Fold {fold.held_out}: no clip to train on shows {', '.join(absent)}."] if absent else []
    if features.au_coded.any() and not features.au_coded[fold.train].any():
        sentences.append(
            f"Fold {fold.held_out}: no clip to train on was coded for action units, so none is predicted there."
        )
    return sentences


def _find_missing_units(features: Features, fold: FoldSplit) -> list[str]:
    """The units that some clip shows and none to train on. None where no clip to train on was coded at all."""
    targets = features.au_targets(features.units)
    if not features.au_coded[fold.train].any():
        return []
    shown, learned = targets.any(0).tolist(), targets[fold.train].any(0).tolist()
    return [f"AU{unit}" for unit, there, here in zip(features.units, shown, learned, strict=True) if there and not here]


def _present_classes(features: Features) -> Sequence[int]:
    labels: list[int] = np.unique(features.emotions).tolist()
    return labels

"""How a run is evaluated: its folds, the seeds it is trained with, and what a reader must know of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from services.trainer.data.annotations import AUS
from services.trainer.data.features import Features
from services.trainer.evaluation.clip_selection import Taken
from services.trainer.evaluation.protocol import LOSO, Fold, Protocol, folds

OTHER_COUNTS = " (NOT with the published counts)"


@dataclass(frozen=True)
class Evaluation:
    """Of some features. `taken`: what the protocol made of all clips that there were."""

    features: Features
    protocol: Protocol = LOSO
    seeds: int = 1
    taken: Taken | None = None

    @cached_property
    def folds(self) -> list[Fold]:
        """Raises BadData as `protocol.folds` does."""
        return folds(self.protocol, self.features.subjects, self.features.emotions)

    @cached_property
    def told(self) -> dict[str, Any]:
        """What a report says of it, as plain values."""
        features, task = self.features, self.protocol.task
        counts = np.bincount(features.emotions, minlength=len(features.classes)).tolist()
        differs = self.taken.faults if self.taken else ()
        return {
            "name": self.protocol.name,
            "title": self.protocol.title + (OTHER_COUNTS if differs else ""),
            "hold_out": self.protocol.hold_out,
            "groups": len({self.protocol.group(subject) for subject in features.subjects.tolist()}),
            "folds": len(self.folds),
            "classes": list(features.classes),
            "counts": dict(zip(features.classes, counts, strict=True)),
            "left_out": dict(self.taken.left_out) if self.taken else {},
            "faults": [*differs, *doubts(self)],
            "remark": task.remark if task else "",
            "settings": self.protocol.model_dump(mode="json"),
        }


def doubts(evaluation: Evaluation) -> list[str]:
    """One sentence for whatever the folds cannot show, whichever learner is trained."""
    features = evaluation.features
    alone = _alone(evaluation)
    sentences = [
        f"Class {features.classes[label]}: all of its clips are of {group}, so it is never trained on when it is "
        "tested; its recall says nothing."
        for label, group in alone.items()
    ]
    for fold in evaluation.folds:
        sentences += _missing(features, fold, alone)
    tested = np.unique(features.subjects[np.concatenate([fold.test for fold in evaluation.folds])])
    if len(tested) == 1:
        sentences.append(f"Only {tested[0]} is tested: intervals over subjects say nothing.")
    return sentences


def _alone(evaluation: Evaluation) -> Mapping[int, str]:
    """Classes that one held-out group alone shows."""
    groups = np.array([evaluation.protocol.group(subject) for subject in evaluation.features.subjects.tolist()])
    shown = {label: np.unique(groups[evaluation.features.emotions == label]) for label in _present(evaluation.features)}
    return {label: str(names[0]) for label, names in shown.items() if len(names) == 1}


def _missing(features: Features, fold: Fold, alone: Mapping[int, str]) -> list[str]:
    """What there is nothing to learn of in the training part of a fold."""
    lacking = [label for label in _present(features) if label not in features.emotions[fold.train]]
    classes = [features.classes[label] for label in lacking if label not in alone]
    coded, learned = features.aus.sum(0).tolist(), features.aus[fold.train].sum(0).tolist()
    units = [f"AU{unit}" for unit, there, here in zip(AUS, coded, learned, strict=True) if there and not here]
    absent = [*(f"class {name}" for name in classes), *units]
    return [f"Fold {fold.held_out}: no clip to train on shows {', '.join(absent)}."] if absent else []


def _present(features: Features) -> Sequence[int]:
    labels: list[int] = np.unique(features.emotions).tolist()
    return labels

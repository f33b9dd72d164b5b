"""From annotations to targets: nine action units, and the index of an emotion among the named classes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.protocols import LabelledClip
from shared.records import ActionUnit

AUS = (1, 2, 4, 10, 12, 14, 15, 17, 25)  # the paper's
AU_COUNT = len(AUS)
BROW_AU_COUNT = 3  # the first three belong to the brows, the others to the mouth


class AnnotatedClip(LabelledClip, Protocol):
    """The fields of a `shared.records.Sample` that the trainer reads."""

    @property
    def aus(self) -> tuple[ActionUnit, ...]: ...


def subject_id(sample: AnnotatedClip) -> str:
    """`dataset/subject`: subject 1 of one dataset is another person than subject 1 of another dataset."""
    return f"{sample.dataset}/{sample.subject}"


def clip_id(sample: AnnotatedClip) -> str:
    """`dataset/subject/clip`."""
    return f"{subject_id(sample)}/{sample.clip}"


def au_vector(aus: Iterable[ActionUnit]) -> NDArray[np.uint8]:
    """[9] 0 or 1 in the order of AUS. Side and intensity are ignored."""
    coded = {au.number for au in aus}
    return np.array([unit in coded for unit in AUS], np.uint8)


def emotion_classes(samples: Sequence[AnnotatedClip], requested: Sequence[str] | None) -> tuple[str, ...]:
    """The requested classes in their order, or all emotions that occur, sorted.

    Raises BadData for a clip without an emotion, a repeated class, a class without a clip, and fewer than two classes.
    """
    found = Counter(_require_emotion(sample) for sample in samples)
    classes = tuple(requested) if requested is not None else tuple(sorted(found))
    known = ", ".join(f"{emotion} ({count})" for emotion, count in sorted(found.items()))
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise BadData(
            f"Expected at least 2 different emotion classes, got {list(classes)}. The clips show {known}: name two or "
            "more of these, each once."
        )
    if missing := [emotion for emotion in classes if emotion not in found]:
        raise BadData(f"No clip shows {', '.join(missing)}. The clips show {known}: choose classes among these.")
    return classes


def _require_emotion(sample: AnnotatedClip) -> str:
    if not sample.emotion:
        raise BadData(
            f"{clip_id(sample)}: expected an emotion, got none. Add it to the coding sheet or leave the clip out."
        )
    return sample.emotion

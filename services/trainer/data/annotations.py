"""From annotations to targets: nine action units and an emotion's place among named classes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.protocols import LabelledClip
from shared.records import ActionUnit

AUS = (1, 2, 4, 10, 12, 14, 15, 17, 25)  # the paper's; the first three belong to the brows, the others to the mouth


class AnnotatedClip(LabelledClip, Protocol):
    """What the trainer reads of a `shared.records.Sample`."""

    @property
    def aus(self) -> tuple[ActionUnit, ...]: ...


def subject_id(sample: AnnotatedClip) -> str:
    """`dataset/subject`: subject 1 of one dataset is not subject 1 of another."""
    return f"{sample.dataset}/{sample.subject}"


def clip_id(sample: AnnotatedClip) -> str:
    """`dataset/subject/clip`."""
    return f"{subject_id(sample)}/{sample.clip}"


def au_vector(aus: Iterable[ActionUnit], labels: Literal["coded", "zero"] = "coded") -> NDArray[np.uint8]:
    """[9] 0/1 in the order of AUS; side and intensity play no part. "zero" is what the paper's code trained on: it
    compared text with numbers, so that no unit ever matched."""
    coded = {au.number for au in aus} if labels == "coded" else set()
    return np.array([unit in coded for unit in AUS], np.uint8)


def emotion_classes(samples: Sequence[AnnotatedClip], requested: Sequence[str] | None) -> tuple[str, ...]:
    """The chosen classes in their order, or all that occur, sorted. Raises BadData for a clip without an emotion,
    a class chosen twice or without a clip, and fewer than two classes."""
    found = Counter(_require_emotion(sample) for sample in samples)
    classes = tuple(requested) if requested is not None else tuple(sorted(found))
    known = ", ".join(f"{emotion} ({count})" for emotion, count in sorted(found.items()))
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise BadData(f"Expected at least 2 different emotion classes, got {list(classes)}; the clips show: {known}.")
    if missing := [emotion for emotion in classes if emotion not in found]:
        raise BadData(f"No clip shows {', '.join(missing)}; the clips show: {known}. Choose classes among these.")
    return classes


def _require_emotion(sample: AnnotatedClip) -> str:
    if not sample.emotion:
        raise BadData(
            f"{clip_id(sample)}: expected an emotion, got none; add it to the coding sheet or leave the clip out."
        )
    return sample.emotion

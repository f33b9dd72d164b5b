"""From annotations to targets: action units, and the index of an emotion among the named classes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.protocols import LabelledClip
from shared.records import ActionUnit

PAPER_UNITS = (1, 2, 4, 10, 12, 14, 15, 17, 25)  # those of FMER
# Codes of FACS from 50 on are movements of head and eyes, visibility and behaviour: no unit of the face. 0 is neutral.
LAST_FACIAL_UNIT = 46
BROW_UNITS = frozenset({1, 2, 4})
# Of eyes, cheeks and nose, between the brows and the mouth: lids, cheek raiser, nose wrinkler, nasolabial furrow,
# nostrils, eye closure. All other units are of mouth, chin and jaw.
MIDDLE_UNITS = frozenset({5, 6, 7, 9, 11, 38, 39, 41, 42, 43, 44, 45, 46})
LEAST_SUBJECTS_OF_UNIT = 2  # a unit of one person is in no training part when it is tested
# One or two clips decide the F1 of a rarer unit, which then counts in the mean as much as that of a frequent one.
LEAST_CLIPS_OF_UNIT, LEAST_SHARE_OF_UNIT = 10, 0.05  # the share counts where it is fewer clips: small datasets

AU_THRESHOLD = 0.5  # an AU counts as predicted from this probability on


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


def au_vector(aus: Iterable[ActionUnit], units: Sequence[int]) -> NDArray[np.uint8]:
    """[K] 0 or 1 in the order of the K `units`. Side and intensity are ignored."""
    coded = {au.number for au in aus}
    return np.array([unit in coded for unit in units], np.uint8)


def units_of_clips(samples: Iterable[AnnotatedClip]) -> tuple[int, ...]:
    """The units to predict where the protocol names none: those of the face that two subjects or more show, in ten
    clips or in a twentieth of the coded clips."""
    shown_by: dict[int, list[str]] = defaultdict(list)
    coded = [sample for sample in samples if sample.aus]
    for sample in coded:
        for unit in facial_units([sample]):
            shown_by[unit].append(subject_id(sample))
    least = min(LEAST_CLIPS_OF_UNIT, LEAST_SHARE_OF_UNIT * len(coded))
    return order_units(
        unit
        for unit, subjects in shown_by.items()
        if len(set(subjects)) >= LEAST_SUBJECTS_OF_UNIT and len(subjects) >= least
    )


def facial_units(samples: Iterable[AnnotatedClip]) -> set[int]:
    """The units of the face that clips show."""
    return {au.number for sample in samples for au in sample.aus if 1 <= au.number <= LAST_FACIAL_UNIT}


def order_units(units: Iterable[int]) -> tuple[int, ...]:
    """The units once each, in the order of all arrays: brows, middle of the face, mouth; by number within a region."""
    return tuple(sorted(set(units), key=lambda unit: (_region_rank(unit), unit)))


def count_units_by_region(units: Iterable[int]) -> tuple[int, int, int]:
    """How many of the units belong to the brows, the middle of the face, the mouth."""
    ranks = Counter(map(_region_rank, set(units)))
    return ranks[0], ranks[1], ranks[2]


def _region_rank(unit: int) -> int:
    """0 for a unit of the brows, 1 of the middle of the face, 2 of the mouth."""
    return 0 if unit in BROW_UNITS else 1 if unit in MIDDLE_UNITS else 2


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

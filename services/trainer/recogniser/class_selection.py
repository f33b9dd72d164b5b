"""Labels of clips and answers of models as the three classes of MEGC2019, and what MEGC2019 leaves out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.trainer.recogniser.labels import NO_CLASS, THREE_CLASSES
from services.trainer.recogniser.recognition import most_probable
from services.trainer.sources.sample_rows import SampleRow
from shared.errors import BadData
from shared.protocols import catalogue, dataset_key
from shared.protocols.label_sets import DatasetShare, canonical_label

ANY_DATASET = DatasetShare("", {name: (name, *catalogue.THREE_CLASSES[name]) for name in THREE_CLASSES})
COMPOSITE_SHARES = {share.dataset: share for share in catalogue.protocol_by_name("megc2019").shares}
LABELS_LEFT_OUT = ("others",)  # as MEGC2019 does: clips of no certain emotion


@dataclass(frozen=True)
class ClassSelection:
    """The rows to score with their classes, and the others by reason."""

    rows: tuple[int, ...]
    classes: tuple[str, ...]
    left_out: Mapping[str, int]


def select_three_classes(rows: Sequence[SampleRow], table: str) -> ClassSelection:
    """The class of each row as MEGC2019 gives it, by dataset. Raises BadData for labels of no class, and for no row."""
    left_out: Counter[str] = Counter()
    unknown: dict[str, str] = {}
    kept: list[tuple[int, str]] = []
    for number, row in enumerate(rows):
        label, expected = canonical_label(row.emotion), ANY_DATASET.class_of_label(row.emotion)
        if not expected and label not in LABELS_LEFT_OUT:
            unknown.setdefault(label, row.location)
        elif reason := _exclusion_reason(row, label):
            left_out[f"{row.dataset}: {reason}"] += 1
        else:
            kept.append((number, expected))
    if unknown:
        named = ", ".join(f"{label!r} ({location})" for label, location in unknown.items())
        known = "; ".join(f"{name}: {', '.join(labels)}" for name, labels in ANY_DATASET.classes.items())
        raise BadData(
            f"{table}: expected labels of MEGC2019's classes ({known}), got {named}. Correct the labels or write "
            "`others` for clips that shall be left out."
        )
    if not kept:
        raise BadData(f"{table}: expected clips of MEGC2019's three classes, got none of {len(rows)} rows.")
    return ClassSelection(tuple(row for row, _ in kept), tuple(name for _, name in kept), left_out)


def _exclusion_reason(row: SampleRow, label: str) -> str:
    """Why MEGC2019 leaves a clip out. "" if it does not."""
    share = COMPOSITE_SHARES.get(dataset_key(row.dataset) or "", ANY_DATASET)
    if label in THREE_CLASSES:  # the table has classes, not emotions
        share = replace(share, classes=ANY_DATASET.classes)
    return share.exclusion_reason(row.subject, row.clip, row.emotion)


def recognised_class(emotions: Mapping[str, float], model: str) -> str:
    """The most probable of the three classes, from probabilities of these, or of emotions that belong to them.

    Raises BadData if the model has no class of one of the three.
    """
    summed: dict[str, float] = {}
    for emotion, probability in emotions.items():
        if name := ANY_DATASET.class_of_label(emotion):
            summed[name] = summed.get(name, 0.0) + probability
    if missing := [name for name in THREE_CLASSES if name not in summed]:
        raise BadData(
            f"{model}: expected a model whose emotions cover {', '.join(THREE_CLASSES)}, got "
            f"{', '.join(name for name in emotions if name != NO_CLASS)}, without {', '.join(missing)}. Train with "
            "--protocol megc2019."
        )
    return most_probable(summed)

"""How well a recogniser recognises clips with known labels, in the three classes of MEGC2019, without any training.

The classes and the clips that MEGC2019 leaves out are those of `shared.protocols`. A clip is given the most probable of
the three classes: "none" is no answer there.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from services.trainer.data.annotations import subject_id
from services.trainer.evaluation.metrics import score_emotions
from services.trainer.recogniser.geometry import MapGeometry
from services.trainer.recogniser.labels import NO_CLASS, THREE_CLASSES
from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser, most_probable
from services.trainer.sources.sample_rows import SampleRow
from services.trainer.sources.samples_csv import open_table
from shared.errors import BadData
from shared.protocols import catalogue, dataset_key
from shared.protocols.label_sets import DatasetShare, canonical_label
from shared.records import FrozenModel

GeometryChoice = Literal["auto", "aligned", "published"]
ANY_DATASET = DatasetShare("", {name: (name, *catalogue.THREE_CLASSES[name]) for name in THREE_CLASSES})
COMPOSITE_SHARES = {share.dataset: share for share in catalogue.protocol_by_name("megc2019").shares}
LABELS_LEFT_OUT = ("others",)  # as MEGC2019 does: clips of no certain emotion


class RecognitionFigures(FrozenModel):
    """Scores of some clips. `confusion`: a row for each true class, in the order of `classes`; intervals are 95 %."""

    clips: int
    subjects: int
    uf1: float
    uar: float
    accuracy: float
    uf1_interval: tuple[float, float]
    uar_interval: tuple[float, float]
    counts: dict[str, int]
    confusion: tuple[tuple[int, ...], ...]
    confident_share: float
    confident_accuracy: float | None


class ClipRecognition(FrozenModel):
    """One clip: its class, the recognised one, and the probabilities that the model gave."""

    dataset: str
    subject: str
    clip: str
    label: str
    expected: str
    recognised: str
    emotions: dict[str, float]
    action_units: dict[str, float]


class RecognitionEvaluation(FrozenModel):
    """What `mer evaluate` writes. `left_out`: clips by reason. `warnings`: sentences, with the number of clips."""

    schema_name: Literal["mer.recognition-evaluation/1"] = "mer.recognition-evaluation/1"
    model: str
    digest: str
    trained_on: str
    table: str
    classes: tuple[str, ...] = THREE_CLASSES
    geometries: dict[str, int]
    figures: RecognitionFigures
    by_dataset: dict[str, RecognitionFigures]
    left_out: dict[str, int]
    notes: tuple[str, ...]
    warnings: dict[str, int]
    clips: tuple[ClipRecognition, ...]


CONFIDENT = 0.8  # probability from which on `confident_share` counts a clip


@dataclass(frozen=True)
class ClassSelection:
    """The rows to score with their classes, and the others by reason."""

    rows: tuple[int, ...]
    classes: tuple[str, ...]
    left_out: Mapping[str, int]


def evaluate_recogniser(
    recogniser: Recogniser,
    table: Path,
    geometry: GeometryChoice = "auto",
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> RecognitionEvaluation:
    """Recognise every clip of a `samples.csv` and score the answers. `on_clip(done, total)` counts clips.

    geometry: where faces lie in the maps. auto: stretched maps are `published`, those in px `aligned`. Raises BadData
    for an error in the table, a label of no class, and if no clip is left.
    """
    samples = open_table(table)
    chosen = select_three_classes(samples.rows, table.name)
    clips, geometries, warnings = list[ClipRecognition](), Counter[str](), Counter[str]()
    for done, (number, expected) in enumerate(zip(chosen.rows, chosen.classes, strict=True), 1):
        row = samples.rows[number]
        place = choose_geometry(row, geometry)
        found = recogniser.recognise_features(samples.read_arrays(number), subject=subject_id(row), geometry=place)
        clips.append(_describe_clip(row, expected, found))
        geometries[place] += 1
        warnings.update(found.warnings)
        on_clip(done, len(chosen.rows))
    by_dataset = {
        name: score_clips([clip for clip in clips if clip.dataset == name])
        for name in sorted({clip.dataset for clip in clips})
    }
    return RecognitionEvaluation(
        model=recogniser.name,
        digest=recogniser.digest,
        trained_on=recogniser.trained_on,
        table=table.name,
        geometries=dict(geometries),
        figures=score_clips(clips),
        by_dataset=by_dataset,
        left_out=dict(chosen.left_out),
        notes=samples.notes,
        warnings=dict(warnings),
        clips=tuple(clips),
    )


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


def choose_geometry(row: SampleRow, geometry: GeometryChoice) -> MapGeometry:
    """The geometry of a row's maps: the given one, or by the depth of its values."""
    if geometry != "auto":
        return geometry
    return "aligned" if row.depth == "px" else "published"


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


def score_clips(clips: Sequence[ClipRecognition]) -> RecognitionFigures:
    """UF1, UAR and accuracy with 95 % intervals over subjects. UF1 is over the classes that occur or were answered."""
    subjects = [f"{clip.dataset}/{clip.subject}" for clip in clips]
    expected, recognised = [clip.expected for clip in clips], [clip.recognised for clip in clips]
    scores = score_emotions(expected, recognised, subjects)
    sure = [clip for clip in clips if max(_without_none(clip.emotions)) >= CONFIDENT]
    tables = [
        [sum(e == true and r == name for e, r in zip(expected, recognised, strict=True)) for name in THREE_CLASSES]
        for true in THREE_CLASSES
    ]
    return RecognitionFigures(
        clips=len(clips),
        subjects=len(set(subjects)),
        uf1=scores["uf1"],
        uar=scores["uar"],
        accuracy=scores["accuracy"],
        uf1_interval=tuple(scores["interval"]["uf1"]),
        uar_interval=tuple(scores["interval"]["uar"]),
        counts={name: expected.count(name) for name in THREE_CLASSES},
        confusion=tuple(map(tuple, tables)),
        confident_share=len(sure) / len(clips),
        confident_accuracy=sum(clip.expected == clip.recognised for clip in sure) / len(sure) if sure else None,
    )


def _without_none(emotions: Mapping[str, float]) -> list[float]:
    return [value for name, value in emotions.items() if name != NO_CLASS]


def _describe_clip(row: SampleRow, expected: str, found: RecognisedExpression) -> ClipRecognition:
    return ClipRecognition(
        dataset=row.dataset,
        subject=row.subject,
        clip=row.clip,
        label=str(row.emotion),
        expected=expected,
        recognised=recognised_class(found.emotions, "the model"),
        emotions=found.emotions,
        action_units=found.action_units,
    )

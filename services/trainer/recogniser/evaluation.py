"""How well a recogniser recognises clips with known labels, in the three classes of MEGC2019, without any training.

The classes and the clips that MEGC2019 leaves out are those of `shared.protocols`. A clip is given the most probable of
the three classes: "none" is no answer there.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from services.trainer.evaluation.metrics import score_action_units, score_emotions
from services.trainer.recogniser.class_selection import recognised_class, select_three_classes
from services.trainer.recogniser.geometry import MapGeometry
from services.trainer.recogniser.labels import NO_CLASS, THREE_CLASSES
from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser
from services.trainer.sources.sample_rows import SampleRow
from services.trainer.sources.samples_csv import open_table
from shared.records import FrozenModel
from shared.training.annotations import subject_id

GeometryChoice = Literal["auto", "aligned", "published"]


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
    coded_units: tuple[int, ...] | None = None


class UnitRecognition(FrozenModel):
    """Action units of the clips that were coded for them: F1 at probability 0.5. `macro`: their mean."""

    clips: int
    macro: float | None
    f1: dict[str, float | None]
    shown: dict[str, int]


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
    action_units: UnitRecognition | None
    left_out: dict[str, int]
    notes: tuple[str, ...]
    warnings: dict[str, int]
    clips: tuple[ClipRecognition, ...]


CONFIDENT = 0.8  # probability from which on `confident_share` counts a clip


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
        action_units=score_units_of_clips(clips),
        left_out=dict(chosen.left_out),
        notes=samples.notes,
        warnings=dict(warnings),
        clips=tuple(clips),
    )


def choose_geometry(row: SampleRow, geometry: GeometryChoice) -> MapGeometry:
    """The geometry of a row's maps: the given one, or by the depth of its values."""
    if geometry != "auto":
        return geometry
    return "aligned" if row.depth == "px" else "published"


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


def score_units_of_clips(clips: Sequence[ClipRecognition]) -> UnitRecognition | None:
    """F1 of the action units that the model predicts. None if no clip was coded, or if it predicts none."""
    coded = [clip for clip in clips if clip.coded_units is not None and clip.action_units]
    if not coded:
        return None
    units = [int(unit) for unit in coded[0].action_units]
    true = [[unit in (clip.coded_units or ()) for unit in units] for clip in coded]
    found = [[clip.action_units[str(unit)] > 0.5 for unit in units] for clip in coded]
    scores = score_action_units(true, found, units)
    return UnitRecognition(
        clips=len(coded),
        macro=scores["macro"],
        f1={str(row["au"]): row["f1"] for row in scores["units"]},
        shown={str(row["au"]): row["positives"] for row in scores["units"]},
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
        coded_units=tuple(unit.number for unit in row.aus) if row.aus else None,
    )

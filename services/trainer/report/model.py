"""The report as typed values: the schema `mer.report/2` of report.json.

Field order is the order of the keys in report.json. Aliases are its keys where a key is no good Python name.
"""

import json
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.errors import BadData, first_problem

Interval = tuple[float, float]  # lower and upper bound, 95 %


class FigureText(NamedTuple):
    """What readers see of a figure: its title in tables, and its meaning."""

    title: str
    meaning: str


# Every figure of a learner, in the order of all tables. The names are fields of `shared.records.Figures`.
FIGURES = {
    "uf1": FigureText("UF1", "Macro F1"),
    "uar": FigureText("UAR", "Macro recall"),
    "accuracy": FigureText("accuracy", "Accuracy"),
    "au_f1": FigureText("AU F1", "Mean F1 of action units"),
    "au_f1_by_dataset": FigureText("AU F1 by dataset", "Mean over held-out datasets of the mean F1 of action units"),
}


class ReportPart(BaseModel):
    """Immutable. A field that this version does not know is ignored: reports outlive versions."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class EmotionIntervals(ReportPart):
    """Bootstrap intervals over subjects, 95 %."""

    uf1: Interval
    uar: Interval
    accuracy: Interval


EMOTION_FIGURES = tuple(EmotionIntervals.model_fields)  # figures of emotions; the others are of action units


class ClassFigures(ReportPart):
    """One emotion. `samples` counts its clips."""

    class_name: str = Field(alias="class")
    samples: int
    f1: float
    recall: float
    precision: float


class SubjectAccuracy(ReportPart):
    """The share of a subject's clips that were predicted correctly."""

    subject: str
    samples: int
    accuracy: float


class UnitFigures(ReportPart):
    """One action unit: clips that show it, clips for which it was predicted, F1.

    `predicted` is None for a learner that does not predict the unit. `f1` is None also where the unit does not occur:
    then `predicted` counts the clips for which it was predicted wrongly.
    """

    au: int
    positives: int
    predicted: int | None
    f1: float | None


class UnitScores(ReportPart):
    """All action units, on clips that were coded for them and whose fold had such clips to train on.

    `macro` is the mean F1 over `mean_over`: the units that occur and that every learner of the report predicts, if it
    predicts units. None if there are none. `clips` counts the clips. `by_dataset` is the mean of the same figure of
    each held-out dataset, None where no datasets are held out.
    """

    macro: float | None
    units: tuple[UnitFigures, ...]
    mean_over: tuple[int, ...] = ()  # the first reports of the schema have none of the next three
    clips: int | None = None
    by_dataset: float | None = Field(None, exclude_if=lambda value: value is None)


class PooledFigures(ReportPart):
    """The scores of one learner and seed, predictions pooled over all folds. `confusion`: a row per true class."""

    samples: int
    classes: tuple[str, ...]
    uf1: float
    uar: float
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassFigures, ...]
    per_subject: tuple[SubjectAccuracy, ...]
    interval: EmotionIntervals
    aus: UnitScores

    @property
    def au_f1(self) -> float | None:
        """The mean F1 of action units."""
        return self.aus.macro

    @property
    def au_f1_by_dataset(self) -> float | None:
        """The mean over held-out datasets of their mean F1 of action units."""
        return self.aus.by_dataset


class SeedFigures(ReportPart):
    """The figures of one seed."""

    seed: int
    uf1: float
    uar: float
    accuracy: float
    au_f1: float | None
    au_f1_by_dataset: float | None = Field(None, exclude_if=lambda value: value is None)


class Spread(ReportPart):
    """Mean and sample standard deviation over seeds.

    Both are None where a seed has no such figure. `sd` is None for a single seed.
    """

    mean: float | None
    sd: float | None


class FigureSpreads(ReportPart):
    """The spread of every figure over seeds."""

    uf1: Spread
    uar: Spread
    accuracy: Spread
    au_f1: Spread
    au_f1_by_dataset: Spread = Field(Spread(mean=None, sd=None), exclude_if=lambda spread: spread.mean is None)


class PairedDifference(ReportPart):
    """A figure of the model less that of another learner, on the same clips, means over seeds.

    Interval (95 %) and p (two-sided, of no difference) come from a paired bootstrap over subjects.
    """

    difference: float
    interval: Interval
    p: float


class LearnerComparison(ReportPart):
    """The model against another learner. `au_f1` is None unless both predict action units that occur."""

    uf1: PairedDifference
    uar: PairedDifference
    au_f1: PairedDifference | None


class OracleSeedFigures(ReportPart):
    """The oracle's figures of one seed."""

    seed: int
    uf1: float
    uar: float
    accuracy: float


class OracleFigures(ReportPart):
    """What choosing the epoch on the test clips would have given: means over seeds, then each seed."""

    meaning: str
    uf1: float
    uar: float
    accuracy: float
    seeds: tuple[OracleSeedFigures, ...]


class ProtocolSummary(ReportPart):
    """The protocol as it divided the clips. `counts`: clips by class. `faults`: sentences for the reader."""

    name: str
    title: str
    hold_out: str
    groups: int
    folds: int
    classes: tuple[str, ...]
    counts: dict[str, int]
    left_out: dict[str, int]
    faults: tuple[str, ...]
    remark: str
    settings: dict[str, JsonValue]


class DataSummary(ReportPart):
    """The features. `classes` and `aus`: clips by emotion and by scored action unit. `faults`: clips without features.

    `au_clips`: clips that were coded for action units. `other_aus`: clips by unit that is coded and not scored.
    `apexes`: clips by kind of apex, where it is known.
    """

    digest: str
    samples: int
    subjects: int
    datasets: tuple[str, ...]
    classes: dict[str, int]
    left_out: dict[str, int]
    faults: tuple[str, ...]
    factors: tuple[float, ...]
    test_factor: float
    aus: dict[str, int]
    au_clips: int | None = None  # None only in the first reports of the schema
    other_aus: dict[str, int] = Field(default_factory=dict)
    apexes: dict[str, int] = Field(default_factory=dict)


class EpochSeries(ReportPart):
    """The course of the training: a row per fold, a value per epoch. In train mode, on the training part."""

    loss: tuple[tuple[float, ...], ...]
    emotion_loss: tuple[tuple[float, ...], ...]
    au_loss: tuple[tuple[float, ...], ...]
    uf1: tuple[tuple[float, ...], ...]
    rate: tuple[tuple[float, ...], ...] = ()  # the first reports of the schema have none


class MisclassifiedClip(ReportPart):
    """A clip, its emotion, what was predicted instead, and the probabilities of both."""

    clip: str
    held_out: str
    emotion: str
    predicted: str
    probability: float
    probability_of_emotion: float


class MisclassifiedClips(ReportPart):
    """How many of the tested clips were misclassified, and those with the highest probability of the wrong class."""

    total: int
    tested: int = Field(alias="of")
    shown: tuple[MisclassifiedClip, ...]


class FoldSummary(ReportPart):
    """One fold in clips. `kept_epoch`: the epoch that held-back subjects selected, from 0, or None."""

    held_out: str
    trained_on: int
    tested_on: int
    kept_epoch: int | None


class Report(ReportPart):
    """Everything that a report says. `result` and `baselines` have the run's own seed, `seeds` and `spread` have all.

    `per_dataset` is empty for a single dataset. `oracle` is None if epochs were not tested one by one.
    """

    schema_name: Literal["mer.report/2"] = Field("mer.report/2", alias="schema")
    protocol: ProtocolSummary
    model: str
    seed: int
    settings: dict[str, JsonValue]
    code: str
    data: DataSummary
    result: PooledFigures
    baselines: dict[str, PooledFigures]
    seeds: dict[str, tuple[SeedFigures, ...]]
    spread: dict[str, FigureSpreads]
    comparisons: dict[str, LearnerComparison] = {}  # the model less each baseline; the first reports have none
    per_dataset: dict[str, dict[str, PooledFigures]]
    oracle: OracleFigures | None
    curves: EpochSeries
    mistakes: MisclassifiedClips | None = None  # None only in the first reports of the schema
    folds: tuple[FoldSummary, ...]

    @property
    def learners(self) -> dict[str, PooledFigures]:
        """The model and its baselines by name, the model first."""
        return {self.model: self.result, **self.baselines}

    @property
    def figures(self) -> dict[str, FigureText]:
        """The figures that tables show: all but the mean over datasets where no datasets are held out."""
        by_dataset = any(found.aus.by_dataset is not None for found in self.learners.values())
        return {name: text for name, text in FIGURES.items() if by_dataset or name != "au_f1_by_dataset"}

    @property
    def au_basis(self) -> str:
        """What the AU figures of all learners rest on: units and clips. '' if there are none."""
        scored = [found.aus for found in self.learners.values() if found.aus.mean_over]
        if not scored:
            return ""
        units = ", ".join(map(str, scored[0].mean_over))
        return f"mean over AU {units}; {scored[0].clips} of {self.data.samples} clips, those coded for action units"

    @property
    def seed_numbers(self) -> list[int]:
        """The seeds that the model was trained with, the run's own first."""
        return [row.seed for row in self.seeds[self.model]]

    def encode(self) -> bytes:
        """The content of report.json."""
        return (json.dumps(self.model_dump(by_alias=True), indent=2) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes, location: str) -> Self:
        """Read the content of a report.json. Raises BadData that names `location` and the first wrong field."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            field, _, message = first_problem(error)
            raise BadData(
                f"{location}: expected a report of schema mer.report/2, got {field or 'the file'}: {message}. "
                "Train again, or read it with the version of merstream that wrote it."
            ) from None

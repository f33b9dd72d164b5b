"""Runs side by side: their settings, figures, a paired test of their difference, and the clips on which they differ."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from fastapi import HTTPException
from pydantic import Field

from services.console.api.responses import RunAnswer
from services.console.runs.judged_clips import JudgedClips, read_judged_clips
from services.console.runs.run_reader import RunDetails, RunReader
from services.console.state_reader import hold_lock
from shared.pipeline_state import PipelineSnapshot
from shared.records import FrozenModel
from shared.training.paired_bootstrap import PAIRED_RESAMPLES, Difference, compare_action_units, compare_emotions

MOST_RUNS = 5
KEPT_COMPARISONS = 4
PREDICTIONS_FILE = "predictions.csv"
MOST_DRAWN = 1_500_000  # redraws times subjects: the memory of a test
MOST_MEMBERS = 6_000_000  # subjects times clips


class SettingDifference(FrozenModel):
    """A setting that is not the same in all runs, with its value in each. Null: the run does not have it."""

    name: str
    values: tuple[Any, ...]


class FigureDifference(FrozenModel):
    """A figure of a run less that of the first run, its 95 % interval, and p of no difference (two-sided)."""

    difference: float
    interval: tuple[float, float]
    p: float


class RunTest(FrozenModel):
    """A paired bootstrap over subjects: a run less the first one, on the clips that both tested with the same label.

    `other_labels` counts the clips that both tested under different labels.
    """

    run: str
    clips: int
    subjects: int
    other_labels: int
    redraws: int = Field(description="How often whole subjects were redrawn.")
    figures: dict[str, FigureDifference] = Field(description="By figure: uf1, uar, and au_f1 where units are known.")
    note: str = Field("", description="Why there is no test.")


class DisputedClip(FrozenModel):
    """A clip that all runs tested, and about which they differ. `predicted`: what most trainings of each run said."""

    clip: str
    emotion: str
    predicted: tuple[str, ...]


class RunComparison(FrozenModel):
    """Runs compared with the first of them. `agreed_clips` are those that all tested and about which they agree.

    `right_alone` counts the clips that a run alone recognised, in the order of the runs.
    """

    runs: tuple[RunAnswer, ...]
    settings: tuple[SettingDifference, ...]
    tests: tuple[RunTest, ...]
    agreed_clips: int
    right_alone: tuple[int, ...]
    disputed: tuple[DisputedClip, ...]


class RunComparer:
    """Compares runs, one comparison at a time, since it holds all their predictions. Keeps the newest comparisons.

    So a request that was given up for its time finds the comparison when it is sent again.
    """

    def __init__(self, runs: RunReader) -> None:
        self.runs = runs
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[tuple[str, datetime], ...], RunComparison] = OrderedDict()

    def compare_runs(self, snapshot: PipelineSnapshot, names: Sequence[str]) -> RunComparison:
        """Compare 2 to MOST_RUNS runs that are done.

        Raises HTTPException: 404 for an unknown run, 409 for one that is not done, 413 for too many predictions, 422
        for another number of runs.
        """
        names = list(dict.fromkeys(names))
        if not 2 <= len(names) <= MOST_RUNS:
            raise HTTPException(422, f"Expected 2 to {MOST_RUNS} different runs to compare, got {len(names)}.")
        answers = [self.runs.find_answer(snapshot, name) for name in names]
        results = tuple((name, answer.created) for name, answer in zip(names, answers, strict=True))
        with hold_lock(self._lock, self.runs.patience_seconds):
            if results not in self._kept:
                self._kept[results] = self._compare_once(snapshot, answers)
            self._kept.move_to_end(results)
            while len(self._kept) > KEPT_COMPARISONS:
                self._kept.popitem(last=False)
            return self._kept[results]

    def _compare_once(self, snapshot: PipelineSnapshot, answers: Sequence[RunAnswer]) -> RunComparison:
        tested = [self._read_predictions(snapshot, answer) for answer in answers]
        details = [self.runs.read_details(snapshot, answer.id) for answer in answers]
        return RunComparison(
            runs=tuple(answers),
            settings=tuple(find_setting_differences(answers, details)),
            tests=tuple(
                measure_difference(answer.id, first=tested[0], other=other)
                for answer, other in zip(answers[1:], tested[1:], strict=True)
            ),
            **find_disputes(tested),
        )

    def _read_predictions(self, snapshot: PipelineSnapshot, run: RunAnswer) -> JudgedClips:
        title = f"Run {run.id}"
        if run.state != "done" or PREDICTIONS_FILE not in run.files:
            raise HTTPException(409, f"{title} is {run.state}. Only runs that are done can be compared.")
        file = self.runs.open_file(snapshot, run.id, PREDICTIONS_FILE)
        return read_judged_clips(file, run.model, title)


def find_setting_differences(runs: Sequence[RunAnswer], details: Sequence[RunDetails]) -> list[SettingDifference]:
    """What was set or found differently: data, protocol, settings and environment."""
    flat = [
        {
            **run.model_dump(include={"dataset", "pipeline", "seed", "seeds"}),
            "clips": own.clip_count,
            "classes": list(own.classes) if own.classes else None,
            **_flatten_values(own.protocol, "protocol."),
            **_flatten_values(own.settings, ""),
            **_flatten_values(own.environment, "environment."),
        }
        for run, own in zip(runs, details, strict=True)
    ]
    names = dict.fromkeys(name for values in flat for name in values)
    rows = [(name, tuple(values.get(name) for values in flat)) for name in names]
    return [SettingDifference(name=name, values=row) for name, row in rows if any(each != row[0] for each in row)]


def measure_difference(run: str, first: JudgedClips, other: JudgedClips) -> RunTest:
    """A run less the first one on their common clips."""
    common = sorted(first.clips.keys() & other.clips.keys())
    clips = [name for name in common if first.clips[name].emotion == other.clips[name].emotion]
    subjects = [first.clips[name].subject for name in clips]
    people = len(set(subjects))
    found = {"run": run, "clips": len(clips), "subjects": people, "other_labels": len(common) - len(clips)}
    if people < 2 or people * len(clips) > MOST_MEMBERS:
        few = "the runs have fewer than two subjects in common" if people < 2 else "the runs have too many clips"
        return RunTest(**found, redraws=0, figures={}, note=f"No test: {few}.")
    redraws = min(PAIRED_RESAMPLES, MOST_DRAWN // people)
    own, reference = (np.array([each.clips[name].predicted for name in clips]).T for each in (other, first))
    true = [first.clips[name].emotion for name in clips]
    figures: dict[str, Difference | None] = dict(compare_emotions(true, own, reference, subjects, resamples=redraws))
    figures["au_f1"] = _compare_units(first, other, clips, redraws)
    return RunTest(
        **found,
        redraws=redraws,
        figures={name: FigureDifference(**each._asdict()) for name, each in figures.items() if each},
    )


def find_disputes(tested: Sequence[JudgedClips]) -> dict[str, Any]:
    """The fields of a comparison about single clips: those that all runs tested with the same label."""
    common = sorted(set.intersection(*(set(each.clips) for each in tested)))
    disputed, alone, agreed = [], Counter[int](), 0
    for name in common:
        rows = [each.clips[name] for each in tested]
        said = tuple(row.majority_emotion for row in rows)
        if len({row.emotion for row in rows}) > 1:
            continue
        if len(set(said)) == 1:
            agreed += 1
            continue
        right = [index for index, each in enumerate(said) if each == rows[0].emotion]
        alone.update(right if len(right) == 1 else ())
        disputed.append(DisputedClip(clip=name, emotion=rows[0].emotion, predicted=said))
    right_alone = tuple(alone[index] for index in range(len(tested)))
    return {"agreed_clips": agreed, "right_alone": right_alone, "disputed": tuple(disputed)}


def _compare_units(first: JudgedClips, other: JudgedClips, clips: Sequence[str], redraws: int) -> Difference | None:
    """On the units that both predict and the clips that were coded for units."""
    units = sorted(first.units & other.units)
    coded = [name for name in clips if first.clips[name].coded is not None]
    if not units or not coded:
        return None
    true = [[unit in (first.clips[name].coded or ()) for unit in units] for name in coded]
    own, reference = (
        np.array([[[unit in found for unit in units] for found in each.clips[name].units] for name in coded])
        for each in (other, first)
    )
    subjects = [first.clips[name].subject for name in coded]
    return compare_action_units(true, own.swapaxes(0, 1), reference.swapaxes(0, 1), subjects, resamples=redraws)


def _flatten_values(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flatten_values(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found

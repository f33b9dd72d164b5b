"""The schema of report.json: keys and types, names of figures, old files, files that cannot be read."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.learners.base import EpochSummary
from services.trainer.report.model import (
    EMOTION_FIGURES,
    FIGURES,
    FigureSpreads,
    OracleFigures,
    PooledFigures,
    Report,
    SeedFigures,
)
from services.trainer.report.summary import summarise_run
from shared.errors import BadData
from shared.records import Figures
from shared.training.settings import TrainSettings
from tests.unit.trainer.report.conftest import outcome

# Recorded before the report had a model. Other keys or types need another schema than mer.report/2.
OUTLINE_FILE = Path(__file__).parents[3] / "data" / "report_outline.txt"


@pytest.fixture
def everything(toy) -> Report:
    """A report in which nothing is empty: two datasets, two seeds, tested epochs, faults, a misclassified clip."""
    plain = toy(2, 3)
    names = [name.replace("toy/s01", "samm/s01") for name in plain.names.tolist()]
    subjects = np.array([name.rpartition("/")[0] for name in names])
    features = replace(plain, names=np.array(names), subjects=subjects, left_out={"fear": 2})
    epochs = [EpochSummary(i, 2.0 - i / 9, 1.2, 0.7, 1e-3, 0.5, 0.4, watched=(0, 1, i)) for i in range(2)]
    outcomes = {
        learner: {
            seed: [fold(features, subject, epochs, seed) for subject in ("toy/s00", "samm/s01")] for seed in (0, 1)
        }
        for learner in ("fmer-lite", "linear")
    }
    plan = EvaluationPlan(features, seeds=2)
    return summarise_run(plan, TrainSettings(), outcomes, code="1.2+é", faults=["toy/s09/c1: no face."])


def fold(features: Features, subject: str, epochs: list[EpochSummary], seed: int):
    return replace(outcome(features, subject, [0, 1, seed], epochs=epochs), kept_epoch=1)


def outline(value: Any, name: str = "report.json", depth: int = 0) -> Iterator[str]:
    """Keys and types, line by line; of a list its first element, of settings nothing."""
    yield f"{' ' * depth}{name}: {type(value).__name__}"
    if isinstance(value, dict) and name != "settings":
        for key, inner in value.items():
            yield from outline(inner, key, depth + 1)
    elif isinstance(value, list) and value:
        yield from outline(value[0], "-", depth + 1)


def test_report_json_has_the_recorded_keys_and_types_in_their_order(everything):
    text = everything.encode()
    said = json.loads(text)
    assert "\n".join(outline(said)) + "\n" == OUTLINE_FILE.read_text()
    assert text == (json.dumps(said, indent=2) + "\n").encode()
    assert Report.decode(text, "report.json") == everything
    assert Report.decode(text, "report.json").encode() == text


def test_every_part_has_the_same_figures():
    assert list(FIGURES) == list(Figures.model_fields) == list(FigureSpreads.model_fields)
    assert list(SeedFigures.model_fields) == ["seed", *FIGURES]
    assert all(hasattr(PooledFigures, name) or name in PooledFigures.model_fields for name in FIGURES)
    assert [name for name in FIGURES if name in OracleFigures.model_fields] == list(EMOTION_FIGURES)


def test_an_older_report_of_the_schema_can_be_read_and_an_unknown_field_is_ignored(two):
    _, _, report = two()
    said = json.loads(report.encode())
    del said["mistakes"], said["curves"]["rate"], said["comparisons"]
    said["data"]["weather"] = "fine"
    old = Report.model_validate_json(json.dumps(said))
    assert (old.result, old.mistakes, old.curves.rate) == (report.result, None, ())
    assert old.data == report.data


def test_a_loss_that_diverged_survives(two):
    _, _, report = two()
    curves = report.curves.model_copy(update={"loss": ((float("nan"), float("inf")),)})
    text = report.model_copy(update={"curves": curves}).encode()
    assert b"NaN" in text
    assert Report.decode(text, "report.json").encode() == text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": "mer.report/1"}, r"here/report.json: expected a report of schema mer.report/2, got schema: "),
        ({"seed": "first"}, r"here/report.json: .* got seed: .*integer"),
    ],
)
def test_a_file_that_is_no_such_report_is_named_with_its_field(two, change, sentence):
    said = json.loads(two()[2].encode())
    with pytest.raises(BadData, match=sentence):
        Report.decode(json.dumps(said | change).encode(), "here/report.json")
    with pytest.raises(BadData, match="got the file: "):
        Report.decode(b"no JSON", "here/report.json")

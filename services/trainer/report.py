"""The report of a run: pooled figures beside baselines and oracle, as JSON, as one HTML page and as a table of
predictions."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.trainer import figures
from services.trainer.dataset import Features
from services.trainer.evaluate import score, score_aus
from services.trainer.folds import Outcome
from services.trainer.labels import AUS
from services.trainer.settings import TrainSettings
from shared.store import Store

SCHEMA = "mer.report/1"
FILES = ("predictions.csv", "report.html", "report.json")
THRESHOLD = 0.5  # an AU counts as predicted from this probability on
PROTOCOL = "leave-one-subject-out, predictions pooled over all folds"
ORACLE = (
    "per fold, the epoch whose predictions score best on the very subject under test; what peeking would have "
    "given, never the result"
)

Runs = Mapping[str, Sequence[Outcome]]


def code_version() -> str:
    """The installed version of merstream."""
    try:
        return version("merstream")
    except PackageNotFoundError:
        return "not installed"


def summary(
    features: Features,
    settings: TrainSettings,
    outcomes: Sequence[Outcome],
    baselines: Runs,
    code: str = "",
    faults: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything the report says, as plain values. `baselines`: outcomes of other learners on the same folds, by
    name. `code`: version of the code, default the installed one. `faults`: a sentence per clip without features."""
    counts = np.bincount(features.emotions, minlength=len(features.classes)).tolist()
    return {
        "schema": SCHEMA,
        "protocol": PROTOCOL,
        "model": settings.model,
        "seed": settings.seed,
        "settings": settings.model_dump(mode="json"),
        "code": code or code_version(),
        "data": {
            "digest": features.digest,
            "samples": len(features),
            "subjects": len(set(features.subjects.tolist())),
            "datasets": sorted({subject.split("/")[0] for subject in features.subjects.tolist()}),
            "classes": dict(zip(features.classes, counts, strict=True)),
            "left_out": features.left_out,
            "faults": list(faults),
            "factors": features.factors.tolist(),
            "test_factor": float(features.factors[features.factor_index(settings.test_factor)]),
            "aus": dict(zip(map(str, AUS), features.aus.sum(0).tolist(), strict=True)),
        },
        "result": figures_of(features, outcomes, settings.seed),
        "baselines": {name: figures_of(features, runs, settings.seed) for name, runs in baselines.items()},
        "oracle": oracle(features, outcomes),
        "curves": curves(outcomes),
        "folds": [
            {"subject": each.subject, "trained_on": each.trained_on, "tested_on": len(each.names)} for each in outcomes
        ],
    }


def figures_of(features: Features, outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """Scores of the pooled predictions, `aus` among them."""
    rows = _rows(features, outcomes)
    true, pred = _named(features, features.emotions[rows]), _named(features, [p for o in outcomes for p in o.predicted])
    figures_ = score(true, pred, features.subjects[rows], seed=seed)
    aus = np.array([row for each in outcomes for row in each.aus])
    return figures_ | {"aus": score_aus(features.aus[rows], aus >= THRESHOLD, AUS)}


def oracle(features: Features, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """The figure that choosing epochs on the test subjects would have given; None where epochs were not watched."""
    if not all(each.epochs and each.epochs[0].watched for each in outcomes):
        return None
    rows = _rows(features, outcomes)
    predicted: list[int] = []
    for each in outcomes:
        true = features.emotions[_rows(features, [each])]
        tries = [epoch.watched for epoch in each.epochs]
        best: tuple[int, ...] = max(tries, key=lambda pred: score(true, pred, true, resamples=1)["uf1"])
        predicted += best
    found = score(features.emotions[rows], predicted, features.subjects[rows], resamples=1)
    return {"meaning": ORACLE} | {name: found[name] for name in ("uf1", "uar", "accuracy")}


def curves(outcomes: Sequence[Outcome]) -> dict[str, list[list[float]]]:
    """Per figure one row per fold, one column per epoch; train mode, on the training subjects."""
    names = ("loss", "emotion_loss", "au_loss", "uf1", "rate")
    return {name: [[getattr(epoch, name) for epoch in each.epochs] for each in outcomes] for name in names}


def files(features: Features, outcomes: Sequence[Outcome], report: Mapping[str, Any]) -> dict[str, bytes]:
    """predictions.csv, report.html, which stands alone with its pictures inside, and report.json; equal outcomes give
    equal bytes."""
    return {
        "predictions.csv": _predictions(features, outcomes).encode(),
        "report.html": page(report).encode(),
        "report.json": (json.dumps(report, indent=2) + "\n").encode(),
    }


def write(store: Store, prefix: str, files: Mapping[str, bytes]) -> None:
    """Put the files under `prefix`, report.json last: a report without it does not exist."""
    for name in FILES:
        store.put(prefix + name, files[name])


def page(report: Mapping[str, Any]) -> str:
    """The report as one HTML page."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    pictures = {
        "confusion": figures.confusion(report["result"]),
        "subjects": figures.subjects(report["result"]),
        "aus": figures.aus(report["result"]["aus"], report["baselines"]),
        "curves": figures.curves(report["curves"]),
    }
    return environment.get_template("report.html.j2").render(report=report, pictures=pictures)


def _rows(features: Features, outcomes: Sequence[Outcome]) -> list[int]:
    """Where the outcomes' clips stand among the features, in the outcomes' order."""
    place = {name: row for row, name in enumerate(features.names.tolist())}
    return [place[name] for each in outcomes for name in each.names]


def _named(features: Features, indices: Any) -> list[str]:
    return [features.classes[index] for index in indices]


def _predictions(features: Features, outcomes: Sequence[Outcome]) -> str:
    """One row per clip: labels, prediction, probabilities."""
    scores = [f"p_{name}" for name in features.classes]
    aus = [column for au in AUS for column in (f"au{au}", f"p_au{au}")]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["clip", "subject", "emotion", "predicted", *scores, *aus])
    for each in outcomes:
        rows = _rows(features, [each])
        for row, pred, chances, units in zip(rows, each.predicted, each.emotions, each.aus, strict=True):
            coded = [
                cell for pair in zip(features.aus[row], units, strict=True) for cell in (pair[0], f"{pair[1]:.4f}")
            ]
            labels = [features.names[row], each.subject, *_named(features, [features.emotions[row], pred])]
            table.writerow([*labels, *(f"{chance:.4f}" for chance in chances), *coded])
    return text.getvalue()

"""The files of a report, and where they go."""

import json
from collections.abc import Mapping
from typing import Any

from services.trainer.data.features import Features
from services.trainer.folds.fold import OutcomesByLearner
from services.trainer.report.csv_tables import render_predictions_csv, render_subjects_csv
from services.trainer.report.html_page import render_model_card, render_page
from services.trainer.report.latex_table import render_latex
from shared.store import Store

REPORT_FILES = ("latex.tex", "model_card.md", "per_subject.csv", "predictions.csv", "report.html", "report.json")


def render_files(
    features: Features, outcomes: OutcomesByLearner, report: Mapping[str, Any], faces: bool = False
) -> dict[str, bytes]:
    """Each by its name; report.html stands alone with its pictures inside, `faces`: frames of clips among them. Equal
    outcomes give equal bytes."""
    texts = {
        "latex.tex": render_latex(report),
        "model_card.md": render_model_card(report),
        "per_subject.csv": render_subjects_csv(report),
        "predictions.csv": render_predictions_csv(features, outcomes),
        "report.html": render_page(report, features, faces),
        "report.json": json.dumps(report, indent=2) + "\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def write_files(store: Store, prefix: str, files: Mapping[str, bytes]) -> None:
    """Put the files under `prefix`, report.json last: a report without it does not exist."""
    for name in REPORT_FILES:
        store.put(prefix + name, files[name])

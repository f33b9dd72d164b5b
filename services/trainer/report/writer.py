"""The files of a report and the order in which they are stored."""

from collections.abc import Mapping

from services.trainer.data.features import Features
from services.trainer.folds.fold import OutcomesByLearner
from services.trainer.report.csv_tables import render_predictions_csv, render_subjects_csv
from services.trainer.report.html_page import render_model_card, render_page
from services.trainer.report.latex_table import render_latex
from services.trainer.report.model import Report
from shared.store import Store

REPORT_FILES = ("latex.tex", "model_card.md", "per_subject.csv", "predictions.csv", "report.html", "report.json")


def render_files(
    features: Features, outcomes: OutcomesByLearner, report: Report, faces: bool = False
) -> dict[str, bytes]:
    """The content of every file by its name. With `faces`, report.html shows frames of misclassified clips."""
    texts = {
        "latex.tex": render_latex(report),
        "model_card.md": render_model_card(report),
        "per_subject.csv": render_subjects_csv(report),
        "predictions.csv": render_predictions_csv(features, outcomes),
        "report.html": render_page(report, features, faces),
    }
    return {**{name: text.encode() for name, text in texts.items()}, "report.json": report.encode()}


def write_files(store: Store, prefix: str, files: Mapping[str, bytes]) -> None:
    """Store the files under `prefix`, report.json last: without it there is no report."""
    for name in REPORT_FILES:
        store.put(prefix + name, files[name])

"""The files of a report, and where they go."""

import json
from collections.abc import Mapping
from typing import Any

from services.trainer.data.features import Features
from services.trainer.report.csv_tables import Runs, per_subject, predictions
from services.trainer.report.html_page import card, page
from services.trainer.report.latex_table import latex
from shared.store import Store

FILES = ("latex.tex", "model_card.md", "per_subject.csv", "predictions.csv", "report.html", "report.json")


def files(features: Features, outcomes: Runs, report: Mapping[str, Any], faces: bool = False) -> dict[str, bytes]:
    """Each by its name; report.html stands alone with its pictures inside, `faces`: frames of clips among them. Equal
    outcomes give equal bytes."""
    texts = {
        "latex.tex": latex(report),
        "model_card.md": card(report),
        "per_subject.csv": per_subject(report),
        "predictions.csv": predictions(features, outcomes),
        "report.html": page(report, features, faces),
        "report.json": json.dumps(report, indent=2) + "\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def write(store: Store, prefix: str, files: Mapping[str, bytes]) -> None:
    """Put the files under `prefix`, report.json last: a report without it does not exist."""
    for name in FILES:
        store.put(prefix + name, files[name])

"""The report as one HTML page, and the model card: templates filled with what a report says."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.trainer.data.features import Features
from services.trainer.report import png_encoder
from services.trainer.report.flow_colour import draw_colour_wheel
from services.trainer.report.misclassified import clip_pictures
from services.trainer.report.training_curves import draw_training_curves
from shared import weights

WHEEL_PIXELS = 48  # px
FIGURE_TITLES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy", "au_f1": "AU F1"}


def render_page(report: Mapping[str, Any], features: Features, faces: bool = False) -> str:
    """It stands alone: pictures and styles are inside, there are no scripts."""
    mistaken = [
        {**each, **clip_pictures(features, each["clip"], report["data"]["test_factor"], faces)}
        for each in report["mistakes"]["shown"]
    ]
    return _fill_template(
        "report.html.j2",
        report,
        curves=draw_training_curves(report["curves"]),
        mistaken=mistaken,
        wheel=png_encoder.png_data_uri(draw_colour_wheel(WHEEL_PIXELS))
        if any(each["flow"] for each in mistaken)
        else None,
        faces=faces,
    )


def render_model_card(report: Mapping[str, Any]) -> str:
    """The model card, Markdown."""
    return re.sub(r"\n{3,}", "\n\n", _fill_template("model_card.md.j2", report, weights=weights.ALL_WEIGHTS))


def format_figure(value: float | None) -> str:
    """Three digits; a dash for what is not defined."""
    return "–" if value is None else f"{value:.3f}"


def format_spread(value: Mapping[str, float | None]) -> str:
    """Mean, and standard deviation where there is one."""
    return format_figure(value["mean"]) + ("" if value["sd"] is None else f" ± {format_figure(value['sd'])}")


def escape_markdown(text: Any) -> str:
    """Text on one line whose signs mean nothing to Markdown, nor to the HTML that it may become."""
    line = re.sub(r"\s+", " ", str(text)).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", line)


def sum_counts(*counts: Mapping[str, int]) -> dict[str, int]:
    """Several counts by name as one."""
    return dict(sum(map(Counter, counts), Counter()))


def _fill_template(template: str, report: Mapping[str, Any], **more: Any) -> str:
    learners = {report["model"]: report["result"], **report["baselines"]}
    several = len(report["seeds"][report["model"]]) > 1
    return _template_environment().get_template(template).render(
        report=report, learners=learners, several=several, figures=FIGURE_TITLES, **more
    )  # fmt: skip


@cache
def _template_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        figure=format_figure, spread=format_spread, markdown=escape_markdown, combined=sum_counts
    )
    return environment

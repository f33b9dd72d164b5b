"""The report as one HTML page, and the model card in Markdown: templates filled from a `Report`."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from services.trainer.data.features import Features
from services.trainer.report import png_encoder
from services.trainer.report.misclassified import clip_pictures
from services.trainer.report.model import PairedDifference, Report, Spread
from services.trainer.report.training_curves import draw_training_curves
from shared import weights
from shared.images.flow_colour import draw_colour_wheel
from shared.page_templates import open_templates

WHEEL_PIXELS = 48  # px
SMALLEST_SHOWN_P = 0.001


def render_page(report: Report, features: Features, faces: bool = False) -> str:
    """The page is self-contained: pictures and styles are inside, there are no scripts. Frames only with `faces`."""
    shown = report.mistakes.shown if report.mistakes else ()
    mistaken = [(each, clip_pictures(features, each.clip, report.data.test_factor, faces)) for each in shown]
    has_flow = any(pictures.flow for _, pictures in mistaken)
    return _fill_template(
        "report.html.j2",
        report,
        curves=draw_training_curves(report.curves),
        mistaken=mistaken,
        wheel=png_encoder.png_data_uri(draw_colour_wheel(WHEEL_PIXELS)) if has_flow else None,
        faces=faces,
    )


def render_model_card(report: Report) -> str:
    """The model card in Markdown."""
    return re.sub(r"\n{3,}", "\n\n", _fill_template("model_card.md.j2", report, weights=weights.ALL_WEIGHTS))


def format_figure(value: float | None) -> str:
    """Three digits, or a dash for a figure that does not exist."""
    return "–" if value is None else f"{value:.3f}"


def format_spread(spread: Spread) -> str:
    """The mean, and the standard deviation if there is one."""
    return format_figure(spread.mean) + ("" if spread.sd is None else f" ± {format_figure(spread.sd)}")


def format_difference(found: PairedDifference) -> str:
    """`+0.012 [-0.004, 0.031], p 0.140`."""
    low, high = found.interval
    return f"{found.difference:+.3f} [{low:.3f}, {high:.3f}], p {max(found.p, SMALLEST_SHOWN_P):.3f}"


def escape_markdown(text: object) -> str:
    """The text on one line, with every sign escaped that Markdown or HTML would interpret."""
    line = re.sub(r"\s+", " ", str(text)).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", line)


def sum_counts(*counts: Mapping[str, int]) -> dict[str, int]:
    """The sum of several counts, name by name."""
    return dict(sum(map(Counter, counts), Counter()))


def _fill_template(template: str, report: Report, **values: Any) -> str:
    several = len(report.seed_numbers) > 1
    return _template_environment().get_template(template).render(
        report=report, several=several, figures=report.figures, **values
    )  # fmt: skip


@cache
def _template_environment() -> Environment:
    environment = open_templates(Path(__file__).parent / "templates")
    environment.filters.update(
        figure=format_figure,
        spread=format_spread,
        difference=format_difference,
        markdown=escape_markdown,
        combined=sum_counts,
    )
    return environment

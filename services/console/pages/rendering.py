"""Templates become answers."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fastapi.responses import HTMLResponse
from jinja2 import Environment

from services.console.access.visitor import VISITOR
from services.console.pages.status_feed import Moment
from services.console.pages.video_address import address_video
from shared.prediction.page.view import open_view_templates
from shared.records import quote_segment

ROOT_PATH: ContextVar[str] = ContextVar("root_path", default="")  # see `services.console.path_prefix`
_OWN_LINK = re.compile(r'\b(href|src|action|formaction)="/(?!/)')
FOLDER = Path(__file__).parent
STATIC_FOLDER = FOLDER / "static"
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    # Styles and the script come from this server alone, and no markup can bring its own.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


def render_page(
    template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """The answer with a filled template."""
    text = (
        load_templates()
        .get_template(template)
        .render(status=status, visitor=VISITOR.get(), root_path=ROOT_PATH.get(), **values)
    )
    return HTMLResponse(_prefix_links(text), status, {**PAGE_HEADERS, **(headers or {})})


def _prefix_links(page: str) -> str:
    """The page with the prefix in its links.

    A value never looks like an attribute, because its quotes are escaped. So only links of templates are found.
    """
    return _OWN_LINK.sub(rf'\1="{prefix}/', page) if (prefix := ROOT_PATH.get()) else page


def render_moment(
    template: str, moment: Moment, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """The answer with a template filled with what every page shows of a moment, and with `values`."""
    return render_page(template, status, headers, digest=moment.digest, letter_count=len(moment.letters), **values)


@cache
def load_templates() -> Environment:
    """All templates, with the filters that they use. Every value is escaped."""
    templates = open_view_templates(FOLDER / "templates")
    templates.filters.update(
        video_address=address_video,
        amount=format_amount,
        grouped="{:,}".format,  # digits in groups of three
        figure=format_figure,
        moment=format_moment,
        segment=quote_path,
        decoded=unquote,
        clip_segment=lambda name: quote(quote_segment(name), safe=""),
    )
    return templates


def format_figure(value: float | None) -> str:
    """Three digits, or a dash for a figure that does not exist."""
    return "–" if value is None else f"{value:.3f}"


def format_amount(size: int) -> str:
    """Bytes as a person says them: 1.2 GB."""
    amount, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def format_moment(moment: datetime | str) -> str:
    """A time in UTC to the minute, from a datetime or an ISO text. Any other text stays as it is."""
    try:
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        return str(moment)
    return found.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def quote_path(name: str) -> str:
    """A name as part of an address. Its slashes stay, and a part of dots cannot leave the path."""
    parts = [quote(part, safe="") if part.strip(".") else part.replace(".", "%252E") for part in name.split("/")]
    return "/".join(parts)

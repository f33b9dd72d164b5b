"""Templates of pages that are written for people, by whoever writes them."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

STYLE_FOLDER = Path(__file__).parent / "page_style"  # what the style sheets of single pages build on


def open_templates(*folders: Path) -> Environment:
    """The templates in these folders. Every value is escaped, but in Markdown, and an unknown one is an error."""
    return Environment(
        loader=FileSystemLoader([*folders, STYLE_FOLDER]),
        autoescape=lambda name: name is None or not name.endswith(".md.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

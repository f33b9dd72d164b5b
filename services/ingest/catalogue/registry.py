"""The known layouts. A new one is a file beside this with a `Layout`, and its line here."""

from pathlib import Path

from services.ingest.catalogue import casme2, plain
from services.ingest.catalogue.entry import Layout
from shared.errors import BadData

LAYOUTS: tuple[Layout, ...] = (plain.LAYOUT, casme2.LAYOUT)


def layout_of(folder: Path) -> Layout:
    """The one layout that recognises a dataset folder; raises BadData for none, for two and for an empty folder."""
    if not folder.is_dir():
        raise BadData(f"{folder}: expected a dataset folder, got nothing there; check the path.")
    if not any(child for child in folder.iterdir() if not child.name.startswith(".")):
        raise BadData(f"{folder}: expected {_expected()}, got an empty folder; copy the dataset into it.")
    known = [layout for layout in LAYOUTS if layout.recognises(folder)]
    if not known:
        raise BadData(f"{folder}: expected {_expected()}, got neither; see docs/datasets.md for the layouts.")
    if len(known) > 1:
        names = " and ".join(layout.name for layout in known)
        raise BadData(f"{folder}: expected one layout, got {names}; move the sheet you do not mean out of the folder.")
    return known[0]


def _expected() -> str:
    return " or ".join(layout.expects for layout in LAYOUTS)

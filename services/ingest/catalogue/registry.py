"""The known layouts. A new one is a file beside this with a `Layout`, and its line here."""

from pathlib import Path

from services.ingest.catalogue import casme2, plain
from services.ingest.catalogue.entry import Layout
from shared.errors import BadData

# In this order: a clips.csv is written for merstream and so says what is meant, whatever else lies beside it.
LAYOUTS: tuple[Layout, ...] = (plain.LAYOUT, casme2.LAYOUT)


def layout_of(folder: Path) -> Layout:
    """The first layout that recognises a dataset folder; raises BadData for none and for an empty folder."""
    if not folder.is_dir():
        raise BadData(f"{folder}: expected a dataset folder, got nothing there; check the path.")
    if not any(child for child in folder.iterdir() if not child.name.startswith(".")):
        raise BadData(f"{folder}: expected {_expected()}, got an empty folder; copy the dataset into it.")
    for layout in LAYOUTS:
        if layout.recognises(folder):
            return layout
    raise BadData(f"{folder}: expected {_expected()}, got neither; see docs/datasets.md for the layouts.")


def _expected() -> str:
    return " or ".join(layout.expects for layout in LAYOUTS)

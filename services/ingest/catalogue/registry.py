"""The known layouts. A new one is a file beside this with a `DatasetLayout`, and its line here."""

import os
from pathlib import Path

from services.ingest.catalogue import casme, casme2, casme3, casme_squared, clips_csv, dfme, fourdme, mmew, samm, smic
from services.ingest.catalogue.entry import DatasetLayout
from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData

# A clips.csv is written for merstream, so it decides, whatever else is beside it.
# Of equally likely layouts the first counts: more specific ones come before those that allow any name.
LAYOUTS: tuple[DatasetLayout, ...] = (
    clips_csv.CLIPS_CSV_LAYOUT,
    samm.SAMM_LAYOUT,
    mmew.MMEW_LAYOUT,
    smic.SMIC_HS_LAYOUT,
    smic.SMIC_E_LAYOUT,
    casme3.CASME3A_LAYOUT,
    casme3.CASME3C_LAYOUT,
    casme_squared.CASME_SQUARED_LAYOUT,
    fourdme.FOURDME_LAYOUT,
    dfme.DFME_LAYOUT,
    casme2.CASME2_LAYOUT,
    casme.CASME_LAYOUT,
)


def recognise_layout(tree: DatasetTree) -> DatasetLayout:
    """The most likely layout of a dataset folder. Raises BadData if there is none, or if the folder is empty."""
    _check_dataset_folder(tree.folder)
    likeness = [(layout.likeness(tree), layout) for layout in LAYOUTS]
    best, layout = max(likeness, key=lambda each: each[0])
    if not best:
        faults = f" ({' '.join(tree.faults)})" if tree.faults else ""
        below = "; ".join(_name_datasets_below(tree))
        raise BadData(
            f"{tree.folder}: expected {_expected_layouts()}, got none of them{faults}; "
            + (f"{below}. Give that folder." if below else "see docs/reference/datasets.md for the layouts.")
        )
    return layout


def _name_datasets_below(tree: DatasetTree) -> list[str]:
    """A sentence for each folder, one or two levels below, that has a clips.csv."""
    folders = [folder for folder in tree.folders if len(folder.parts) <= 2]
    return [
        f"there is a {clips_csv.CLIPS_CSV_NAME} in {folder}"
        for folder in folders
        if _has_clips_csv(tree.folder / folder)
    ]


def _has_clips_csv(folder: Path) -> bool:
    return any(name.casefold() == clips_csv.CLIPS_CSV_NAME for name in os.listdir(folder))  # noqa: PTH208


def _check_dataset_folder(folder: Path) -> None:
    if folder.is_file():
        raise BadData(f"{folder}: expected a dataset folder, got a file; give the folder in which it lies.")
    if not folder.is_dir():
        raise BadData(f"{folder}: expected a dataset folder, got nothing there; check the path.")
    if not any(child for child in folder.iterdir() if not child.name.startswith(".")):
        raise BadData(f"{folder}: expected {_expected_layouts()}, got an empty folder; copy the dataset into it.")


def _expected_layouts() -> str:
    return " or ".join(layout.expects for layout in LAYOUTS)

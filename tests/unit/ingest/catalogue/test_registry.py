from pathlib import Path

import pytest

from services.ingest.catalogue.registry import recognise_layout
from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData


def test_a_clips_csv_says_what_is_meant(casme2: Path) -> None:
    assert recognise_layout(DatasetTree(casme2)).name == "CASME II"
    (casme2 / "clips.csv").write_text("")
    assert recognise_layout(DatasetTree(casme2)).name == "clips.csv"


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("")
    with pytest.raises(BadData, match=r"expected clips.csv .* or CASME II \(.*\), got an empty folder; copy"):
        recognise_layout(DatasetTree(tmp_path))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected a dataset folder, got nothing there; check the path"):
        recognise_layout(DatasetTree(tmp_path / "nowhere"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("")
    with pytest.raises(BadData, match="expected a dataset folder, got a file; give the folder in which it lies"):
        recognise_layout(DatasetTree(tmp_path / "clips.csv"))


def test_an_unknown_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(BadData, match=r"got none of them; see docs/reference/datasets.md"):
        recognise_layout(DatasetTree(tmp_path))


def test_a_dataset_below_is_named(tmp_path: Path) -> None:
    """An archive that was unpacked beside its readme file."""
    (tmp_path / "lab" / "v1").mkdir(parents=True)
    (tmp_path / "lab" / "v1" / "Clips.csv").write_text("")
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(BadData, match=r"got none of them; there is a clips\.csv in lab/v1\. Give that folder\.$"):
        recognise_layout(DatasetTree(tmp_path))

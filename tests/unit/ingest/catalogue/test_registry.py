from pathlib import Path

import pytest

from services.ingest.catalogue.registry import recognised
from services.ingest.catalogue.tree import Tree
from shared.errors import BadData


def test_a_clips_csv_says_what_is_meant(casme2: Path) -> None:
    assert recognised(Tree(casme2)).name == "CASME II"
    (casme2 / "clips.csv").write_text("")
    assert recognised(Tree(casme2)).name == "clips.csv"


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("")
    with pytest.raises(BadData, match=r"expected clips.csv .* or CASME II \(.*\), got an empty folder; copy"):
        recognised(Tree(tmp_path))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected a dataset folder, got nothing there; check the path"):
        recognised(Tree(tmp_path / "nowhere"))


def test_an_unknown_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(BadData, match=r"got none of them; see docs/reference/datasets.md"):
        recognised(Tree(tmp_path))

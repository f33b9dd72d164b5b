from pathlib import Path, PurePosixPath

from services.ingest.catalogue.clip_folders import ClipFolders, FolderPattern, find_clip_folders
from services.ingest.catalogue.tree import LEAF_FILES, DatasetTree

SUBJECTS = FolderPattern("sub{subject}/{clip}")


def test_fields_of_a_path() -> None:
    assert SUBJECTS.match_folder(PurePosixPath("a/Cropped/sub01/EP02_01f")) == {"subject": "01", "clip": "EP02_01f"}
    assert SUBJECTS.match_folder(PurePosixPath("Cropped/01/EP02_01f")) is None
    assert SUBJECTS.match_folder(PurePosixPath("sub01")) is None


def test_strangers_above() -> None:
    pattern = FolderPattern("{clip}", {"clip": "c"}, excluded_parents=frozenset({"vis"}))
    assert pattern.match_folder(PurePosixPath("HS/c")) == {"clip": "c"}
    assert pattern.match_folder(PurePosixPath("VIS/c")) is None


def test_a_clip_that_is_missing_has_a_place_to_be_copied_to(tmp_path: Path) -> None:
    (tmp_path / "Cropped/sub01/EP01").mkdir(parents=True)
    places = ClipFolders(DatasetTree(tmp_path), [SUBJECTS], "cropped", "")
    assert places.find_folder("1", "ep1") is places.all[0]
    assert places.find_folder("2", "EP01") is None
    assert places.expected_folder({"subject": "02", "clip": "EP09"}) == PurePosixPath("Cropped/sub02/EP09")


def test_hidden_folders_and_masses_of_files_are_passed_over(tmp_path: Path) -> None:
    for name in (".git/sub01/EP01", "__MACOSX/sub01/EP01", "sub01/EP01"):
        (tmp_path / name).mkdir(parents=True)
    for number in range(LEAF_FILES):
        (tmp_path / "sub01/EP01" / f"img{number}.jpg").touch()
    assert [place.folder for place in find_clip_folders(DatasetTree(tmp_path), [SUBJECTS])] == [
        PurePosixPath("sub01/EP01")
    ]


def test_folders_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("s11", "s2", "s2/b", "s1"):
        (tmp_path / name).mkdir(exist_ok=True)
    assert [str(folder) for folder in DatasetTree(tmp_path).folders] == ["s1", "s2", "s2/b", "s11"]

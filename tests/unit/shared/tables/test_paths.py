import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.tables.paths import find_path

FORM = st.sampled_from(["NFC", "NFD"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder per form of accents, each with Müller/lächeln.mp4."""
    found = {form: tmp_path_factory.mktemp(form) for form in ("NFC", "NFD")}
    for form, folder in found.items():
        file = folder / unicodedata.normalize(form, "Müller/lächeln.mp4")
        file.parent.mkdir()
        file.touch()
    return found


@given(FORM, FORM, st.booleans(), st.sampled_from("/\\"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accents_and_case_as_stored_and_as_written(
    folders: dict[str, Path], stored: str, written: str, upper: bool, slash: str
) -> None:
    text = unicodedata.normalize(written, "Müller/lächeln.mp4").replace("/", slash)
    found, remark = find_path(folders[stored], text.upper() if upper else text)
    assert found == folders[stored] / unicodedata.normalize(stored, "Müller/lächeln.mp4")
    assert bool(remark) == upper


def test_two_names_that_differ_in_case_are_not_chosen_from(tmp_path: Path) -> None:
    for name in ("smile.mp4", "Smile.mp4"):
        (tmp_path / name).touch()
    assert find_path(tmp_path, "SMILE.MP4") == (tmp_path / "SMILE.MP4", "")
    assert find_path(tmp_path, "Smile.mp4") == (tmp_path / "Smile.mp4", "")


def test_an_invisible_character_in_the_cell(tmp_path: Path) -> None:
    (tmp_path / "a b.mp4").touch()
    assert find_path(tmp_path, "a\u00a0b.mp4\u200b")[0] == tmp_path / "a b.mp4"


@pytest.mark.parametrize("path", ["", "../x", "x/../y", "none.mp4", "x" * 300, "a\0b", "none/none"])
def test_other_paths_stay_as_written(tmp_path: Path, path: str) -> None:
    assert find_path(tmp_path, path) == (tmp_path / path, "")

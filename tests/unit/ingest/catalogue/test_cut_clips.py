"""Clips cut out of their recordings: decided from all clips of the dataset."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from services.ingest.catalogue.cut_clips import CUT_NOTE, renumber_cut_clips, shift_to_first_files
from shared.tables.rows import TableRow

Located = tuple[TableRow, Path | None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def clip(folder: Path, files: range, **cells: object) -> Located:
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    for number in files:
        (place / f"Frame_{number:09}.jpg").touch()
    return TableRow("row", cells, {}), place


def numbers(cells: Mapping[str, object]) -> list[object]:
    return [cells[role] for role in ("onset", "apex", "offset")]


def test_one_clip_whose_folder_has_the_onsets_number_by_chance(folder: Path) -> None:
    """Its files 0..9 have a frame 5, and it is cut out like the others."""
    rows = [
        clip(folder, range(10), onset=1201, apex=1204, offset=1210),
        clip(folder, range(20), onset=300, apex=310, offset=319),
        clip(folder, range(10), onset=5, apex=8, offset=14),
    ]
    found = renumber_cut_clips(rows)
    assert [numbers(each.row.cells) for each in found] == [[0, 3, 9], [0, 10, 19], [0, 3, 9]]
    assert [each.notes for each in found] == [(CUT_NOTE,)] * 3


def test_a_clip_with_too_many_files_among_cut_clips_is_refused(folder: Path) -> None:
    rows = [clip(folder, range(10), onset=at, apex=at + 3, offset=at + 9) for at in (1201, 800)]
    *_, last = renumber_cut_clips([*rows, clip(folder, range(100), onset=20, apex=30, offset=60)])
    assert last.fault == (
        "expected 41 frames as in onset 20 to offset 60, since most clips of the dataset are cut out of their "
        "recordings, got 100 (0 to 99); restore the files or correct the row."
    )


def test_clips_with_the_recordings_numbers_stay(folder: Path) -> None:
    rows = [
        clip(folder, range(1201, 1211), onset=1201, apex=1204, offset=1210),
        clip(folder, range(100), onset=20, apex=30, offset=60),
        (TableRow("row", {"onset": 1, "apex": 2, "offset": 3}, {}), None),
    ]
    found = renumber_cut_clips(rows)
    assert [each.row for each in found] == [row for row, _ in rows]
    assert not any(each.notes or each.fault for each in found)


def test_a_lost_first_file_moves_no_number(folder: Path) -> None:
    rows = [clip(folder, range(first, 80), first=1000, onset=1019, apex=1029, offset=1049) for first in (1, 1, 1, 3)]
    found = shift_to_first_files(rows)
    assert [numbers(each.row.cells) for each in found] == [[20, 30, 50]] * 4
    assert [each.notes for each in found[:3]] == [()] * 3
    assert found[3].notes == ("the files begin with 3, those of most clips with 1: the first were taken as missing",)


def test_files_with_the_sheets_own_numbers_are_not_shifted(folder: Path) -> None:
    """The last folder lost its first file."""
    rows = [
        clip(folder, range(begin, first + 90), first=first, onset=first + 19, apex=first + 29, offset=first + 49)
        for first, begin in ((1000, 1000), (2000, 2000), (3000, 3001))
    ]
    found = [numbers(each.row.cells) for each in shift_to_first_files(rows)]
    assert found == [[first + 19, first + 29, first + 49] for first in (1000, 2000, 3000)]


def test_a_row_without_its_first_number_is_refused(folder: Path) -> None:
    rows = [clip(folder, range(1, 80), first=value, onset=1019, apex=None, offset=1049) for value in (1000, None)]
    good, bad = shift_to_first_files(rows)
    assert (good.fault, numbers(good.row.cells)) == ("", [20, None, 50])
    assert bad.fault == "expected the number of the first frame in first, got none; fill it in."

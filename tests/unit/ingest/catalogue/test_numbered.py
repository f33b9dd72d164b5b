from pathlib import Path

import pytest

from services.ingest.catalogue.numbered import frame_files_between, numbered_images
from shared.errors import BadData


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def numbers(files: tuple[Path, ...]) -> list[str]:
    return [file.stem.removeprefix("img") for file in files]


def test_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    files, notes = frame_files_between(
        folder_of(tmp_path, *(f"img{n}.jpg" for n in (10, 9, 11, 8, 100))), 8, 11, "row 2"
    )
    assert (numbers(files), notes) == (["8", "9", "10", "11"], ())


def test_the_last_number_counts_and_other_files_do_not(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "006_00012.JPG", "._006_00013.jpg", "Thumbs14.db", "note.jpg")
    assert list(numbered_images(folder)) == [12]


def test_small_holes_are_filled_from_the_nearest_and_noted(tmp_path: Path) -> None:
    present = [1, 2, 3, 8, 9]
    files, notes = frame_files_between(folder_of(tmp_path, *(f"img{n}.jpg" for n in present)), 1, 9, "row 2")
    assert numbers(files) == ["1", "2", "3", "3", "3", "8", "8", "8", "9"]
    assert notes == tuple(
        f"frame {n} is missing: frame {m} is shown instead" for n, m in [(4, 3), (5, 3), (6, 8), (7, 8)]
    )


def test_a_large_hole_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"^row 2: expected frames without large holes, got none within 3 frames of 5;"):
        frame_files_between(folder_of(tmp_path, "img1.jpg", "img9.jpg"), 1, 9, "row 2")


@pytest.mark.parametrize(("onset", "offset", "name", "number"), [(1, 3, "onset", 1), (2, 5, "offset", 5)])
def test_the_ends_must_exist(tmp_path: Path, onset: int, offset: int, name: str, number: int) -> None:
    folder = folder_of(tmp_path, "img2.jpg", "img3.jpg", "img4.jpg")
    with pytest.raises(
        BadData, match=f"^row 2: expected the {name} frame {number} in .*, got 2 to 4 without it; restore"
    ):
        frame_files_between(folder, onset, offset, "row 2")


def test_two_files_of_one_number(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "img1.jpg", "img2.jpg", "reg_img2.jpg")
    with pytest.raises(BadData, match=r"expected one file for frame 2, got img2.jpg and reg_img2.jpg; keep one"):
        frame_files_between(folder, 1, 2, "row 2")


def test_no_frames_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"^row 2: expected numbered images in .*, got none; copy the frames there\.$"):
        frame_files_between(folder_of(tmp_path, "readme.txt"), 1, 2, "row 2")


def test_an_absurd_offset_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected the offset frame 1000000000000"):
        frame_files_between(folder_of(tmp_path, "img1.jpg"), 1, 10**12, "row 2")

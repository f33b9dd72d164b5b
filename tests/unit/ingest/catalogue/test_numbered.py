from collections.abc import Sequence
from pathlib import Path

import pytest

from services.ingest.catalogue.numbered import frame_files_between, numbered_images, read_frame_folder
from shared.errors import BadData


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def between(folder: Path, onset: int, offset: int) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    return frame_files_between(folder, read_frame_folder(folder), onset, offset, "row 2")


def numbers(files: tuple[Path, ...]) -> list[str]:
    return [file.stem.removeprefix("img") for file in files]


def test_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    files, notes = between(folder_of(tmp_path, *(f"img{n}.jpg" for n in (10, 9, 11, 8, 100))), 8, 11)
    assert (numbers(files), notes) == (["8", "9", "10", "11"], ())


def test_the_last_number_counts_and_other_files_do_not(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "006_00012.JPG", "._006_00013.jpg", "Thumbs14.db", "note.jpg")
    assert list(numbered_images(folder)) == [12]


def test_small_holes_are_filled_from_the_nearest_and_noted(tmp_path: Path) -> None:
    present = [number for number in range(1, 21) if number not in (4, 5, 6, 11)]
    files, notes = between(folder_of(tmp_path, *(f"img{n}.jpg" for n in present)), 1, 20)
    assert numbers(files)[:11] == ["1", "2", "3", "3", "3", "7", "7", "8", "9", "10", "10"]
    assert notes == tuple(
        f"frame {n} is missing: frame {m} is shown instead" for n, m in [(4, 3), (5, 3), (6, 7), (11, 10)]
    )


def test_a_large_hole_is_a_fault(tmp_path: Path) -> None:
    present = [number for number in range(1, 41) if not 10 <= number <= 16]
    with pytest.raises(BadData, match=r"^row 2: expected frames without large holes, got none within 3 frames of 13;"):
        between(folder_of(tmp_path, *(f"img{n}.jpg" for n in present)), 1, 40)


@pytest.mark.parametrize(("missing", "good"), [((3, 6, 9), True), ((3, 6, 9, 12), False), (range(2, 16), False)])
def test_a_quarter_of_the_frames_may_not_be_missing(tmp_path: Path, missing: Sequence[int], good: bool) -> None:
    folder = folder_of(tmp_path, *(f"img{n}.jpg" for n in range(1, 17) if n not in missing))
    if good:
        assert len(between(folder, 1, 16)[1]) == len(missing)
        return
    with pytest.raises(BadData) as fault:
        between(folder, 1, 16)
    assert str(fault.value) == (
        f"row 2: expected the 16 frames 1 to 16, got {16 - len(missing)}: {len(missing)} are missing, a quarter or "
        "more; restore the files or remove the clip from the sheet."
    )


def test_every_second_frame_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected the 15 frames 1 to 15, got 8: 7 are missing, a quarter or more"):
        between(folder_of(tmp_path, *(f"img{n}.jpg" for n in range(1, 40, 2))), 1, 15)


@pytest.mark.parametrize(("onset", "offset", "name", "number"), [(1, 3, "onset", 1), (2, 5, "offset", 5)])
def test_the_ends_must_exist(tmp_path: Path, onset: int, offset: int, name: str, number: int) -> None:
    folder = folder_of(tmp_path, "img2.jpg", "img3.jpg", "img4.jpg")
    with pytest.raises(
        BadData, match=f"^row 2: expected the {name} frame {number} in .*, got 2 to 4 without it; restore"
    ):
        between(folder, onset, offset)


def test_two_files_of_one_number(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "img1.jpg", "img2.jpg", "img2.png")
    with pytest.raises(BadData, match=r"expected one file for frame 2, got img2.jpg and img2.png; keep one"):
        between(folder, 1, 2)


def test_two_series_in_one_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(f"img{n}{kind}" for n in range(1, 9) for kind in (".jpg", "_mask.png")))
    with pytest.raises(BadData) as fault:
        between(folder, 1, 8)
    assert str(fault.value) == (
        f"row 2: expected in {folder.name} names of one pattern, got 2: img1.jpg, img1_mask.png; rename the files so "
        "that one number counts the frames, and move others out."
    )


def test_no_frames_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"^row 2: expected numbered images in .*, got none; copy the frames there\.$"):
        between(folder_of(tmp_path), 1, 2)


def test_frames_of_a_format_that_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"got none among 2 files and folders such as IMG_1\.HEIC; copy frames .* \.png"):
        between(folder_of(tmp_path, "IMG_1.HEIC", "IMG_2.HEIC"), 1, 2)


def test_other_suffixes_of_jpeg(tmp_path: Path) -> None:
    files, _ = between(folder_of(tmp_path, "img1.jpe", "img2.JFIF"), 1, 2)
    assert [file.name for file in files] == ["img1.jpe", "img2.JFIF"]


def test_letters_are_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"got 2 without a number \(frame_aa.jpg\); number the frames\.$"):
        between(folder_of(tmp_path, "frame_aa.jpg", "frame_ab.jpg"), 1, 2)


def test_an_absurd_offset_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected the offset frame 1000000000000"):
        between(folder_of(tmp_path, "img1.jpg"), 1, 10**12)

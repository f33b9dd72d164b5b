"""Folders of numbered frames, in the order of their numbers (img2 before img10). A large hole is a fault."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.ingest.catalogue.frame_names import LARGE_SHARE, Habits, NameReading, read_frame_names
from shared.errors import BadData
from shared.images.decoding import IMAGE_SUFFIXES

CROP = "reg_"  # names of face crops begin so
REACH = 3  # frames, longest distance to the neighbour that replaces a missing frame


def read_frame_folder(
    folder: Path, cropped: bool | None = None, habits: Habits | None = None, fps: float | None = None
) -> NameReading:
    """The frame numbers of the image files of a folder, without hidden files and other suffixes.

    If a folder has face crops (`reg_img1.jpg`) and raw frames (`img1.jpg`), `cropped` selects one of them.
    """
    return read_frame_names(image_names(folder, cropped), habits, fps)


def numbered_images(folder: Path, cropped: bool | None = None) -> dict[int, list[Path]]:
    """Image files of a folder by frame number. Empty if the numbers cannot be told."""
    found = read_frame_folder(folder, cropped).numbers
    return {number: [folder / name for name in names] for number, names in found.items()}


def image_names(folder: Path, cropped: bool | None = None) -> list[str]:
    """The names of the image files of a folder, in any order."""
    names = [name for name in os.listdir(folder) if _is_image(name)]  # noqa: PTH208 (10,000s of names)
    crops = [name for name in names if name.casefold().startswith(CROP)]
    if cropped is not None and 0 < len(crops) < len(names):
        return crops if cropped else sorted(set(names) - set(crops))
    return names


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122


def frame_files_between(
    folder: Path, reading: NameReading, onset: int, offset: int, location: str
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """One file per frame onset..offset, and a note for each frame that was replaced or file that was left out.

    Raises BadData if there are no frames, if their numbers cannot be told, if two files have one number, or if the
    onset or offset frame is missing. Another missing frame may be at most `REACH` frames from its nearest neighbour,
    and less than a quarter of the frames may be missing.
    """
    found = reading.numbers
    if reading.fault:
        raise BadData(
            f"{location}: expected in {folder.name} {reading.fault}; rename the files so that one number counts the "
            "frames, and move others out."
        )
    if not found:
        raise BadData(f"{location}: expected numbered images in {folder.name}, got {_describe_images(folder)}")
    _check_ends(found, onset, offset, folder, location)
    files = {number: found[number] for number in range(onset, offset + 1) if number in found}
    _check_single(files, location)
    _check_share(files, onset, offset, location)
    nearest = {number: _nearest_frame(files, number, location) for number in range(onset, offset + 1)}
    chosen = tuple(folder / files[neighbour][0] for neighbour in nearest.values())
    return chosen, reading.notes + _note_filled_frames(nearest)


def _describe_images(folder: Path) -> str:
    if names := sorted(image_names(folder)):
        return f"{len(names)} without a number ({names[0]}); number the frames."
    others = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    if not others:
        return "none; copy the frames there."
    kinds = " ".join(sorted(IMAGE_SUFFIXES))
    return (
        f"none among {len(others)} files and folders such as {others[0]}; copy frames of these formats there: {kinds}"
    )


def _check_ends(found: Mapping[int, object], onset: int, offset: int, folder: Path, location: str) -> None:
    for name, number in (("onset", onset), ("offset", offset)):
        if number not in found:
            raise BadData(
                f"{location}: expected the {name} frame {number} in {folder.name}, got {min(found)} to {max(found)} "
                f"without it; restore the file or correct the {name} in the sheet."
            )


def _check_single(files: Mapping[int, Sequence[str]], location: str) -> None:
    for number, same in files.items():
        if len(same) > 1:
            names = " and ".join(same)
            raise BadData(f"{location}: expected one file for frame {number}, got {names}; keep one of them.")


def _check_share(files: Mapping[int, object], onset: int, offset: int, location: str) -> None:
    """A clip of which a quarter would be invented says nothing about a motion."""
    frames = offset - onset + 1
    missing = frames - len(files)
    if missing >= LARGE_SHARE * frames:
        raise BadData(
            f"{location}: expected the {frames} frames {onset} to {offset}, got {len(files)}: {missing} are missing, a "
            "quarter or more; restore the files or remove the clip from the sheet."
        )


def _nearest_frame(files: Mapping[int, object], number: int, location: str) -> int:
    for distance in range(REACH + 1):
        for neighbour in (number - distance, number + distance):
            if neighbour in files:
                return neighbour
    raise BadData(
        f"{location}: expected frames without large holes, got none within {REACH} frames of {number}; "
        "restore the missing files or remove the clip from the sheet."
    )


def _note_filled_frames(nearest: Mapping[int, int]) -> tuple[str, ...]:
    return tuple(
        f"frame {number} is missing: frame {file} is shown instead"
        for number, file in nearest.items()
        if number != file
    )

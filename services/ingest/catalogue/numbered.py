"""Folders of numbered frames, in the order of their numbers (img2 before img10). A large hole is a fault."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.errors import BadData

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2"})
CROP = "reg_"  # names of face crops begin so
REACH = 3  # frames, longest distance to the neighbour that replaces a missing frame

_LAST_NUMBER = re.compile(r"(\d{1,18})(?!.*\d)")


def numbered_images(folder: Path, cropped: bool | None = None) -> dict[int, list[Path]]:
    """Image files of a folder by the last number in their names, without hidden files and other suffixes.

    If a folder has face crops (`reg_img1.jpg`) and raw frames (`img1.jpg`), `cropped` selects one of them.
    """
    names = [name for name in os.listdir(folder) if _is_image(name)]  # noqa: PTH208 (10,000s of names)
    crops = [name for name in names if name.casefold().startswith(CROP)]
    if cropped is not None and 0 < len(crops) < len(names):
        names = crops if cropped else sorted(set(names) - set(crops))
    found: dict[int, list[Path]] = {}
    for name in sorted(names):
        number = _LAST_NUMBER.search(name.rpartition(".")[0])
        if number:
            found.setdefault(int(number[1]), []).append(folder / name)
    return found


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def frame_files_between(
    folder: Path, onset: int, offset: int, location: str, cropped: bool | None = None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """One file per frame onset..offset, and a note for each frame that was replaced.

    Raises BadData if there are no frames, if two files have one number, or if the onset or offset frame is missing.
    Another missing frame may be at most `REACH` frames from its nearest neighbour.
    """
    found = numbered_images(folder, cropped)
    if not found:
        raise BadData(f"{location}: expected numbered images in {folder.name}, got none; copy the frames there.")
    _check_ends(found, onset, offset, folder, location)
    files = {number: found[number] for number in range(onset, offset + 1) if number in found}
    _check_single(files, location)
    nearest = {number: _nearest_frame(files, number, location) for number in range(onset, offset + 1)}
    return tuple(files[neighbour][0] for neighbour in nearest.values()), _note_filled_frames(nearest)


def _check_ends(found: Mapping[int, object], onset: int, offset: int, folder: Path, location: str) -> None:
    for name, number in (("onset", onset), ("offset", offset)):
        if number not in found:
            raise BadData(
                f"{location}: expected the {name} frame {number} in {folder.name}, got {min(found)} to {max(found)} "
                f"without it; restore the file or correct the {name} in the sheet."
            )


def _check_single(files: Mapping[int, Sequence[Path]], location: str) -> None:
    for number, same in files.items():
        if len(same) > 1:
            names = " and ".join(file.name for file in same)
            raise BadData(f"{location}: expected one file for frame {number}, got {names}; keep one of them.")


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

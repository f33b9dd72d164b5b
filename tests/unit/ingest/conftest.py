"""Real files in temporary folders: sheets by openpyxl, frames and videos by cv2, skimage's astronaut as the face."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest
from numpy.typing import NDArray

from tests.unit.conftest import Write
from tests.unit.ingest.inbox.lab import Lab

HEADER = [
    *("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame"),
    *(None, "Action Units", "Estimated Emotion", "Remarks"),
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def write_sheet() -> Write:
    """(folder, rows, header, name): rows of (subject, filename, onset, apex, offset, aus, emotion)."""

    def write(
        folder: Path,
        rows: Sequence[Sequence[object]],
        header: Sequence[object] = HEADER,
        name: str = "CASME2-coding.xlsx",
    ) -> Path:
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        sheet.append(list(header))
        for row in rows:
            subject, filename, onset, apex, offset, aus, emotion = row
            sheet.append(
                [subject, filename, None, onset, apex, offset, None, aus, emotion, "x"] if any(row) else [None]
            )
        folder.mkdir(parents=True, exist_ok=True)
        workbook.save(folder / name)
        return folder / name

    return write


@pytest.fixture
def write_frames(face: NDArray[np.uint8]) -> Write:
    """(folder, numbers, pattern): one image per number whose brightness falls with its number."""

    def write(folder: Path, numbers: Sequence[int], pattern: str = "reg_img{}.jpg") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            save(folder / pattern.format(number), np.clip(face.astype(int) - number % 50, 0, 255).astype(np.uint8))
        return folder

    return write


@pytest.fixture
def casme2(tmp_path: Path, write_sheet: Write, write_frames: Write) -> Path:
    """Two good clips: 01/EP02_01f (frames 8..12: the numbers change their length) and 02/EP02_01f (46..49)."""
    rows = [(1, "EP02_01f", 8, 10, 12, "4+L7", "happiness"), (2, "EP02_01f", 46, "/", 49, "R12+L14", "Others")]
    write_sheet(tmp_path / "casme", rows)
    write_frames(tmp_path / "casme" / "Cropped" / "sub01" / "EP02_01f", range(8, 13))
    write_frames(tmp_path / "casme" / "Cropped" / "sub02" / "EP02_01f", range(46, 50))
    return tmp_path / "casme"


def save(file: Path, rgb: NDArray[np.uint8]) -> None:
    done, encoded = cv2.imencode(file.suffix, np.ascontiguousarray(rgb[:, :, ::-1]))
    assert done
    file.write_bytes(encoded.tobytes())

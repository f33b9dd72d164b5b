"""A distribution on disk: folders of frames and the sheets beside them."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from openpyxl import Workbook

from merstream.synth import coding_sheet
from tests.dataset_layouts.layout import Book, Clip, Form, Row

Picture = Callable[[Clip, int], NDArray[np.uint8]]  # clip and frame number -> RGB


class Frames:
    """How frames are made: `empty` files, `tiny` pictures, or drawn by a function."""

    def __init__(self, make: Picture | None = None, *, empty: bool = False) -> None:
        self._make, self._empty = make, empty
        self._tiny: dict[tuple[str, int], bytes] = {}

    def encoded(self, clip: Clip, number: int, suffix: str) -> bytes:
        if self._empty:
            return b""
        if self._make:
            return _encoded(self._make(clip, number), suffix)
        level = 118 + 20 * (number % 2)  # no frame repeats the one before it
        return self._tiny.setdefault((suffix, level), _encoded(np.full((8, 8, 3), level, np.uint8), suffix))


EMPTY, TINY = Frames(empty=True), Frames()


def write(
    folder: Path, form: Form, clips: Sequence[Clip], frames: Frames = TINY, kinds: Iterable[int] | None = None
) -> Path:
    """Write the clips' frames (of the folders `kinds`, default all) and the sheets; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in kinds if kinds is not None else range(len(form.folders)):
        for clip in clips:
            _write_clip(folder, form, kind, clip, frames)
    for book in form.books:
        write_book(folder / book.file, book, clips)
    return folder


def _write_clip(folder: Path, form: Form, kind: int, clip: Clip, frames: Frames) -> None:
    place = folder / form.folder(kind, clip)
    place.mkdir(parents=True, exist_ok=True)
    for number in form.numbers(clip):
        file = place / form.frame(kind, clip, number)
        file.write_bytes(frames.encoded(clip, number, file.suffix))


def write_book(file: Path, book: Book, clips: Sequence[Clip]) -> None:
    """One sheet file with all its pages."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pages = {title: make(clips) for title, make in book.pages.items()}
    if file.suffix == ".csv":
        _write_csv(file, next(iter(pages.values())))
        return
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for title, rows in pages.items():
        worksheet = workbook.create_sheet(title)
        for row in rows:
            worksheet.append(list(row))
    coding_sheet.save_workbook(workbook, file)


def _write_csv(file: Path, rows: list[Row]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)


def _encoded(picture: NDArray[np.uint8], suffix: str) -> bytes:
    _, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return data.tobytes()

"""A whole synthetic dataset on disk in the CASME II layout; equal arguments give equal bytes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.single_thread import single_thread_environment
from merstream.synth import clip, coding_sheet, emotions, identity, true_motion
from merstream.synth.difficulty import DEFAULT_DIFFICULTY, Difficulty
from shared.interrupts import start_deaf_processes

SheetRow = tuple[object, ...]
FrameImage = NDArray[np.uint8]
Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class DrawingOrder:
    """What to draw. A worker process needs only this and a subject's number."""

    folder: Path
    clips: int
    seed: int
    size: tuple[int, int]
    raw: bool
    cropped: bool
    truth: bool
    difficulty: Difficulty


def write_dataset(
    folder: Path | str,
    subjects: int = 8,
    clips: int = 10,
    seed: int = 0,
    size: tuple[int, int] = (480, 640),
    *,
    raw: bool = True,
    cropped: bool = False,
    truth: bool = True,
    difficulty: Difficulty = DEFAULT_DIFFICULTY,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw `subjects` persons with `clips` micro-expressions each and return the coding sheet's path.

    `folder` receives `CASME2_RAW_selected/sub01/EP../img{N}.jpg` (raw: whole frames of `size` = rows, columns),
    `Cropped/sub01/EP../reg_img{N}.jpg` (cropped: the face alone), `truth/sub01/EP...npz` (truth: see
    `true_motion.read_true_flow`) and the sheet. Displacements scale with the frame's height. A person depends on seed
    and subject alone. The files depend on the arguments alone, not on the number of `jobs` (processes).
    `progress(done, all)` counts subjects.
    """
    order = DrawingOrder(Path(folder), clips, seed, size, raw, cropped, truth, difficulty)
    order.folder.mkdir(parents=True, exist_ok=True)
    rows: list[SheetRow] = []
    for done, found in enumerate(_write_subjects(order, subjects, jobs), 1):
        rows += found
        if progress:
            progress(done, subjects)
    file = order.folder / coding_sheet.SHEET_NAME
    coding_sheet.write_sheet(file, rows)
    return file


def _write_subjects(order: DrawingOrder, subjects: int, jobs: int) -> Iterator[list[SheetRow]]:
    return draw_in_processes(write_subject, [order] * subjects, range(1, subjects + 1), jobs=jobs)


def draw_in_processes(draw: Callable[..., Drawn], *arguments: Sequence[object], jobs: int) -> Iterator[Drawn]:
    """`draw` of each tuple of arguments, in order, in `jobs` processes of one thread each."""
    if jobs == 1:
        yield from map(draw, *arguments)
        return
    with single_thread_environment(), ProcessPoolExecutor(jobs, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        with start_deaf_processes():
            drawn = pool.map(draw, *arguments)
        yield from drawn


def write_subject(order: DrawingOrder, subject: int) -> list[SheetRow]:
    """Draw all clips of one person; return their rows of the sheet."""
    person = identity.draw_identity(order.seed, subject, order.size)
    rng = identity.random_generator(order.seed, subject, 1)
    habits = emotions.draw_habits(rng, order.difficulty)
    felt = emotions.draw_emotions(rng, order.clips)
    return [_write_clip(order, subject, number, person, emotion, habits) for number, emotion in enumerate(felt, 1)]


def _write_clip(
    order: DrawingOrder,
    subject: int,
    number: int,
    person: identity.Identity,
    emotion: str,
    habits: emotions.PersonHabits,
) -> SheetRow:
    rng = identity.random_generator(order.seed, subject, 2, number)
    movements = emotions.draw_movements(rng, emotion, habits, order.difficulty)
    aside = identity.random_generator(order.seed, subject, 3, number)
    movements = emotions.add_lip_press(aside, movements, emotion, habits, order.difficulty)
    timing = clip.draw_timing(rng, order.difficulty)
    motion = clip.draw_motion(rng, person, movements, timing, order.size, order.difficulty)
    name, owner = f"EP{(number + 1) // 2:02}_{2 - number % 2:02}", f"sub{subject:02}"
    if order.truth:
        (order.folder / "truth" / owner).mkdir(parents=True, exist_ok=True)
        true_motion.save_motion(order.folder / "truth" / owner / f"{name}.npz", motion)
    for frame, index in zip(clip.render_frames(rng, person, motion, order.difficulty), motion.numbers, strict=True):
        _write_frame(order, Path(owner) / name, int(index), frame, motion.crop)
    coded = emotions.coded_action_units(movements)
    return (f"{subject:02}", name, None, timing.onset, timing.apex, timing.offset, None, coded, emotion)


def _write_frame(
    order: DrawingOrder, clip_path: Path, number: int, frame: FrameImage, crop: tuple[int, int, int, int]
) -> None:
    left, top, right, bottom = crop
    if order.raw:
        _write_jpeg(
            order.folder / "CASME2_RAW_selected" / clip_path / f"img{number}.jpg", frame, order.difficulty.quality
        )
    if order.cropped:
        face = frame[top:bottom, left:right]
        _write_jpeg(order.folder / "Cropped" / clip_path / f"reg_img{number}.jpg", face, order.difficulty.quality)


def _write_jpeg(file: Path, frame: FrameImage, quality: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    file.write_bytes(data.tobytes())

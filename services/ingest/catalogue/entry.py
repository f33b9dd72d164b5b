"""What discovery is made of: a row as read, a clip that was found, a problem that a person can repair."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.records import Sample

Kind = Literal["frames", "video"]
Prefer = Literal["cropped", "raw"]


@dataclass(frozen=True)
class Entry:
    """One annotation row as its layout read it: cells are raw, nothing is checked yet."""

    where: str  # file, sheet and row, for messages
    dataset: str
    subject: str
    clip: str
    place: Path  # folder of frames or video file; need not exist
    onset: object
    apex: object
    offset: object
    fps: object
    emotion: object
    aus: object
    cropped: bool  # frames are face crops already


@dataclass(frozen=True)
class Found:
    """A clip whose annotation and files agree.

    `files` and `numbers` run in parallel, onset..offset; a missing frame has its neighbour's file and its own number.
    A video has one file and the number 0; its frames count from 0.
    """

    sample: Sample
    files: tuple[Path, ...]
    numbers: tuple[int, ...]
    kind: Kind
    cropped: bool
    notes: tuple[str, ...] = ()  # repairs that shape the frames; they travel with the clip
    label_notes: tuple[str, ...] = ()  # how doubtful labels were read; labels never enter an artifact

    @property
    def onset(self) -> int:
        return self.sample.onset

    @property
    def apex(self) -> int | None:
        return self.sample.apex

    @property
    def offset(self) -> int:
        return self.sample.offset

    @property
    def fps(self) -> float:
        return self.sample.fps


@dataclass(frozen=True)
class Problem:
    """A clip that cannot be used, with its identity as far as known; the sentence says what to do."""

    dataset: str
    subject: str
    clip: str
    sentence: str


@dataclass(frozen=True)
class Layout:
    """How one kind of dataset folder is read: `entries(folder, dataset, prefer)` raises BadData for dataset faults."""

    name: str
    expects: str  # completes "expected ..." in a message
    recognises: Callable[[Path], bool]
    entries: Callable[[Path, str, Prefer], Iterator[Entry]]

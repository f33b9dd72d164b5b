"""What discovery is made of: a row as read, a clip that was found, a problem that a person can repair."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.ingest.catalogue.tree import DatasetTree
from shared.records import Sample

SourceKind = Literal["frames", "video"]
PreferredFrames = Literal["cropped", "raw"]
CorrectionSwitch = Literal["documented", "all", "none"]
LabelKind = Literal["emotion", "objective"]


@dataclass(frozen=True)
class ReadingOptions:
    """How a dataset is read where it leaves a choice."""

    prefer: PreferredFrames = "cropped"  # where a dataset carries both face crops and raw frames
    corrections: CorrectionSwitch = "documented"  # `all` takes those that are only inferred or estimated too
    labels: LabelKind = "emotion"  # which of the dataset's label sets becomes the clip's emotion
    fps: float | None = None  # the true rate, where the catalogue's is wrong


@dataclass(frozen=True)
class AnnotationEntry:
    """One annotation row as its layout read it: cells are raw, nothing is checked yet."""

    location: str  # file, sheet and row, for messages
    dataset: str
    subject: str
    clip: str
    source_path: Path  # folder of frames or video file; need not exist
    onset: object
    apex: object
    offset: object
    fps: object
    emotion: object
    aus: object
    cropped: bool  # frames are face crops already
    column_labels: Mapping[str, str] = field(
        default_factory=dict
    )  # what the sheet calls onset, apex, ... and in which column
    labels: Mapping[str, object] = field(default_factory=dict)  # every label set, by name
    filename: str = ""  # as corrections and protocols know the clip; "" = its name
    duration: object = None  # frames onset..offset, where the sheet says so too
    notes: tuple[str, ...] = ()  # what the layout repaired
    doubts: tuple[str, ...] = ()  # contradictions that the layout saw
    coded: bool = True  # onset and offset are annotated; else they are the first and last frame that lie there

    def column_label(self, role: str) -> str:
        """What a message calls a cell: "ApexFrame (column E)"."""
        return self.column_labels.get(role, role if role == "fps" else f"the {role}")


@dataclass(frozen=True)
class AnnotationChange:
    """A known error of the annotation and what was done about it."""

    clip: str  # subject/clip
    field: str
    old: str
    new: str
    confidence: str
    source: str
    applied: bool

    def __str__(self) -> str:
        verb = "was corrected" if self.applied else "may be wrong"
        return f"{self.clip}: {self.field} {self.old or 'absent'} {verb}, {self.confidence}: {self.new} ({self.source})"


@dataclass(frozen=True)
class FoundClip:
    """A clip whose annotation and files agree.

    `files` and `numbers` run in parallel, onset..offset; a missing frame has its neighbour's file and its own number.
    A video has one file and the number 0; its frames count from 0.
    """

    sample: Sample
    files: tuple[Path, ...]
    numbers: tuple[int, ...]
    kind: SourceKind
    cropped: bool
    notes: tuple[str, ...] = ()  # repairs that shape the frames; they travel with the clip
    label_notes: tuple[str, ...] = ()  # how doubtful labels were read; labels never enter an artifact
    labels: Mapping[str, str] = field(default_factory=dict)  # every label set's label, lower case
    filename: str = ""  # as corrections and protocols know the clip
    source_path: Path = Path()  # the folder or video
    doubts: tuple[str, ...] = ()  # contradictions within the annotation: nothing was changed for them
    coded: bool = True  # see Entry
    changes: tuple[AnnotationChange, ...] = ()

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
class ClipProblem:
    """A clip that cannot be used, with its identity as far as known; the sentence says what to do."""

    dataset: str
    subject: str
    clip: str
    sentence: str
    filename: str = ""  # as the sheet and the folders know the clip


@dataclass(frozen=True)
class DatasetLayout:
    """How one kind of dataset folder is read: `entries(tree, dataset, how)` raises BadData for dataset faults.

    `likeness(tree)` is () for a folder that is none of this kind, else larger the surer it is one.
    """

    key: str  # short name in corrections and protocols: "casme2"
    name: str
    expects: str  # completes "expected ..." in a message
    likeness: Callable[[DatasetTree], tuple[float, ...]]
    read_entries: Callable[[DatasetTree, str, ReadingOptions], Iterator[AnnotationEntry]]
    list_clip_folders: Callable[[DatasetTree], Iterable[tuple[str, tuple[str, str]]]] = (
        lambda tree: ()
    )  # every clip's folder: path, key

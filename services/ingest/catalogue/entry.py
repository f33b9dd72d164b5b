"""The types of discovery: a row as read, a clip that was found, a problem that a person can repair."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.ingest.catalogue.tree import DatasetTree
from shared.inbox.reading_options import ReadingOptions
from shared.records import Sample

SourceKind = Literal["frames", "video"]
Numbering = Literal["", "counted", "timed"]  # of a video's frames: as recorded, or number / rate. "": one if they agree
Seconds = tuple[float | None, float | None, float | None]  # onset, apex and offset after the first frame


@dataclass(frozen=True)
class AnnotationEntry:
    """One annotation row as its layout read it. Cells are raw and not checked yet."""

    location: str  # file, sheet and row, for messages
    dataset: str
    subject: str
    clip: str
    source_path: Path  # folder of frames or video file, which may be absent
    onset: object
    apex: object
    offset: object
    fps: object
    emotion: object
    aus: object
    cropped: bool  # frames are face crops already
    column_labels: Mapping[str, str] = field(default_factory=dict)  # name and column of onset, apex, ... in the sheet
    labels: Mapping[str, object] = field(default_factory=dict)  # label of each label set
    filename: str = ""  # the clip's name in corrections and protocols. "": its name here
    duration: object = None  # frames onset..offset, if the sheet has this number too
    notes: tuple[str, ...] = ()  # repairs by the layout
    doubts: tuple[str, ...] = ()  # contradictions that the layout found
    coded: bool = True  # onset and offset are annotated. Otherwise they are the first and last frame of the folder
    label_notes: tuple[str, ...] = ()  # how cells were read that are not written as the format asks
    fault: str = ""  # why the row cannot be used. "": no reason yet
    face: str = ""  # which of several faces is meant. "" leaves it to the search
    numbering: object = ""  # see `Numbering`
    seconds: Mapping[str, object] = field(default_factory=dict)  # onset, apex and offset in seconds, raw cells

    def column_label(self, role: str) -> str:
        """The name of a cell in messages: "ApexFrame (column E)"."""
        return self.column_labels.get(role, role if role == "fps" else f"the {role}")


@dataclass(frozen=True)
class AnnotationChange:
    """A known error of the annotation, and whether it was corrected."""

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

    `files` and `numbers` run in parallel, onset..offset. A missing frame has its neighbour's file and its own number.
    A video has one file and the number 0. Its frames count from 0. `span` and `times` of a video are known once its
    index was read (`services.ingest.video_locating`).
    """

    sample: Sample
    files: tuple[Path, ...]
    numbers: tuple[int, ...]
    kind: SourceKind
    cropped: bool
    notes: tuple[str, ...] = ()  # repairs that shape the frames. They enter the artifact: new words are a new recipe
    label_notes: tuple[
        str, ...
    ] = ()  # readings of doubtful labels and cells, some on the whole table. No artifact has them
    labels: Mapping[str, str] = field(default_factory=dict)  # label of each label set, lower case
    filename: str = ""  # the clip's name in corrections and protocols
    source_path: Path = Path()  # the folder or video
    doubts: tuple[str, ...] = ()  # contradictions within the annotation, which changed nothing
    coded: bool = True  # see `AnnotationEntry`
    changes: tuple[AnnotationChange, ...] = ()
    face: str = ""  # see `AnnotationEntry`
    location: str = ""  # see `AnnotationEntry`
    numbering: Numbering = ""
    seconds: Seconds | None = None  # as annotated. Where frames are not `numbered`, these alone count
    numbered: bool = True
    span: tuple[int, int | None, int] | None = None  # onset, apex and offset among a video's recorded frames
    times: tuple[float, ...] = ()  # s after the onset, of each frame of an uneven recording

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
    """A clip that cannot be used, with its identity as far as it is known. The sentence says what to do."""

    dataset: str
    subject: str
    clip: str
    sentence: str
    filename: str = ""  # the clip's name in sheet and folders


@dataclass(frozen=True)
class DatasetLayout:
    """A kind of dataset folder. `read_entries(tree, dataset, reading)` raises BadData for faults of the dataset.

    `likeness(tree)` is () for a folder of another kind. Otherwise it is larger the surer the folder is of this kind.
    """

    key: str  # short name in corrections and protocols: "casme2"
    name: str
    expects: str  # completes "expected ..." in a message
    likeness: Callable[[DatasetTree], tuple[float, ...]]
    read_entries: Callable[[DatasetTree, str, ReadingOptions], Iterator[AnnotationEntry]]
    # Path and key of every clip folder.
    list_clip_folders: Callable[[DatasetTree], Iterable[tuple[str, tuple[str, str]]]] = lambda tree: ()

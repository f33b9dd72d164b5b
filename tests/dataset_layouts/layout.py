"""What a dataset's distribution looks like: where frames lie and what the sheet says, as templates over a clip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Row = Sequence[object]


@dataclass(frozen=True)
class Clip:
    """One annotated expression; numbers are those of the files. `apex` None where the dataset codes none."""

    subject: int
    name: str
    onset: int
    apex: int | None
    offset: int
    emotion: str
    aus: str = ""
    objective: str = ""


@dataclass(frozen=True)
class Book:
    """One sheet file: worksheets by title, each a function of all clips; `.csv` has one."""

    file: str
    pages: dict[str, Callable[[Sequence[Clip]], list[Row]]]


@dataclass(frozen=True)
class Form:
    """`folders` and `frame` are templates over the clip's fields and `number`; `before` and `after` frames lie around
    onset and offset. `emotions`: the folder's name where it is not the label."""

    key: str
    folders: tuple[str, ...]
    frames: tuple[str, ...]  # one per folder
    books: tuple[Book, ...] = ()
    before: int = 2
    after: int = 2
    apex: bool = True
    numbered_from: int | None = None  # clips are cut out: their first file has this number
    emotions: dict[str, str] = field(default_factory=dict)
    more: Callable[[Clip], dict[str, object]] = lambda clip: {}  # further fields for the templates

    def folder(self, index: int, clip: Clip) -> str:
        return self.folders[index].format(**self.fields(clip))

    def frame(self, index: int, clip: Clip, number: int) -> str:
        return self.frames[index].format(number=number, **self.fields(clip))

    def fields(self, clip: Clip) -> dict[str, object]:
        return {**vars(clip), "emotion": self.emotions.get(clip.emotion, clip.emotion), **self.more(clip)}

    def known(self, clip: Clip) -> tuple[int, str]:
        """Subject and file name as folders say them."""
        fields = self.fields(clip)
        return int(str(fields.get("person", clip.subject))), str(fields.get("known", clip.name))

    def numbers(self, clip: Clip) -> range:
        """Numbers of the files of a clip."""
        first = self.numbered_from if self.numbered_from is not None else max(clip.onset - self.before, 0)
        return range(min(first, clip.onset), clip.offset + self.after + 1)


def page(header: Row, row: Callable[[Clip], Row], above: Sequence[Row] = ()) -> Callable[[Sequence[Clip]], list[Row]]:
    """A sheet of one row per clip under its header, below `above`."""
    return lambda clips: [*above, header, *(row(clip) for clip in clips)]

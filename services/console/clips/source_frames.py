"""The file of a clip's source that a sentence is about, as it was uploaded: the browser decodes it, the console not."""

import mimetypes
import re
from dataclasses import dataclass

from fastapi import HTTPException

from services.console.clips.artifact_reader import ArtifactReader, check_part_size
from shared.records import SOURCE_STAGE, Record
from shared.store.npz import ArrayFile

# What browsers show. A frame of another kind is offered as a file.
SHOWN_TYPES = {"image/png", "image/jpeg", "image/bmp", "image/webp"}


@dataclass(frozen=True)
class FoundFrame:
    """A file of frames. `is_named`: the sentence names it, otherwise it is the first one."""

    index: int
    name: str
    is_named: bool

    @property
    def media_type(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @property
    def is_shown(self) -> bool:
        return self.media_type in SHOWN_TYPES


def read_frame(reader: ArtifactReader, record: Record, sentence: str) -> tuple[FoundFrame, bytes]:
    """The frame that a sentence names by its file or number, and the bytes of its file.

    Raises HTTPException: 404 for a video and for a clip without a source, 413 for a file that is too large.
    """
    if source := record.artifacts.get(SOURCE_STAGE):
        with reader.open_arrays(source) as arrays:
            if "names" in arrays.shapes:
                frame = _choose_frame(arrays, sentence)
                ends = arrays.read_rows("ends")
                start, end = int(ends[frame.index - 1]) if frame.index else 0, int(ends[frame.index])
                check_part_size(frame.name, end - start)
                return frame, arrays.read_rows("data", start, end).tobytes()
    raise HTTPException(404, f"{record.sample.identity} has no files of frames in the store.")


def _choose_frame(arrays: ArrayFile, sentence: str) -> FoundFrame:
    names, numbers = arrays.read_rows("names").tolist(), arrays.read_rows("numbers").tolist()
    by_length = sorted(range(len(names)), key=lambda index: -len(names[index]))
    for index in by_length:
        if names[index] in sentence:
            return FoundFrame(index, names[index], True)
    for number in re.findall(r"\bframe (\d{1,9})\b", sentence):
        if int(number) in numbers:
            index = numbers.index(int(number))
            return FoundFrame(index, names[index], True)
    return FoundFrame(0, names[0], False)

"""Reading of strangers' files in a child process: a file that ends its reader is a fault of its dataset alone."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from services.ingest.catalogue.entry import FoundClip
from services.ingest.catalogue.spreadsheet import read_tables
from services.ingest.catalogue.video_length import count_video_frames
from services.ingest.source_packing import pack_source
from shared.errors import BadData
from shared.packed_clips import PackedFile, write_packed_clip
from shared.settings import Settings
from shared.tables.table import Table
from shared.worker.child import Child, ChildLost, ChildSide, Serve, UnexpectedFault
from shared.worker.limits import choose_limits

INBOX_GROUP = "inbox"


class GuardedReading:
    """Calls that open sheets and videos, each with the limits of the settings. `beat` is called meanwhile.

    A content that was given up once is refused from then on, without another attempt.
    """

    def __init__(self, settings: Settings, beat: Callable[[], None]) -> None:
        self.beat = beat
        limits = choose_limits(INBOX_GROUP, settings)
        self._child = Child(_build_caller, limits, [__name__]) if settings.work_in_child else None
        self._refused: dict[str, str] = {}  # sentence by digest of the content

    def read_sheet(self, file: Path) -> list[Table]:
        """As `read_tables`. Raises BadData also for a file that ends its reader."""
        return cast(list[Table], self._call(file, read_tables, file))

    def count_frames(self, file: Path, expected: int) -> int:
        """As `count_video_frames`: 0 for a file that cannot be read."""
        try:
            return int(self._call(file, count_video_frames, file, expected))
        except BadData:
            return 0

    def pack_video(self, found: FoundClip, target: Path) -> PackedFile:
        """Pack the clip of a video into a file. Raises BadData."""
        # Labels are no part of the arrays, and their mapping cannot always be pickled.
        clip = replace(found, labels={}, changes=())
        return cast(PackedFile, self._call(found.files[0], _pack_into_file, clip, target))

    def close(self) -> None:
        if self._child:
            self._child.close()

    def _call(self, file: Path, function: Callable[..., Any], *arguments: object) -> Any:
        if self._child is None:
            return function(*arguments)
        if self._refused and (known := self._refused.get(_digest_file(file))):
            raise BadData(known)
        try:
            return self._child.ask((function, arguments), self.beat)
        except (ChildLost, MemoryError, UnexpectedFault) as error:
            how = f"memory ran out ({error})" if isinstance(error, MemoryError) else str(error)
            sentence = (
                f"{file.name}: expected a file that can be read, got one whose reading was given up: {how}; save or "
                "convert it again, make it smaller, or leave it out."
            )
            self._refused[_digest_file(file)] = sentence
            raise BadData(sentence) from None


def _build_caller(side: ChildSide) -> tuple[str, Serve]:
    def call_function(request: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
        function, arguments = request
        return function(*arguments)

    return "ready", call_function


def _pack_into_file(found: FoundClip, target: Path) -> PackedFile:
    return write_packed_clip(pack_source(found), target, found.files[0].name)


def _digest_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

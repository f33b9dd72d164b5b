"""Work on strangers' files, for the process of `guarded_reading`: arguments and results are pickled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.ingest.catalogue.entry import FoundClip
from services.ingest.catalogue.video_length import count_video_frames
from services.ingest.inbox.archive_cache import UnpackedArchive, unpack_archive
from services.ingest.inbox.dropped_files import DatasetContents
from services.ingest.inbox.dry_discovery import DiscoveryView, discover_on_skeleton
from services.ingest.inbox.video_lengths import VideoLengths
from services.ingest.source_packing import pack_source
from shared.errors import BadData
from shared.packed_clips import PackedFile, write_packed_clip
from shared.store import ObjectReader


@dataclass(frozen=True)
class TaskTools:
    """What a task has in its process. `beat` is a sign of progress. `note_file` names the file that is opened next."""

    inbox: ObjectReader
    beat: Callable[[], None]
    note_file: Callable[[str], None]


def run_discovery(
    tools: TaskTools,
    name: str,
    contents: DatasetContents,
    scratch: Path,
    known_lengths: Mapping[str, int],
    refused: Mapping[str, str],
) -> tuple[DiscoveryView, dict[str, int]]:
    """The clips of the dataset `name`, and the lengths of its videos as `VideoLengths` counts them.

    `refused` has a sentence for each file that is not to be opened: a sheet is a fault, a video has no frames.
    """

    def open_file(path: str) -> None:
        tools.note_file(path)
        if path in refused:
            raise BadData(refused[path])

    def count_frames(path: str, expected: int) -> int:
        try:
            open_file(path)
        except BadData:
            return 0
        return lengths.count_frames(path, expected)

    lengths = VideoLengths(contents, tools.inbox, scratch, tools.beat, known_lengths, count_video_frames)
    seen = discover_on_skeleton(name, contents, tools.inbox, scratch, count_frames, open_file, tools.beat)
    # The mapping of labels cannot always be pickled, and nobody asks for it any more.
    seen.clips = [replace(clip, found=replace(clip.found, labels={}, changes=())) for clip in seen.clips]
    return seen, lengths.counted


def run_unpacking(tools: TaskTools, folder: Path, name: str, files: int, size: int) -> UnpackedArchive:
    """As `unpack_archive`."""
    return unpack_archive(folder, name, files, size, tools.beat)


def run_packing(tools: TaskTools, found: FoundClip, target: Path) -> PackedFile:
    """Pack the clip of a video, or of frames, into a file. Raises BadData, and Unavailable if the disk is full."""
    return write_packed_clip(pack_source(found), target, found.files[0].name)

"""The lengths of uploaded videos: each is fetched once, and its count of frames is kept in the ledger."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from services.ingest.catalogue.video_length import VideoLength
from services.ingest.inbox.dropped_files import DatasetContents
from shared.store import ObjectReader


@dataclass
class VideoLengths:
    """Counts of frames by content. `known` are those of the last scan, `counted` those that this one asked for."""

    contents: DatasetContents
    store: ObjectReader
    scratch: Path
    beat: Callable[[], None]
    known: Mapping[str, int]
    count: VideoLength
    counted: dict[str, int] = field(default_factory=dict)

    def count_frames(self, path: str, expected: int) -> int:
        """The frames of the video at `path` inside the dataset, as `count_video_frames` counts them."""
        video = self.contents.files[path]
        key = f"{video.mark} {video.size} {expected}"
        if key not in self.counted:
            self.counted[key] = self.known[key] if key in self.known else self._count_fetched(path, expected)
        return self.counted[key]

    def _count_fetched(self, path: str, expected: int) -> int:
        self.beat()
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            file = Path(folder) / PurePosixPath(path).name
            self.contents.files[path].fetch_to(self.store, file)
            return self.count(file, expected)

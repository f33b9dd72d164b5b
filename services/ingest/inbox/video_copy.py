"""The video that is in the scratch folder: clips of one long video share it."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from services.ingest.inbox.dropped_files import DroppedFile
from shared.store import ObjectReader


@dataclass
class VideoCopy:
    """One video at a time, in `folder`. It is fetched again only if another one was fetched after it."""

    folder: Path
    held: tuple[str, str] | None = None  # path inside the dataset, and mark of its content

    def fetch_video(self, path: str, video: DroppedFile, store: ObjectReader) -> Path:
        """The local file of the video at `path`. Raises NotStored if the object is gone."""
        file = self.folder / PurePosixPath(path).name
        if self.held != (path, video.mark):
            self.held = None  # a fetch that fails leaves nothing whole
            for earlier in self.folder.iterdir():
                earlier.unlink()
            video.fetch_to(store, file)
            self.held = path, video.mark
        return file

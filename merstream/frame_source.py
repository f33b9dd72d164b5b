"""A clip for the stage `ingest` whose frames are in memory instead of files."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.ingest.source_reading import Source


@dataclass
class FrameArraySource(Source):
    """Frames uint8 [T,H,W,3] RGB. Onset, apex and offset are positions in them."""

    frames: NDArray[np.uint8] = field(repr=False)

    def read_frames(self, chosen: Collection[int] | None = None) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Names for messages, and frames uint8 [H,W,3], from onset to offset or for the chosen indices into them."""
        for index in range(self.length) if chosen is None else chosen:
            yield f"frame {self.onset + index}", self.frames[self.onset + index]

"""Looking for faces that are not followed yet: often and cheaply, rarely and thoroughly.

The detector of the mesh sees faces from about a tenth of the frame's longer side. Smaller ones are found in parts of
the frame, and what it misses at any size by dlib's detector.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.face_detectors import choose_detector
from shared.face_mesh import FaceRegion, detect_mesh_faces, region_of_box, region_of_detection, search_tiles

WHOLE_GAP = 0.5  # s between two searches of the whole frame
HURRY_GAP, HURRY_SECONDS = 0.1, 1.0  # s between searches, and for how long, after a face was lost
HALVES_GAP = 3.0  # s between two searches of parts half as large, while faces are followed
QUARTERS_GAP = 3.0  # s between two searches of parts a quarter as large, while there is no face
THOROUGH_GAP = 6.0  # s between two searches by dlib's detector, while there is no face
THOROUGH_SIDE = 960  # px of the longer side that dlib's detector searches: it takes long


@dataclass
class FaceSearch:
    """When a frame is searched, and how. Times are those of the recording, so that a run is repeatable."""

    hurry_until: float = -np.inf
    last_whole: float = -np.inf
    last_halves: float = -np.inf
    last_quarters: float = -np.inf
    last_thorough: float = -np.inf

    def note_loss(self, seconds: float) -> None:
        """A face was lost: it is looked for at once, and often for a while."""
        self.hurry_until, self.last_whole = seconds + HURRY_SECONDS, -np.inf

    def find_regions(self, pixels: NDArray[np.uint8], seconds: float, followed: int) -> list[FaceRegion]:
        """Regions of a frame [H, W, 3] with faces, likely ones first, where a search is due at this time.

        followed: the number of faces that are known in this frame. Known ones are found again too.
        """
        gap = HURRY_GAP if seconds < self.hurry_until else WHOLE_GAP
        if seconds - self.last_whole < gap - 1e-6:
            return []
        self.last_whole = seconds
        found = [region_of_detection(face) for face in detect_mesh_faces(pixels)]
        if followed or found:
            if seconds - self.last_halves >= HALVES_GAP:
                self.last_halves = seconds
                found += [region_of_detection(face) for face in search_tiles(pixels, 1)]
            return found
        found = [region_of_detection(face) for face in search_tiles(pixels, 1)]
        if not found and seconds - self.last_quarters >= QUARTERS_GAP:
            self.last_quarters = seconds
            found = [region_of_detection(face) for face in search_tiles(pixels, 2)]
        if not found and seconds - self.last_thorough >= THOROUGH_GAP:
            self.last_thorough = seconds
            found = _search_thoroughly(pixels)
        return found


def _search_thoroughly(pixels: NDArray[np.uint8]) -> list[FaceRegion]:
    """Faces in a frame [H, W, 3] by dlib's detector."""
    scale = min(1.0, THOROUGH_SIDE / max(pixels.shape[:2]))
    small = pixels if scale == 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    regions = []
    for box, _ in choose_detector("hog")(np.asarray(small, np.uint8), 1):
        centre, side, angle = region_of_box(box)
        regions.append(FaceRegion((centre[0] / scale, centre[1] / scale), side / scale, angle))
    return regions

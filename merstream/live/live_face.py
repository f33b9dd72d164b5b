"""One face of a live session: where it was, and how well it could be seen."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from merstream.live.rolling_spotting import SegmentWatch
from services.spotter.face_geometry import bound_points
from services.spotter.face_quality import FaceSample, describe_limits, sample_face, summarise_samples
from services.spotter.recorded_frames import RecordedFrame
from shared.face_mesh import FaceMesh
from shared.prediction.model import PredictedFace

SAMPLE_GAP = 0.5  # s between two looks at a face's quality
MOST_SAMPLES = 1000  # of a face's quality. Then every second one is left out, so that memory stays flat
RECENT_SAMPLES = 6  # that the live view shows


@dataclass
class LiveFace:
    """A face by its number, over the whole session. boxes: [4] px at the samples."""

    number: int
    first: float
    last: float
    seen: float = 0.0
    watch: SegmentWatch | None = None
    samples: list[FaceSample] = field(default_factory=list)
    boxes: list[NDArray[np.float64]] = field(default_factory=list)
    recent: deque[FaceSample] = field(default_factory=lambda: deque(maxlen=RECENT_SAMPLES))
    stride: int = 1  # of the looks, every how many-th is kept
    looks: int = 0
    sampled: float = -np.inf

    def sample_quality(self, frame: RecordedFrame, before: NDArray[np.uint8] | None, mesh: FaceMesh) -> None:
        """Look at the face's quality if it is time."""
        if frame.seconds - self.sampled < SAMPLE_GAP:
            return
        self.sampled = frame.seconds
        sample = sample_face(frame.pixels, before, mesh.points)
        self.recent.append(sample)
        if self.looks % self.stride == 0:
            self.samples.append(sample)
            self.boxes.append(bound_points(mesh.points))
        self.looks += 1
        if len(self.samples) > MOST_SAMPLES:
            self.samples, self.boxes, self.stride = self.samples[::2], self.boxes[::2], 2 * self.stride

    def describe_now(self) -> tuple[str, ...]:
        """What limits a prediction at this moment, in sentences."""
        return describe_limits(summarise_samples(list(self.recent))) if self.recent else ()

    def compose_face(self) -> PredictedFace:
        """The face as the document has it."""
        quality = summarise_samples(self.samples)
        left, top, right, bottom = (round(float(side)) for side in np.median(self.boxes, axis=0))
        return PredictedFace(
            id=self.number,
            first_seconds=self.first,
            last_seconds=self.last,
            seen_seconds=self.seen,
            box=(left, top, right, bottom),
            eye_distance_px=quality.eye_distance,
            sharpness=quality.sharpness,
            turn_degrees=quality.turn,
            light=quality.light,
            remarks=describe_limits(quality),
        )

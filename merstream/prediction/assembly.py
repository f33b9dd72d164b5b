"""From what was watched, spotted and recognised to the parts of the document."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from merstream.prediction.event_clips import PlannedClip, find_nearest, plan_clip
from merstream.prediction.model import PredictedEvent, PredictedFace, PredictedFlag, Recognition, VideoFacts
from services.spotter.recording import Recording
from services.spotter.watching import WatchedFace, WatchedSegment
from services.trainer.recogniser.recognition import RecognisedExpression
from shared.spotting.events import SpottedEvent
from shared.spotting.spotting import spot_events
from shared.spotting.spotting_settings import SpottingSettings


@dataclass(frozen=True)
class FaceEvent:
    """An event of a face, with its number in the document."""

    number: int
    face: int
    segment: WatchedSegment
    spotted: SpottedEvent

    @property
    def clip(self) -> str:
        """The name of its clip in the run folder."""
        return f"event-{self.number}"

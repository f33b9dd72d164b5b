"""How the sheets of a dataset are read."""

from dataclasses import dataclass
from typing import Literal

PreferredFrames = Literal["cropped", "raw"]
CorrectionSwitch = Literal["documented", "all", "none"]
LabelKind = Literal["emotion", "objective"]


@dataclass(frozen=True)
class ReadingOptions:
    """Options for the reading of a dataset."""

    prefer: PreferredFrames = "cropped"  # if a dataset has both face crops and raw frames
    corrections: CorrectionSwitch = "documented"  # `all` includes inferred and estimated ones
    labels: LabelKind = "emotion"  # the label set that becomes the clip's emotion
    fps: float | None = None  # frames per second, if the catalogue's value is wrong

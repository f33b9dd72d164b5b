"""The events of a long drawn video: what happens, when, how strong. Times are in seconds and know no frame rate."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

EventKind = Literal["micro", "macro", "blink", "speech", "posture", "light"]
EventSide = Literal["both", "left", "right"]
KINDS: tuple[EventKind, ...] = ("micro", "macro", "blink", "speech", "posture", "light")
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0)]
Span = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class LongVideoSettings(BaseModel):
    """How often things happen in a long video, and how. Rates are per minute, shares 0..1, lengths in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    micro: Rate = Field(7.0, description="Micro-expressions per minute.")
    macro: Rate = Field(2.5, description="Macro-expressions per minute.")
    blink: Rate = Field(14.0, description="Blinks per minute, besides those that accompany an expression.")
    speech: Rate = Field(2.0, description="Spoken phrases per minute.")
    posture: Rate = Field(1.5, description="Posture shifts per minute.")
    light: Rate = Field(1.5, description="Lighting changes per minute.")
    micro_seconds: Span = Field((0.1, 0.5), description="Onset to offset of a micro-expression.")
    macro_seconds: Span = Field((0.7, 4.0), description="Onset to offset of a macro-expression.")
    macro_px: Span = Field(
        (3.5, 8.0), description="Displacement of a macro-expression's strongest unit, px of a 480-row frame; at most 9."
    )
    blink_seconds: Span = Field((0.2, 0.4), description="Onset to offset of a blink.")
    phrase_seconds: Span = Field((1.5, 5.0), description="Length of a spoken phrase.")
    syllable_rate: Span = Field((2.5, 4.5), description="Syllables per second.")
    opening: Span = Field((0.03, 0.08), description="How far lips part in a syllable, distances between the eyes.")
    posture_seconds: Span = Field((0.8, 1.3), description="Length of a posture shift.")
    light_seconds: Span = Field((0.05, 1.5), description="Length of a lighting change.")
    posture_px: Rate = Field(8.0, description="Way of the head in a posture shift, px of a 480-row frame.")
    posture_roll: Rate = Field(2.0, description="Roll of the head in a posture shift, degrees.")
    posture_turn: Rate = Field(4.0, description="Turn of the head in a posture shift, degrees; it nods by up to half.")
    sway_px: Rate = Field(1.5, description="Slow drift of the head, below 0.2 Hz, px rms of a 480-row frame per axis.")
    sway_degrees: Rate = Field(0.4, description="Slow roll, turn and nod of the head, below 0.2 Hz, degrees rms each.")
    light_change: Rate = Field(0.12, description="Lighting stays within 1 plus and minus this factor.")
    in_macro: Share = Field(0.15, description="Share of micro-expressions inside a macro-expression.")
    in_speech: Share = Field(0.15, description="Share of expressions inside a spoken phrase.")
    in_posture: Share = Field(0.1, description="Share of expressions during a posture shift.")
    with_blink: Share = Field(0.15, description="Share of expressions with a blink in or beside them.")
    one_sided: Share = Field(0.15, description="Share of expressions that move one side of the face alone.")
    winks: Share = Field(0.04, description="Share of blinks that close one eye alone.")


DEFAULT_SETTINGS = LongVideoSettings()


@dataclass(frozen=True)
class VideoEvent:
    """One event. Its strength follows `levels` at `times` (s), in raised cosines from each to the next.

    units: action units as in `ClipMotion.units`, each with its displacement at level 1 in px of a 480-row frame.
    opening: how far the lips part at level 1, distances between the eyes. closed: the sides of the eyes that close.
    before, after: of a posture shift, the head as in `ClipMotion.head` with px of a 480-row frame; of a lighting
    change, a factor on the light, and its relative change to the picture's right per distance between the eyes.
    """

    kind: EventKind
    times: tuple[float, ...]
    levels: tuple[float, ...]
    apex: float
    side: EventSide = "both"
    emotion: str | None = None
    units: tuple[tuple[str, float], ...] = ()
    opening: float = 0.0
    closed: str = ""
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()

    @property
    def onset(self) -> float:
        """s"""
        return self.times[0]

    @property
    def offset(self) -> float:
        """s"""
        return self.times[-1]

    def level_at(self, seconds: float) -> float:
        """The strength at a time: the first level up to the onset, the last one from the offset on."""
        at = bisect_left(self.times, seconds)
        if at == 0 or at == len(self.times):
            return self.levels[0 if at == 0 else -1]
        (start, end), (low, high) = self.times[at - 1 : at + 1], self.levels[at - 1 : at + 1]
        return low + (high - low) * (1 - float(np.cos(np.pi * (seconds - start) / (end - start)))) / 2

"""The difficulty of synthetic clips: every range, with its unit. Lengths are px of a 640 x 480 frame."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from merstream.synth.action_units import SkinModel

PositiveRange = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
MAX_AMPLITUDE_PX = 3.0  # px; above it, the field of the parting lips is not one to one


class Difficulty(BaseModel):
    """Everything that shapes the clips besides seed and size. Two numbers are the ends of a uniform range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amplitude: PositiveRange = Field(
        (0.5, 2.5), description="Peak displacement of an action unit at the apex, px; at most 3."
    )
    expressivity: PositiveRange = Field((0.75, 1.2), description="Factor on all amplitudes of one subject.")
    skin: SkinModel = Field(
        "connected",
        description="connected: forehead, cheeks and lips move with what hangs on them, and lips press on each other; "
        "patches: the skin at an action unit's landmarks alone, as in earlier versions.",
    )
    asymmetry: float = Field(0.35, ge=0, le=1, description="Largest lack of motion of a face's weaker side, fraction.")
    duration: PositiveRange = Field((0.2, 0.5), description="Onset to offset, s (a micro-expression is < 0.5 s).")
    residual: float = Field(0.15, ge=0, le=1, description="Largest remaining amplitude at the offset, fraction.")
    head_motion: float = Field(0.25, ge=0, description="Slow drift of the head, px rms per axis.")
    head_rotation: float = Field(0.06, ge=0, description="Slow in-plane rotation of the head, degrees rms.")
    head_turn: float = Field(0.0, ge=0, description="Slow turn and nod of the head out of the plane, degrees rms each.")
    lids: float = Field(0.0, ge=0, le=1, description="Chance that the lids start to blink somewhere in the clip.")
    noise: float = Field(1.2, ge=0, description="Sensor noise, grey levels (0..255), standard deviation.")
    flicker: float = Field(0.002, ge=0, description="Frame-to-frame change of the light, relative standard deviation.")
    side_light: float = Field(
        0.0, ge=0, description="Slow change of light from one side to the other, relative rms per distance of the eyes."
    )
    overlap: float = Field(
        0.12, ge=0, le=1, description="Share of the clips of class others that move like another class."
    )
    optional: float = Field(1.0, ge=0, description="Factor on the chance of each optional action unit of a prototype.")
    stray: float = Field(0.06, ge=0, le=1, description="Chance of one weak action unit foreign to the emotion.")
    missed: float = Field(0.05, ge=0, le=1, description="Chance that the coder misses an accompanying action unit.")
    quality: int = Field(90, ge=1, le=100, description="JPEG quality of the frames.")

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name in ("amplitude", "expressivity", "duration"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is {low}..{high}: expected the smaller number first")
        if self.amplitude[1] > MAX_AMPLITUDE_PX:
            raise ValueError(
                f"amplitude goes up to {self.amplitude[1]} px: expected at most {MAX_AMPLITUDE_PX}, or lips fold over"
            )
        return self


DEFAULT_DIFFICULTY = Difficulty()
# More disturbances, and fewer labels that no motion supports, so that a comparison of networks depends on the motion.
HARD_DIFFICULTY = Difficulty(head_motion=0.8, head_rotation=0.2, noise=1.8, flicker=0.004, overlap=0.03)
DifficultyName = Literal["plain", "hard", "hardest"]
DIFFICULTIES: dict[DifficultyName, Difficulty] = {
    "plain": DEFAULT_DIFFICULTY,
    "hard": HARD_DIFFICULTY,
    # Also what no shift or roll can undo: turning and nodding heads, lids, uneven light, AUs without a meaning.
    "hardest": HARD_DIFFICULTY.model_copy(
        update={"head_turn": 0.5, "lids": 0.4, "side_light": 0.01, "optional": 1.6, "stray": 0.25}
    ),
}

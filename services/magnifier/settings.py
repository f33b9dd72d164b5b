"""Science settings of the magnifier, and the two profiles."""

from typing import Literal

from pydantic import Field

from shared.stage import StageSettings

FACTORS = (1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0)


class MagnifierSettings(StageSettings):
    """Eulerian video magnification (Wu et al. 2012); a factor alpha asks for (1 + alpha) times the input's motion."""

    factors: tuple[float, ...] = Field(
        FACTORS,
        min_length=1,
        description="Magnification factors alpha, no unit, not negative; the ICASSP 2024 paper's ten.",
    )
    fl: float = Field(0.5, gt=0, description="Lower temporal cut-off in Hz; the paper's.")
    fh: float = Field(
        10.0, gt=0, description="Upper temporal cut-off in Hz; the paper's. At Nyquist or above: no upper limit."
    )
    halved_cutoffs: bool = Field(
        False, description="The paper's code hands butter() f/fs where it wants 2f/fs: both cut-offs come out at half."
    )
    nominal_fps: float | None = Field(
        None,
        gt=0,
        description="Frame rate in Hz assumed for every clip (paper: 30); none: the clip's own after interpolation.",
    )
    lambda_c: float = Field(
        48.0, gt=0, description="Cut-off wavelength in pixels below which gains fall off; the paper's."
    )
    exaggeration: float = Field(
        2.0, gt=0, description="Factor on the gain formula before it is capped at alpha; the paper's."
    )
    gain_floor: float | None = Field(
        0.0,
        description="Lowest gain of a band; none: as in the paper's code, negative gains (down to -2) reduce fine motion.",
    )
    chrom_attenuation: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the magnification that I and Q get, 0 to 1; 0: brightness alone, the paper's.",
    )
    append_raw_last: bool = Field(
        False,
        description="The paper's code ends each clip with the raw, unmagnified last input frame: the last flow is false.",
    )
    jpeg_quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="JPEG quality between the stages (the published figures: 75, encoder dependent); none: lossless.",
    )
    precision: Literal["float32", "float64"] = Field(
        "float32",
        description="Arithmetic of the stage; the paper's code computes in float64, float32 differs by under 1e-6.",
    )


PROFILES = {
    "corrected": MagnifierSettings(),
    "paper": MagnifierSettings(
        halved_cutoffs=True, nominal_fps=30.0, gain_floor=None, append_raw_last=True, precision="float64"
    ),
}

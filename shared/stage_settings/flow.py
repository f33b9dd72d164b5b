"""Settings of the flow and its two profiles. Every difference between the profiles is one field."""

from typing import Annotated, Literal

from pydantic import Field

from shared.stage import StageSettings

Solver = Literal["fast", "exact", "torch"]
_CODE = "the paper's code"
_SUN = "Sun, Roth & Black 2010"


class FlowSettings(StageSettings):
    """Black & Anandan's flow. Lengths are in pixels of the current level, intensities on 0..255."""

    solver: Solver = Field(
        "fast",
        description="fast: compiled multigrid; torch: multigrid on tensors, for a GPU; exact: float64 sparse direct, "
        "the reference",
    )

    luma: Literal["exact", "rounded"] = Field(
        "exact",
        description=f"Brightness of a frame. rounded: to whole grey levels, as in {_CODE}, which adds noise; exact: "
        "not rounded",
    )
    border: Literal["replicate", "zero"] = Field(
        "replicate",
        description="Values outside the image for the 5x5 blur before the flow; zero darkens the outer 2 px",
    )
    rescale: Literal["own", "height"] = Field(
        "own", description="Ratio that scales u between levels: that of its own axis, or of the height as in " + _CODE
    )
    ridge: float = Field(
        1e-5,
        ge=0,
        le=1e3,
        description="Added to the system's diagonal (as wd Ix^2); keeps flat images solvable, at zero flow",
    )
    interpolation: Literal["cubic", "linear"] = Field(
        "cubic",
        description="Interpolation of the second image between pixels; linear blurs it by the fraction of the motion",
    )
    outside: Literal["ignored", "first"] = Field(
        "ignored",
        description="For pixels whose motion leaves the image. ignored: no data term; first: the first image's value",
    )

    blur_sigma: float = Field(
        1.0,
        gt=0,
        le=100,
        description="Sigma of the blur before the flow, px; 5 over 5 taps is nearly a box and hides detail",
    )

    blur_size: int = Field(5, ge=1, le=101, description=f"Taps per axis of the blur before the flow, px; {_CODE}")
    gnc_alphas: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (1.0, 0.5, 0.0), max_length=10, description=f"Share of the quadratic energy per GNC stage; {_SUN}"
    )
    gnc_spacings: tuple[Annotated[float, Field(gt=1, le=8)], ...] = Field(
        (2.0, 1.25, 1.25), max_length=10, description=f"Ratio of neighbouring pyramid levels per GNC stage; {_SUN}"
    )
    levels: Annotated[int, Field(ge=1, le=12)] | Literal["auto"] = Field(
        "auto",
        description="Pyramid levels per GNC stage. auto: in the first stage as many as leave 16 px of the shorter side "
        f"(4 for 224x280), at least 2. Later stages have 2; {_SUN}",
    )
    warps: int = Field(3, ge=1, le=50, description=f"Warps per level, one linearisation each; {_CODE}")
    limit: float = Field(1.0, gt=0, le=100, description=f"Largest increment per warp and component, px; {_CODE}")
    sigma_data: float = Field(6.3, gt=0, le=1e4, description=f"Scale of the data penalty, grey levels; {_CODE}")
    sigma_spatial: float = Field(0.1, gt=0, le=1e4, description=f"Scale of the smoothness penalty, px; {_CODE}")
    lambda_robust: float = Field(0.1, ge=0, le=1e4, description=f"Weight of Lorentzian smoothness; {_CODE}")
    lambda_quadratic: float = Field(0.05, ge=0, le=1e4, description=f"Weight of quadratic smoothness; {_CODE}")


FLOW_PROFILES = {
    "corrected": FlowSettings(),
    "paper": FlowSettings(
        luma="rounded",
        border="zero",
        rescale="height",
        ridge=0.0,
        interpolation="linear",
        outside="first",
        blur_sigma=5.0,
        levels=2,
    ),
}

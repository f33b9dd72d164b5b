"""Science settings of the magnifier, and the two profiles."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator

from shared.stage import StageSettings

FACTORS = (1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0)

# sha256 of services/magnifier/magnet/weights.safetensors, so that a recipe names the weights that shaped an artifact.
SHIPPED_WEIGHTS = "9a5037a408cbafd66cd4ca4c45cbdcb7eefc1103303bb9e78599fb6c142b102c"
MAGNET_ONLY = ("method", "decode", "weights", "shape_maps")  # settings that mean nothing to EVM


class MagnifierSettings(StageSettings):
    """Eulerian video magnification (Wu et al. 2012), or MagNet (Oh et al. 2018).

    A factor alpha asks for (1 + alpha) times the input's motion. MagNet uses `factors`, `first_frame`, `light`, `head`,
    `append_raw_last`, `jpeg_quality` and its own settings, in float32. The other settings are those of EVM.
    """

    factors: tuple[Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)], ...] = Field(
        FACTORS,
        min_length=1,
        max_length=100,
        description="Magnification factors alpha, no unit; the ten of the ICASSP 2024 paper.",
    )
    fl: float = Field(
        0.0,
        ge=0,
        le=1e5,
        description="Lower temporal cut-off in Hz (paper: 0.5). 0: none. A lower cut-off turns an expression round at "
        "its end, and passes less of it the longer it lasts.",
    )
    fh: float = Field(
        10.0,
        gt=0,
        le=1e5,
        description="Upper temporal cut-off in Hz; the paper's. From Nyquist on there is no upper limit.",
    )
    temporal_filter: Literal["spline", "causal"] = Field(
        "spline",
        description="spline: a smoothing spline, which neither delays nor needs equal steps; causal: the paper's "
        "difference of two first-order Butterworth low-passes, which takes the steps as equal.",
    )
    first_frame: Literal["shown", "dropped"] = Field(
        "shown",
        description="shown: the onset itself is the first magnified frame, so that flows and maps start from it; "
        "dropped: as in the paper's code, which loses the first step of the motion.",
    )
    halved_cutoffs: bool = Field(
        False,
        description="The paper's code designs for f/fs where Butterworth's rule is 2f/fs: half the cut-offs in Hz.",
    )
    nominal_fps: float | None = Field(
        None,
        gt=0,
        le=1e5,
        description="Frame rate in Hz assumed for every clip (paper: 30); none: the clip's own after interpolation.",
    )
    light: Literal["equalised", "as-recorded"] = Field(
        "equalised",
        description="equalised: every frame gets the light of the first one, up to a gain that grows along a plane, so "
        "that flicker does not become motion; as-recorded: as in the paper's code.",
    )
    head: Literal["steadied", "as-recorded"] = Field(
        "steadied",
        description="steadied: shift, roll, scale, turn and nod of the head are removed, so that they are not "
        "magnified with the expression; as-recorded: as in the paper's code.",
    )
    lambda_c: float = Field(
        12.0,
        gt=0,
        le=1e4,
        description="Wavelength in pixels below which gains fall off (paper: 48); 12 is measured on known motion.",
    )
    exaggeration: float = Field(
        2.0, gt=0, le=1000, description="Slope of a band's gain over the bound, before the cap at alpha."
    )
    wavelengths: Literal["octave", "diagonal"] = Field(
        "octave",
        description="Wavelength of a band. octave: its spectral peak; diagonal: the paper's guess from the frame size.",
    )
    gain_floor: float | None = Field(
        0.0,
        ge=-1000,
        le=1000,
        description="Lowest gain of a band; none: the paper's code, whose gains down to -2 reduce motion.",
    )
    finest_band: bool = Field(
        True,
        description="Magnify the finest band too; the paper's code omits it, and with it most of a face's motion.",
    )
    chrom_attenuation: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the magnification that I and Q get; 0: brightness alone, as in the paper.",
    )
    append_raw_last: bool = Field(
        False, description="End the clip with the raw last frame as the paper's code does; its last flow is then false."
    )
    jpeg_quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="JPEG between the stages (published: 75, depends on the encoder); none: lossless.",
    )
    precision: Literal["float32", "float64"] = Field(
        "float32", description="Arithmetic of the stage; the paper's is float64, float32 is within 1e-6 of it."
    )

    method: Literal["evm", "magnet"] = Field(
        "evm",
        description="evm: Eulerian video magnification, a linear filter; magnet: MagNet, a network that learnt to "
        "magnify, which needs torch.",
    )
    decode: Literal["difference", "plain"] = Field(
        "difference",
        description="Frame that MagNet shows. difference: the recorded frame + what magnification changes in the "
        "network's drawing of it; plain: that drawing itself (paper), whose colours and details are off.",
    )
    weights: str = Field(
        SHIPPED_WEIGHTS,
        pattern="^[0-9a-f]{64}$",
        description="MagNet's weights, as the sha256 of their file: those that are shipped, or a file magnet-DIGITS.* "
        "in the folder of weights, named with the first 12 digits.",
    )

    shape_maps: bool = Field(
        False,
        description="Also store the maps of MagNet's shapes from which the paper's code cuts patches; they show more "
        "of the face than of its motion. 6 MB per clip of ten factors.",
    )

    @model_serializer(mode="wrap")
    def _leave_out_other_method(
        self, serialize: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """In JSON, of which recipes are made, without MagNet's settings where EVM magnifies.

        So the artifacts of EVM keep the recipes that they had before there was a choice.
        """
        values: dict[str, Any] = serialize(self)
        all_matter = self.method == "magnet" or info.mode != "json"
        return {name: value for name, value in values.items() if all_matter or name not in MAGNET_ONLY}

    @model_validator(mode="after")
    def _band_is_not_empty(self) -> Self:
        if self.fl >= self.fh:
            raise ValueError(f"The temporal band needs fl < fh, got {self.fl} and {self.fh} Hz.")
        return self

    @model_validator(mode="after")
    def _maps_need_the_network(self) -> Self:
        if self.shape_maps and self.method != "magnet":
            raise ValueError("shape_maps are maps of MagNet's shapes: set method=magnet, too, or leave them out.")
        return self


MAGNIFIER_PROFILES = {
    "corrected": MagnifierSettings(),
    "paper": MagnifierSettings(
        fl=0.5,
        temporal_filter="causal",
        first_frame="dropped",
        halved_cutoffs=True,
        nominal_fps=30.0,
        light="as-recorded",
        head="as-recorded",
        lambda_c=48.0,
        wavelengths="diagonal",
        gain_floor=None,
        finest_band=False,
        append_raw_last=True,
        precision="float64",
        decode="plain",
    ),
}

"""How a run is trained: everything that shapes its figures besides the features. Two profiles, two networks."""

from typing import Any, Literal

from pydantic import Field

from services.trainer.models.settings import MODEL_PROFILES, ModelSettings
from shared.stage import StageSettings


class TrainSettings(StageSettings):
    """One run. What the fields `network` and on hold concerns networks; the baselines read `model`, factor and seed."""

    model: Literal["fmer", "fmer-lite", "ststnet", "off-apexnet", "sssnet", "rcn-a", "htnet", "linear", "majority"] = (
        Field(default="fmer-lite", description="The learner: a network of the registry or a baseline.")
    )
    seed: int = Field(default=0, ge=0, description="Start weights, order, draws of factors, bootstrap.")
    test_factor: float = Field(
        default=2.0,
        ge=0,
        description="Amplification at test (the nearest available); the paper's value. 0: not magnified.",
    )
    network: ModelSettings = Field(default=ModelSettings(), description="Switches of the network's architecture.")
    epochs: int = Field(
        default=40, ge=1, description="Passes over the training fold; fixed, never chosen on the test fold."
    )
    batch: int = Field(default=16, ge=1, description="Clips per step.")
    learning_rate: float = Field(default=4e-3, gt=0, description="Adam's step size.")
    weight_decay: float = Field(default=0.05, ge=0, description="Decoupled decay (AdamW); 0 is plain Adam.")
    schedule: Literal["one-cycle", "late-exponential"] = Field(
        default="one-cycle",
        description="one-cycle: linear warm-up over a tenth of the run, cosine to 0; late-exponential: constant, then "
        "times `gamma` per epoch from epoch index 41 on (paper).",
    )
    gamma: float = Field(default=0.987, gt=0, le=1, description="Factor per epoch of late-exponential (paper: 0.987).")
    factors: Literal["per-clip", "per-flow"] = Field(
        default="per-clip",
        description="Amplification drawn at random in training: one per clip and epoch; or one for each of a clip's "
        "nine flow fields, which mixes magnifications within a sample (paper).",
    )
    mirror: bool = Field(default=True, description="Half of the training clips are mirrored left to right, at random.")
    mirror_at_test: bool = Field(
        default=True, description="Predict the clip and its mirror image and average the probabilities."
    )
    jitter: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Training clips are moved in time: the points between the nine flow fields by up to so many fields "
        "(the sum of the flows stays), the AU clip by a frame at most; 0 is off. Maps have no time.",
    )
    rotate: float = Field(
        default=0.0,
        ge=0,
        le=45,
        description="Training clips are turned by up to so many degrees, vectors too; 0 is off.",
    )
    scale: float = Field(
        default=0.0, ge=0, le=0.5, description="Training clips are scaled by up to this share, vectors too; 0 is off."
    )
    shift: float = Field(
        default=0.0,
        ge=0,
        le=3,
        description="Training clips are moved by up to so many px, each ROI's patch by its own shift, as landmarks "
        "scatter; 0 is off.",
    )
    au_labels: Literal["coded", "zero"] = Field(
        default="coded", description="AU targets of training: as coded; or all zero, the published code's defect."
    )
    au_weight: float = Field(default=1.0, ge=0, description="Weight of the AU loss beside the emotion loss (paper: 1).")
    au_positives: Literal["balanced", "plain"] = Field(
        default="balanced",
        description="balanced: a rare unit's positives weigh sqrt(negatives/positives) of the fold, at most 5.",
    )
    class_weights: Literal["none", "balanced", "inverse", "effective-number"] = Field(
        default="balanced",
        description="What a clip weighs in the emotion loss by the n clips of its class in the fold, mean 1: balanced "
        "1/sqrt(n), since UF1 counts classes alike; inverse 1/n; effective-number (1 - beta)/(1 - beta^n) (Cui 2019).",
    )
    effective_beta: float = Field(
        default=0.99, ge=0, lt=1, description="beta of effective-number: a class's clips count as 1/(1 - beta) at most."
    )
    loss: Literal["cross-entropy", "focal"] = Field(
        default="cross-entropy",
        description="Emotion loss; focal: times (1 - p)^gamma of the true class, so that what is known weighs little "
        "(Lin 2017).",
    )
    focal_gamma: float = Field(default=2.0, ge=0, description="gamma of the focal loss; 0 is cross-entropy.")
    logit_adjustment: float = Field(
        default=0.0,
        ge=0,
        description="tau: in training tau * log(share of the class) is added to the logits, so that the network itself "
        "learns classes as if all were alike (Menon 2021); 1 instead of class weights; 0 is off.",
    )
    sampling: Literal["plain", "balanced"] = Field(
        default="plain",
        description="An epoch's clips: each once; or as many draws, the same number for every class, instead of class "
        "weights.",
    )
    keep: Literal["last", "best-training", "best-inner"] = Field(
        default="last",
        description="Weights to test: of the last epoch; of the epoch with the best training accuracy (paper); or of "
        "the epoch with the best UF1 on training subjects that are held back for it and never fitted on.",
    )
    inner: int = Field(default=5, ge=2, description="best-inner: one in so many training subjects is held back.")
    precision: Literal["float32", "bf16"] = Field(
        default="float32",
        description="Of the arithmetic of training steps; bf16: torch's autocast, for GPUs that have it. Tests are "
        "always float32.",
    )
    oracle: bool = Field(
        default=True,
        description="Also test after every epoch, to show what peeking would have given; never the result.",
    )


LITE_SETTINGS = TrainSettings()
FMER_SETTINGS = TrainSettings(model="fmer", epochs=60, learning_rate=3e-4, weight_decay=0.01)
PAPER_SETTINGS = TrainSettings(
    model="fmer",
    network=MODEL_PROFILES["paper"],
    epochs=100,
    learning_rate=1e-4,
    weight_decay=0.0,
    schedule="late-exponential",
    factors="per-flow",
    mirror=False,
    mirror_at_test=False,
    au_labels="zero",
    au_positives="plain",
    class_weights="none",
    keep="best-training",
)
# The field's baselines on maps. `corrected`: rate and epochs tried out on drawn clips, the rest as above. `paper`: as
# their authors' code trains them, without momentum where it has SGD; that of OFF-ApexNet and SSSNet was not at hand.
MAP_BASELINE_CHANGES = {
    "ststnet": {"epochs": 60, "learning_rate": 3e-3},
    "off-apexnet": {"epochs": 30, "learning_rate": 5e-4},
    "sssnet": {"epochs": 30, "learning_rate": 1e-3},
    "rcn-a": {"epochs": 40, "learning_rate": 3e-3},
    "htnet": {"epochs": 30, "learning_rate": 1e-4},
}
PUBLISHED_BASELINE_CHANGES = {
    "ststnet": {"epochs": 800, "batch": 256, "learning_rate": 5e-5},
    "off-apexnet": {},
    "sssnet": {},
    "rcn-a": {"epochs": 100, "batch": 64, "learning_rate": 5e-4},
    "htnet": {"epochs": 800, "batch": 256, "learning_rate": 5e-5},
}
PUBLISHED_COMMON_CHANGES = {
    "epochs": 100,
    "batch": 32,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "schedule": "late-exponential",
    "gamma": 1.0,
    "mirror": False,
    "mirror_at_test": False,
    "class_weights": "none",
}
PROFILES = {
    "corrected": LITE_SETTINGS,
    "corrected-fmer": FMER_SETTINGS,
    "paper": PAPER_SETTINGS,
    **{
        f"corrected-{name}": LITE_SETTINGS.model_copy(update={"model": name, **own})
        for name, own in MAP_BASELINE_CHANGES.items()
    },
    **{
        f"paper-{name}": LITE_SETTINGS.model_copy(update={"model": name, **PUBLISHED_COMMON_CHANGES, **own})
        for name, own in PUBLISHED_BASELINE_CHANGES.items()
    },
}


def settings_from_profile(profile: str = "corrected", model: str | None = None, **changes: Any) -> TrainSettings:
    """The settings of a profile for a model (default: the profile's own), with single fields changed; None changes
    nothing. Raises ValueError for an unknown profile, model or field, or a value out of range."""
    if profile not in PROFILES:
        raise ValueError(f"Unknown profile {profile!r}: expected one of {', '.join(sorted(PROFILES))}.")
    base = PROFILES.get(f"{profile}-{model}", PROFILES[profile])
    asked = {name: value for name, value in {"model": model, **changes}.items() if value is not None}
    return TrainSettings.model_validate(base.model_dump() | asked)

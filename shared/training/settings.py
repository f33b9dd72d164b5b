"""Training settings: everything that shapes the figures of a run besides the features; and their profiles."""

from typing import Any, Literal

from pydantic import Field

from shared.stage import StageSettings
from shared.training.model_settings import MODEL_PROFILES, ModelSettings


class TrainSettings(StageSettings):
    """The settings of a run. Baselines read only `model`, `seed`, `test_factor` and the network's `map_head`."""

    model: Literal[
        "fmer",
        "fmer-lite",
        "ststnet",
        "ststnet-flows",
        "off-apexnet",
        "sssnet",
        "rcn-a",
        "htnet",
        "pooled-linear",
        "linear-maps",
        "linear",
        "majority",
    ] = Field(default="fmer-lite", description="Name of the learner: a network or a baseline.")
    seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1001,
        description="Seed of start weights, order of clips, random factors and bootstrap.",
    )
    test_factor: float = Field(
        default=2.0,
        ge=0,
        le=1000,
        description="Amplification at test, the nearest available; the paper's value. 0: not magnified.",
    )
    network: ModelSettings = Field(default=ModelSettings(), description="Switches of the network's architecture.")
    epochs: int = Field(
        default=40, ge=1, le=10_000, description="Passes over the training part. Fixed, never chosen on the test part."
    )
    batch: int = Field(default=16, ge=1, le=65_536, description="Clips per training step.")
    learning_rate: float = Field(default=4e-3, gt=0, le=10, description="Step size of Adam.")
    weight_decay: float = Field(
        default=0.05, ge=0, le=10, description="Decoupled weight decay (AdamW); 0 is plain Adam."
    )
    schedule: Literal["one-cycle", "late-exponential"] = Field(
        default="one-cycle",
        description="one-cycle: linear warm-up over a tenth of the run, then cosine to 0. late-exponential: constant, "
        "then times `gamma` per epoch from epoch index 41 on (paper).",
    )
    gamma: float = Field(default=0.987, gt=0, le=1, description="Factor per epoch of late-exponential (paper: 0.987).")
    factors: Literal["per-clip", "per-flow"] = Field(
        default="per-clip",
        description="Random amplification in training. per-clip: one per clip and epoch. per-flow: one for each of a "
        "clip's nine flow fields, which mixes amplifications within a clip (paper).",
    )
    mirror: bool = Field(default=True, description="Mirror a random half of the training clips left to right.")
    mirror_at_test: bool = Field(
        default=True, description="Predict the clip and its mirror image, and average the probabilities."
    )
    jitter: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Largest move of training clips in time, in flow fields; the sum of the flows stays. The AU clip "
        "moves by one frame at most, maps do not move. 0: off.",
    )
    rotate: float = Field(
        default=0.0,
        ge=0,
        le=45,
        description="Largest rotation of training clips and their vectors, in degrees. 0: off.",
    )
    scale: float = Field(
        default=0.0, ge=0, le=0.5, description="Largest relative scaling of training clips and their vectors. 0: off."
    )
    shift: float = Field(
        default=0.0,
        ge=0,
        le=3,
        description="Largest shift of training clips, in px. Each ROI's patch has its own shift, because landmarks "
        "scatter. 0: off.",
    )
    au_labels: Literal["coded", "zero"] = Field(
        default="coded",
        description="AU targets of training. coded: as annotated. zero: all zero, the defect of the published code.",
    )
    au_weight: float = Field(
        default=1.0, ge=0, le=1000, description="Weight of the AU loss relative to the emotion loss (paper: 1)."
    )
    au_positives: Literal["balanced", "plain"] = Field(
        default="balanced",
        description="balanced: positives of a unit have the weight sqrt(negatives/positives) of the training part, at "
        "most 5.",
    )
    class_weights: Literal["none", "balanced", "inverse", "effective-number"] = Field(
        default="balanced",
        description="Weight of a clip in the emotion loss, for n clips of its class in the training part; mean 1. "
        "balanced: 1/sqrt(n), because UF1 counts classes alike. inverse: 1/n. effective-number: "
        "(1 - beta)/(1 - beta^n) (Cui 2019).",
    )
    effective_beta: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="beta of effective-number. The clips of a class count as 1/(1 - beta) at most.",
    )
    loss: Literal["cross-entropy", "focal"] = Field(
        default="cross-entropy",
        description="Emotion loss. focal: cross-entropy times (1 - p)^gamma of the true class, so easy clips have "
        "little weight (Lin 2017).",
    )
    focal_gamma: float = Field(default=2.0, ge=0, le=100, description="gamma of the focal loss; 0 is cross-entropy.")
    logit_adjustment: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="tau: training adds tau * log(share of the class) to the logits, so the network learns as if all "
        "classes were equally frequent (Menon 2021). Use 1 instead of class weights. 0: off.",
    )
    sampling: Literal["plain", "balanced"] = Field(
        default="plain",
        description="Clips of an epoch. plain: each clip once. balanced: as many draws, in equal numbers per class; "
        "use it instead of class weights.",
    )
    keep: Literal["last", "best-training", "best-inner"] = Field(
        default="last",
        description="Epoch whose weights are tested. last: the last one. best-training: the one with the best training "
        "accuracy (paper). best-inner: the one with the best UF1 on validation subjects, which are split off from the "
        "training part.",
    )
    inner: int = Field(
        default=5, ge=2, le=1000, description="best-inner: one training subject in this many is a validation subject."
    )
    precision: Literal["float32", "bf16"] = Field(
        default="float32",
        description="Precision of training steps. bf16: torch's autocast, for GPUs that have it. Predictions are "
        "always float32.",
    )
    oracle: bool = Field(
        default=True,
        description="Also test after every epoch, to show what selection on the test part would have given. Never the "
        "result.",
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
# The field's baselines on maps. `corrected`: rate and epochs were tried on drawn clips, the rest is as above.
# `paper`: as in their authors' code, without the momentum of SGD, on maps as they are. Those of SSSNet and OFF-ApexNet
# are meb's (github.com/tvaranka/meb, notebook "Optical flow networks"): Adam at 1e-4, weight decay 1e-3, 200 epochs,
# batches of 32. No code of OFF-ApexNet's own authors is known. The weight decay is AdamW's.
MAP_BASELINE_CHANGES = {
    "ststnet": {"epochs": 60, "learning_rate": 3e-3},
    "ststnet-flows": {"epochs": 60, "learning_rate": 3e-3},
    "off-apexnet": {"epochs": 30, "learning_rate": 5e-4},
    "sssnet": {"epochs": 30, "learning_rate": 1e-3},
    "rcn-a": {"epochs": 40, "learning_rate": 3e-3},
    "htnet": {"epochs": 30, "learning_rate": 1e-4},
}
PUBLISHED_BASELINE_CHANGES = {
    "ststnet": {"epochs": 800, "batch": 256, "learning_rate": 5e-5},
    "ststnet-flows": {"epochs": 800, "batch": 256, "learning_rate": 5e-5},
    "off-apexnet": {"epochs": 200, "weight_decay": 1e-3},
    "sssnet": {"epochs": 200, "weight_decay": 1e-3},
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
    "network": ModelSettings(map_head="none", map_scaling="training-rms"),
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
    """The settings of a profile for a model (default: the profile's own), with single fields changed.

    A change to None is ignored. Raises ValueError for an unknown profile, model or field, or a value out of range.
    """
    if profile not in PROFILES:
        raise ValueError(f"Unknown profile {profile!r}: expected one of {', '.join(sorted(PROFILES))}.")
    base = PROFILES.get(f"{profile}-{model}", PROFILES[profile])
    requested = {name: value for name, value in {"model": model, **changes}.items() if value is not None}
    if isinstance(network := requested.get("network"), dict):  # some of its fields
        requested["network"] = base.network.model_dump() | network
    return TrainSettings.model_validate(base.model_dump() | requested)

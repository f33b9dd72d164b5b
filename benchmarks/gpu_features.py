"""The features in gpu-bundle/: small enough to travel. Patches are rounded to 1/512 px, maps to half precision."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import Features

STEPS_PER_PX = 512


def save_features(features: Features, folder: Path) -> None:
    """Write labels, patches [N,F,9,2,30,7,7] and maps [N,F,3,28,28]. AU clips are left out: 1 MB each."""
    replace(features, arrays={}).save(folder)
    counts = np.rint(features.array_by_name("patches") * STEPS_PER_PX).clip(-(2**15), 2**15 - 1).astype("<i2")
    # low and high bytes apart, as the high ones are nearly all alike
    low, high = (counts.view(np.uint8)[..., byte::2] for byte in (0, 1))
    np.savez_compressed(
        folder / "arrays.npz", low=low, high=high, maps=features.array_by_name("maps").astype(np.float16)
    )


def load_features(folder: Path) -> tuple[Features, dict[str, Any]] | None:
    """What `save_features` wrote, in float32, and what `gpu_bundle` tells of it; None if there is nothing."""
    if not (folder / "arrays.npz").exists():
        return None
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        counts: NDArray[np.uint8] = np.stack([stored["low"], stored["high"]], -1)
        patches = counts.view("<i2")[..., 0].astype(np.float32) / STEPS_PER_PX
        arrays = {"patches": patches, "maps": stored["maps"].astype(np.float32)}
    about = folder / "about.json"
    features = replace(Features.open(folder), arrays=arrays)
    return features, json.loads(about.read_text()) if about.exists() else {}

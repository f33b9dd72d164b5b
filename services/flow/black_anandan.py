"""Black & Anandan's optical flow between pairs of grey images: the public function; solvers are other modules."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.flow import exact, fast
from shared.device import choose_device
from shared.stage import settings_for_profile
from shared.stage_settings.flow import FLOW_PROFILES, FlowSettings, Solver


def estimate_flow(
    first: ArrayLike, second: ArrayLike, profile: str | FlowSettings = "corrected", solver: Solver | None = None
) -> NDArray[np.float32]:
    """Displacement from `first` to `second`, pair by pair.

    first, second: [N, H, W] grey on 0..255, any real type; this function applies the blur before the flow.
    solver: 'fast', 'exact' or 'torch'; None selects the profile's ('fast' unless changed).
    Returns float32 [N, 2, H, W]: u (to the right) and v (down) in px.
    Raises ValueError for other shapes or values that are not finite. `exact` raises BadData for flat images under a
    profile without ridge, and `torch` raises Misconfigured where torch is not installed.
    """
    settings = settings_for_profile(profile, FLOW_PROFILES)
    first, second = _require_grey_images(first, "first"), _require_grey_images(second, "second")
    if first.shape != second.shape:
        raise ValueError(f"Expected two stacks of one shape, got {first.shape} and {second.shape}.")
    return SOLVERS[solver or settings.solver](first, second, settings)


def _solve_on_tensors(first: NDArray[Any], second: NDArray[Any], settings: FlowSettings) -> NDArray[np.float32]:
    device = choose_device()
    from services.flow import torch_flow  # the plain image has no torch

    return torch_flow.estimate_flow_torch(first, second, settings, device)


SOLVERS = {"fast": fast.estimate_flow_fast, "exact": exact.estimate_flow_exact, "torch": _solve_on_tensors}


def _require_grey_images(stack: ArrayLike, name: str) -> NDArray[Any]:
    images = np.asarray(stack)
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise ValueError(
            f"Expected `{name}` as grey images [N, H, W], got shape {images.shape}; pass one pair as [:1]."
        )
    if images.dtype.kind not in "uif" or not np.isfinite(images).all():
        raise ValueError(
            f"Expected finite grey values in `{name}`, got {images.dtype} with NaN, infinity or no numbers; "
            "look for the frame that is not finite."
        )
    return images

"""One clip in Python: magnification, optical flow and features of frames that are already in memory."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.errors import BadData, Misconfigured
from shared.stage import Arrays, S, settings_for_profile
from shared.store import npz

StageChanges = Mapping[str, Mapping[str, Any]]  # by stage and field, as in `--set stage.field=value`


@dataclass(frozen=True)
class ClipFeatures:
    """The features of one clip, at F magnification factors.

    They are the arrays that the stage `roi-au` stores: patches float32 [F,9,2,30,7,7] (nine flows, u and v in px, 30
    ROIs), maps float32 [F,3,28,28] (u, v, strain from onset to apex), clip uint8 [16,144,144,3] RGB, factors float64
    [F], landmarks float64 [68,2] (x, y in px of the crop). `notes` are sentences, for example on a spotted apex.
    """

    patches: NDArray[np.float32]
    maps: NDArray[np.float32]
    clip: NDArray[np.uint8]
    factors: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    notes: tuple[str, ...] = field(default=())


def magnify(
    frames: NDArray[np.uint8], factors: Sequence[float] = (2.0,), fps: float = 200.0, profile: str = "corrected"
) -> NDArray[np.float32]:
    """Magnify the motion of a clip, once per factor (Wu et al. 2012, Eulerian Video Magnification).

    frames: uint8 [T,H,W,3] RGB, at least two. The first one is the state of rest.
    factors: F factors of 0 or more. Factor 2 asks for 1 + 2 = 3 times the motion. Factor 0 only steadies the head and
    evens the light.
    fps: frames per second of the clip.
    Returns float32 [F,T,H,W,3] RGB in 0..1, the first frame as it is. Profile "paper" leaves it out: [F,T-1,H,W,3].
    Raises BadData for other frames, factors or rates, Misconfigured for an unknown profile.
    """
    from services.magnifier import evm
    from shared.stage_settings.magnifier import MAGNIFIER_PROFILES

    settings = _settings_of_profile(profile, MAGNIFIER_PROFILES)
    clip, rate = _require_clip(frames), _require_rate(fps)
    alphas = _require_numbers(factors, "factors")
    magnified = evm.magnify_motion(clip, alphas.tolist(), settings, rate, settings.precision)
    return np.asarray(magnified, np.float32)


def optical_flow(first: ArrayLike, second: ArrayLike, profile: str = "corrected") -> NDArray[np.float32]:
    """Measure the motion from one image to another, or from each image of a stack to its partner.

    The method is Black & Anandan's (1996), in the form of Sun, Roth & Black (2010).

    first, second: two images [H,W] (grey) or [H,W,3] (RGB), or two stacks [N,H,W] or [N,H,W,3]. The values are uint8,
    or floats from 0 to 1. A last axis of three is colour.
    Returns float32 [2,H,W], or [N,2,H,W] for stacks: u (to the right) and v (down) in px.
    Raises BadData for other images, Misconfigured for an unknown profile.
    """
    from services.flow.black_anandan import estimate_flow
    from shared.stage_settings.flow import FLOW_PROFILES

    settings = _settings_of_profile(profile, FLOW_PROFILES)
    start, end = _to_grey_images(first, "first"), _to_grey_images(second, "second")
    if start.shape != end.shape:
        raise BadData(f"Expected two images or stacks of one size, got {list(start.shape)} and {list(end.shape)}.")
    stack_shape = start.shape if start.ndim == 3 else (1, *start.shape)
    try:
        flows = estimate_flow(start.reshape(stack_shape), end.reshape(stack_shape), settings)
    except ValueError as error:
        raise BadData(str(error)) from None
    return flows if start.ndim == 3 else flows[0]


def extract_features(
    frames: NDArray[np.uint8],
    onset: int,
    apex: int | None,
    offset: int,
    fps: float,
    profile: str = "corrected",
    settings: StageChanges | None = None,
    *,
    cropped: bool = False,
) -> ClipFeatures:
    """Run all image stages on one clip: crop, interpolation, magnification, optical flow, regions.

    frames: uint8 [T,H,W,3] RGB. Whole frames are cropped around the face. With `cropped` they are face crops already,
    and are only scaled.
    onset, apex, offset: positions in `frames`. The apex may be None: then it is spotted, and a note names it.
    fps: frames per second of the clip.
    settings: science settings that differ from the profile, for example {"magnifier": {"factors": [2.0]}}.

    The arrays have the bytes that `mer run` stores for the same pixels. One thread computes them, so their bytes do not
    depend on the machine. At the default settings a clip takes some seconds.
    Raises BadData for other frames, for positions outside the clip and for a clip without a face. Raises Misconfigured
    for unknown settings, MissingWeights if model weights are not on this machine.
    """
    from merstream.single_thread import limit_own_threads
    from merstream.stages import STAGES, build_pipeline
    from shared.worker.stage_handler import pipeline_settings

    pipeline = build_pipeline(profile, settings or {})
    clip, rate = _require_clip(frames), _require_rate(fps)
    inputs: dict[str, Arrays] = {}
    with limit_own_threads():
        for stage in STAGES:
            chosen: Any = pipeline_settings(stage, pipeline)
            try:
                if stage.name == "ingest":
                    result = _crop_clip(clip, onset, apex, offset, rate, cropped, chosen)
                else:
                    result = stage.compute({name: inputs[name] for name in stage.reads}, chosen)
            except BadData as error:
                raise BadData(f"{stage.name}: {error}") from None
            npz.require_finite(result, f"result of {stage.name}")
            inputs[stage.name] = {name: np.asarray(array, order="C") for name, array in result.items()}
    notes = tuple(str(note) for note in inputs["ingest"]["notes"])
    return ClipFeatures(**inputs[STAGES[-1].name], notes=notes)


def _crop_clip(
    frames: NDArray[np.uint8],
    onset: int,
    apex: int | None,
    offset: int,
    fps: float,
    cropped: bool,
    settings: Any,
) -> Arrays:
    """The arrays of the stage `ingest`, from frames uint8 [T,H,W,3] instead of files."""
    from merstream.frame_source import FrameArraySource
    from services.ingest.clip_cropping import crop_clip

    first, last = _require_index(onset, "onset"), _require_index(offset, "offset")
    peak = None if apex is None else _require_index(apex, "apex")
    if not 0 <= first < last < len(frames):
        raise BadData(
            f"Expected 0 <= onset < offset < {len(frames)} (the number of frames), got onset {first}, offset {last}."
        )
    if peak is not None and not first <= peak <= last:
        raise BadData(f"Expected an apex from onset {first} to offset {last}, or None, got {peak}.")
    return crop_clip(FrameArraySource(first, peak, last, fps, cropped, [], {}, frames), settings)


def _settings_of_profile(profile: str, profiles: Mapping[str, S]) -> S:
    try:
        return settings_for_profile(profile, profiles)
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def _require_clip(frames: Any) -> NDArray[np.uint8]:
    """The frames, if they are uint8 [T,H,W,3] with at least two of them."""
    clip = np.asarray(frames)
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape or len(clip) < 2:
        raise BadData(
            f"Expected frames as uint8 [2 or more, rows, columns, 3] in RGB, got {clip.dtype} {list(clip.shape)}. "
            "Convert floats from 0..1 by (255 * frames).round().astype(numpy.uint8)."
        )
    return np.ascontiguousarray(clip)


def _require_rate(fps: Any) -> float:
    rate = _require_numbers(fps, "fps")
    if rate.ndim or not np.isfinite(rate) or rate <= 0:
        raise BadData(f"Expected fps as one finite number above 0, got {fps!r}.")
    return float(rate)


def _require_numbers(values: Any, name: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise BadData(f"Expected numbers for {name}, got {values!r}.") from None
    if not numbers.size:
        raise BadData(f"Expected at least one number for {name}, got none.")
    return numbers


def _require_index(value: Any, name: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise BadData(f"Expected {name} as a position in the frames, a whole number, got {value!r}.") from None


def _to_grey_images(images: ArrayLike, name: str) -> NDArray[Any]:
    """Grey images [H,W] or [N,H,W] with values from 0 to 255: uint8 of uint8, else float32."""
    from services.flow.stage import LUMA, rgb_to_luma

    array = np.asarray(images)
    colour = array.ndim > 2 and array.shape[-1] == 3
    if array.ndim - colour not in (2, 3) or 0 in array.shape:
        raise BadData(
            f"Expected `{name}` as [rows, columns], [rows, columns, 3] or a stack of those, got {list(array.shape)}."
        )
    if array.dtype == np.uint8:
        return rgb_to_luma(array) if colour else array
    if array.dtype.kind != "f" or not (array.min() >= 0 and array.max() <= 1):
        found = f"{array.min()} to {array.max()}" if array.dtype.kind in "iufb" else "no numbers"
        raise BadData(f"Expected `{name}` as uint8, or as floats from 0 to 1, got {array.dtype} with {found}.")
    floats = array.astype(np.float32) * np.float32(255)
    return np.asarray(floats @ LUMA if colour else floats, np.float32)

"""The reference solver: float64 throughout, with a direct solution of each linear system; slow, accurate to 1e-8 px."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse  # type: ignore[import-untyped]
from scipy.sparse import linalg  # type: ignore[import-untyped]

from services.flow import pyramid
from services.flow.pyramid import Floats
from services.flow.robust import data_weight, spatial_weight
from shared.errors import BadData
from shared.stage_settings.flow import FlowSettings

GRADIENT_TAPS = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0  # sixth-order central difference, per px


def estimate_flow_exact(first: NDArray[Any], second: NDArray[Any], settings: FlowSettings) -> NDArray[np.float32]:
    """Flow of N pairs: [N, H, W] grey on 0..255, twice -> float32 [N, 2, H, W], px.

    Peak memory is some 3 kB per pixel of one pair, for the factors of the system. Raises BadData as `solve_increment`.
    """
    flows = np.empty((len(first), 2, *first.shape[1:]), np.float32)
    for i in range(len(first)):
        flows[i] = estimate_pair_flow(first[i], second[i], settings)
    return flows


def blur_image(image: Floats, settings: FlowSettings) -> Floats:
    """[H, W] grey -> [H, W], blurred by the Gaussian of the settings: the image that the flow sees."""
    blur = settings.blur_size, settings.blur_sigma, settings.border
    height, width = image.shape
    return pyramid.apply_taps(image, (pyramid.blur_taps(height, *blur), pyramid.blur_taps(width, *blur)))


def shrink_image(image: Floats, spacing: float) -> Floats:
    """[H, W] -> [ceil(H / spacing), ceil(W / spacing)]: one pyramid level up."""
    height, width = image.shape
    return pyramid.apply_taps(image, (pyramid.shrink_taps(height, spacing), pyramid.shrink_taps(width, spacing)))


def resize_flow(uv: Floats, shape: tuple[int, int], rescale: str) -> Floats:
    """Flow [2, H, W] -> flow [2, *shape]; displacements scale with the image.

    `rescale` is the setting: "own" scales u and v by the ratio of their own axis, "height" both by that of the height.
    """
    height, width = uv.shape[1:]
    axes = pyramid.resize_taps(height, shape[0]), pyramid.resize_taps(width, shape[1])
    ratio_v = shape[0] / height
    ratio_u = ratio_v if rescale == "height" else shape[1] / width
    return np.stack([pyramid.apply_taps(uv[0], axes) * ratio_u, pyramid.apply_taps(uv[1], axes) * ratio_v])


def warp_image(first: Floats, second: Floats, uv: Floats, settings: FlowSettings) -> tuple[Floats, Floats]:
    """`second` [H, W] pulled back along the flow `uv` [2, H, W], px, and a mask [H, W]: 1 where uv stays inside."""
    height, width = first.shape
    y, x = np.mgrid[:height, :width] + uv[::-1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    sample = _sample_cubic if settings.interpolation == "cubic" else _sample_linear
    pulled = sample(second, y, x)
    return np.where(inside, pulled, first) if settings.outside == "first" else pulled, inside.astype(np.float64)


def _sample_linear(image: Floats, y: Floats, x: Floats) -> Floats:
    sampled: Floats = ndimage.map_coordinates(image, [y, x], order=1, mode="nearest")
    return sampled


def _sample_cubic(image: Floats, y: Floats, x: Floats) -> Floats:
    """Cubic convolution with a = -1/2 (Keys 1981), the edge replicated; all arrays [H, W]."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    rows, columns = (
        [np.clip(at + k, 0, n - 1) for k in range(-1, 3)] for at, n in zip((top, left), image.shape, strict=True)
    )
    across = _cubic_weights(x - left)
    lines = [np.sum([w * image[row, c] for w, c in zip(across, columns, strict=True)], axis=0) for row in rows]
    sampled: Floats = np.sum([w * line for w, line in zip(_cubic_weights(y - top), lines, strict=True)], axis=0)
    return sampled


def _cubic_weights(t: Floats) -> tuple[Floats, ...]:
    """Weights of the four samples around a position that lies t (px, 0..1) behind the second one."""
    return (
        t * (t * (2.0 - t) - 1.0) / 2.0,
        (t * t * (3.0 * t - 5.0) + 2.0) / 2.0,
        t * (t * (4.0 - 3.0 * t) + 1.0) / 2.0,
        t * t * (t - 1.0) / 2.0,
    )


def image_derivatives(
    first: Floats, second: Floats, uv: Floats, settings: FlowSettings
) -> tuple[Floats, Floats, Floats, Floats]:
    """It (grey levels), Ix, Iy (grey levels per px) at the flow, and the share 0..1 of the data term; each [H, W].

    first, second: [H, W]; uv: [2, H, W] px. The share is 0 for pixels that left the image, if the settings ignore them.
    """
    pulled, inside = warp_image(first, second, uv, settings)
    ix, iy = (ndimage.correlate1d(pulled, GRADIENT_TAPS, axis=axis, mode="reflect") for axis in (1, 0))
    return pulled - first, ix, iy, inside if settings.outside == "ignored" else np.ones_like(inside)


def smoothness_operator(component: Floats, alpha: float, settings: FlowSettings) -> sparse.csr_array:
    """F = sum over x and y of D' diag(w) D for one flow component [H, W], lambda included: sparse [HW, HW]."""
    height, width = component.shape
    across = sparse.kron(sparse.eye_array(height), _forward_differences(width))
    down = sparse.kron(_forward_differences(height), sparse.eye_array(width))
    total = sparse.csr_array((component.size, component.size))
    for difference in (across, down):
        weight = spatial_weight(difference @ component.ravel(), alpha, settings)
        total = total + difference.T @ _diagonal_matrix(weight) @ difference
    return total


def build_system(
    first: Floats, second: Floats, uv: Floats, alpha: float, settings: FlowSettings
) -> tuple[sparse.csc_array, Floats]:
    """The linear system of the increment at `uv` [2, H, W]: A sparse [2HW, 2HW], symmetric, and b [2HW]; u before v."""
    it, ix, iy, counts = (plane.ravel() for plane in image_derivatives(first, second, uv, settings))
    weight = counts * data_weight(it, alpha, settings)
    smooth = sparse.block_diag([smoothness_operator(component, alpha, settings) for component in uv])
    cross = _diagonal_matrix(weight * ix * iy)
    data = sparse.block_array([[_diagonal_matrix(weight * ix**2), cross], [cross, _diagonal_matrix(weight * iy**2)]])
    ridge = settings.ridge * sparse.eye_array(2 * it.size)
    return sparse.csc_array(data + smooth + ridge), -(smooth @ uv.ravel()) - np.tile(weight * it, 2) * np.r_[ix, iy]


def solve_increment(first: Floats, second: Floats, uv: Floats, alpha: float, settings: FlowSettings) -> Floats:
    """Increment [2, H, W] of one warp, px, clamped to the setting `limit`.

    first, second: [H, W]; uv: [2, H, W] px. Raises BadData if the system is singular.
    """
    matrix, right = build_system(first, second, uv, alpha, settings)
    if not right.any():
        return np.zeros_like(uv)
    try:
        solved = linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
    except RuntimeError as error:
        raise BadData(
            "Expected images with texture, got a pair that leaves the flow's system singular (flat images); "
            "use a profile with a ridge, such as 'corrected'."
        ) from error
    clamped: Floats = np.clip(solved.reshape(uv.shape), -settings.limit, settings.limit)
    return clamped


def estimate_pair_flow(first: Floats, second: Floats, settings: FlowSettings) -> Floats:
    """Flow float64 [2, H, W], px, of one pair of [H, W] images on 0..255."""
    images = [blur_image(image.astype(np.float64), settings) for image in (first, second)]
    uv: Floats = np.zeros((2, *first.shape))
    for step in pyramid.level_schedule(first.shape, settings):
        uv = resize_flow(uv, step.shape, settings.rescale) if uv.shape[1:] != step.shape else uv
        near, far = (reduce_to_level(image, step) for image in images)
        uv = refine_flow(near, far, uv, step.alpha, settings)
    return uv


def reduce_to_level(image: Floats, step: pyramid.PyramidStep) -> Floats:
    """A blurred image [H, W] at the level of the step's pyramid: [*step.shape]."""
    for _ in range(step.level):
        image = shrink_image(image, step.spacing)
    return image


def refine_flow(first: Floats, second: Floats, uv: Floats, alpha: float, settings: FlowSettings) -> Floats:
    """The flow [2, H, W] after all warps of one level, from images [H, W] and the flow `uv` [2, H, W]; px."""
    for _ in range(settings.warps):
        uv = uv + solve_increment(first, second, uv, alpha, settings)
    return uv


def _diagonal_matrix(values: Floats) -> sparse.dia_array:
    return sparse.diags_array([values], offsets=[0])


def _forward_differences(n: int) -> sparse.csr_array:
    """[n, n] forward differences of n samples; the last row is empty."""
    ones = np.ones(n)
    ones[-1] = 0.0
    return sparse.csr_array(sparse.diags_array([-ones, np.ones(n - 1)], offsets=[0, 1], shape=(n, n)))

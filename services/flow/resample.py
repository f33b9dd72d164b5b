"""Blur, shrink and resize, compiled: both axes' taps of `services.flow.pyramid` on float32 images."""

from typing import Any

import numpy as np
from numba import uintp

from services.flow.compiled import compiled_kernel


@compiled_kernel
def resample_image(
    image: Any, row_index: Any, row_weights: Any, column_index: Any, column_weights: Any, factor: float, out: Any
) -> None:
    """out [h, w] = factor * (rows' taps) image [H, W] (columns' taps)', float32; index and weights are [out, taps].

    It works one row at a time, so that only one row is kept in between.
    """
    tall = np.empty(image.shape[1], np.float32)
    for y in range(out.shape[0]):
        tall[:] = np.float32(0.0)
        for k in range(row_index.shape[1]):
            weight, source = np.float32(factor) * row_weights[y, k], uintp(row_index[y, k])
            if weight != 0:
                for x in range(uintp(tall.size)):
                    tall[x] += weight * image[source, x]
        for x in range(uintp(out.shape[1])):
            total = np.float32(0.0)
            for k in range(uintp(column_index.shape[1])):
                total += column_weights[x, k] * tall[uintp(column_index[x, k])]
            out[y, x] = total

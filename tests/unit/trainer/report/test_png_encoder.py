"""A PNG of our own is what any reader takes for one."""

import io

import numpy as np
import pytest
from PIL import Image

from services.trainer.report.png_encoder import encode_png


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (144, 144), (3, 700)])
def test_the_pixels_come_back(size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    with Image.open(io.BytesIO(encode_png(picture)), formats=["PNG"]) as read:
        assert (np.asarray(read) == picture).all()

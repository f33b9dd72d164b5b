"""Misclassified clips: which, in which order, and their pictures."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from services.trainer.report.misclassified import ClipPictures, clip_pictures, misclassified_clips
from tests.unit.trainer.report.conftest import outcome


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_the_surest_errors_come_first_and_right_ones_never(toy):
    features = toy(3, 3)
    outcomes = [
        outcome(features, "toy/s00", [1, 1, 2], sure=0.6),
        outcome(features, "toy/s01", [0, 1, 2], sure=0.99),
        outcome(features, "toy/s02", [0, 2, 1], sure=0.9),
    ]
    found = misclassified_clips(features, outcomes, max_shown=2)
    assert (found.total, found.tested) == (3, 9)
    assert [each.clip for each in found.shown] == ["toy/s02/c01", "toy/s02/c02"]
    first = found.shown[0]
    assert (first.emotion, first.predicted, first.held_out) == ("happiness", "surprise", "toy/s02")
    assert (first.probability, first.probability_of_emotion) == (pytest.approx(0.9), pytest.approx(0.05))
    assert misclassified_clips(features, outcomes[1:2]).shown == ()


def test_motion_to_the_right_is_red_at_the_factor_of_the_test(toy):
    features = toy(2, 3)
    maps = features.arrays["maps"].copy()
    maps[4, 1, 0], maps[4, 1, 1] = 1.5, 0
    found = clip_pictures(replace(features, arrays={"maps": maps}), "toy/s01/c01", 2.0)
    assert found.full == pytest.approx(1.5)
    assert (pixels(found.flow) == [255, 0, 0]).all()
    assert pixels(found.flow).shape == (28, 28, 3)
    assert found.frame is None


def test_the_middle_frame_is_shown_when_it_is_asked_for(toy):
    features = toy(2, 3)
    found = clip_pictures(features, "toy/s01/c02", 2.0, faces=True)
    assert (pixels(found.frame) == features.arrays["clip"][5, 8]).all()
    assert clip_pictures(replace(features, arrays={}), "toy/s01/c02", 2.0, faces=True) == ClipPictures(None, None, None)

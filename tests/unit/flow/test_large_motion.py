"""The setting `levels`: motions up to a tenth of the frame are found, small ones and small frames lose nothing."""

import cv2
import numpy as np
import pytest

from benchmarks.known_motions import MOTIONS, MovingFace
from services.flow import pyramid
from services.flow.black_anandan import estimate_flow
from shared.stage_settings.flow import FLOW_PROFILES

CORRECTED, PAPER = FLOW_PROFILES["corrected"], FLOW_PROFILES["paper"]
TWO_LEVELS = CORRECTED.model_copy(update={"levels": 2})


@pytest.fixture(scope="module")
def face():
    return MovingFace(7)


def measure_pair(pair, settings):
    """Mean end-point error (px), gain and correlation about zero of the flow against the truth."""
    found = estimate_flow(pair.first[None], pair.second[None], settings)[0][pair.inner]
    true = pair.true_flow[pair.inner]
    products = (found * true).sum()
    gain, correlation = products / (true**2).sum(), products / np.sqrt((true**2).sum() * (found**2).sum())
    return float(np.hypot(*(found - true)).mean()), float(gain), float(correlation)


def shrink_pair(pair, width, height):
    return [
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)[None] for image in (pair.first, pair.second)
    ]


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_truth_leads_from_each_pixel_to_the_same_skin(face, motion):
    pair = face.draw_pair(motion, 16, "none")
    rows, columns = np.mgrid[: pair.first.shape[0], : pair.first.shape[1]].astype(np.float32)
    at = columns + pair.true_flow[0], rows + pair.true_flow[1]
    pulled = cv2.remap(pair.second.astype(np.float32), *at, cv2.INTER_CUBIC)
    off = np.abs(pulled - pair.first)[pair.inner[1:]]
    assert off.mean() < 0.7  # grey levels: both frames are rounded, and the second is interpolated
    assert np.hypot(*pair.true_flow).max() == pytest.approx(16, rel=0.02)


@pytest.mark.parametrize(
    ("shape", "levels"),
    [((280, 224), 4), ((112, 96), 3), ((63, 80), 2), ((64, 80), 3), ((5, 5), 2), ((1, 900), 2), ((1000, 1000), 6)],
)
def test_levels_follow_from_the_shorter_side(shape, levels):
    assert [pyramid.count_levels(shape, stage, CORRECTED) for stage in (1, 2, 3)] == [levels, 2, 2]
    steps = pyramid.level_schedule(shape, CORRECTED)
    assert [step.level for step in steps] == [*range(levels - 1, -1, -1), 1, 0, 1, 0]
    assert levels == 2 or 16 <= min(steps[0].shape) <= 32


def test_a_number_of_levels_holds_in_every_stage():
    steps = pyramid.level_schedule((280, 224), CORRECTED.model_copy(update={"levels": 3}))
    assert [(step.stage, step.level) for step in steps] == [(s, level) for s in (1, 2, 3) for level in (2, 1, 0)]
    assert [step.level for step in pyramid.level_schedule((280, 224), PAPER)] == [1, 0] * 3


@pytest.mark.parametrize("length", [12, 20])
@pytest.mark.parametrize("disturbance", ["none", "noise"])
def test_a_shift_of_20_px_is_found(face, length, disturbance):
    error, gain, correlation = measure_pair(face.draw_pair("shift", length, disturbance), CORRECTED)
    assert error < 0.06
    assert gain == pytest.approx(1, abs=0.002)
    assert correlation > 0.999


@pytest.mark.parametrize(
    ("motion", "length", "gain", "correlation"),
    [
        ("bump", 12, 0.76, 0.96),
        ("bump", 20, 0.65, 0.91),
        ("expression", 12, 0.66, 0.91),
        ("expression", 20, 0.57, 0.83),
    ],
)
def test_a_local_motion_of_20_px_is_followed(face, motion, length, gain, correlation):
    """As of an expression magnified to this length, at 25 frames/s. Two levels miss every bound."""
    pair = face.draw_pair(motion, length, "none")
    error, found_gain, found_correlation = measure_pair(pair, CORRECTED)
    assert found_gain > gain
    assert found_correlation > correlation
    assert error < measure_pair(pair, TWO_LEVELS)[0]


@pytest.mark.parametrize("motion", ["shift", "bump", "expression"])
@pytest.mark.parametrize("length", [0.05, 0.1, 0.2, 0.5])
def test_small_motions_lose_nothing(face, motion, length):
    pair = face.draw_pair(motion, length, "noise")
    assert measure_pair(pair, CORRECTED) == pytest.approx(measure_pair(pair, TWO_LEVELS), abs=0.001)


def test_two_levels_lose_the_shift(face):
    assert measure_pair(face.draw_pair("shift", 20, "none"), TWO_LEVELS)[0] > 3


@pytest.mark.parametrize(("width", "height", "reach"), [(720, 900, 60), (48, 60, 4)])
def test_the_reach_grows_with_the_frame(face, width, height, reach):
    pair = face.draw_pair("shift", reach * 224 / width, "none")
    first, second = (cv2.resize(image, (width, height)) for image in (pair.first, pair.second))
    found = estimate_flow(first[None], second[None], CORRECTED)[0]
    inner = np.s_[:, height // 5 : -height // 5, width // 5 : -width // 5]
    truth = pair.true_flow[:, 0, 0] * width / 224
    assert np.abs(found[inner].mean((1, 2)) - truth).max() < 0.03
    assert np.hypot(*truth) == pytest.approx(reach, rel=1e-3)


@pytest.mark.parametrize("motion", ["shift", "bump"])
def test_all_solvers_agree_on_a_large_motion(face, motion):
    first, second = shrink_pair(face.draw_pair(motion, 16, "noise"), 72, 90)  # 5.1 px, three levels
    precise = estimate_flow(first, second, CORRECTED, "exact")
    for solver in ("fast", "torch"):
        off = np.abs(estimate_flow(first, second, CORRECTED, solver) - precise)
        assert off.mean() < 1e-3, solver
        assert off.max() < 0.1, solver


@pytest.mark.parametrize("shape", [(64, 64), (70, 130)])
@pytest.mark.parametrize("solver", ["fast", "torch"])
def test_no_content_gives_a_motion_beyond_the_limits(shape, solver):
    """Each warp adds at most `limit` px of its level, so nothing overflows float16, in which flows are stored."""
    black_or_white = np.random.default_rng(0).choice([0, 255], (3, *shape)).astype(np.uint8)
    found = estimate_flow(black_or_white[:2], black_or_white[1:], CORRECTED, solver)
    reach = sum(
        CORRECTED.warps * CORRECTED.limit * max(a / b for a, b in zip(shape, step.shape, strict=True))
        for step in pyramid.level_schedule(shape, CORRECTED)
    )
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= reach
    assert reach < 45


@pytest.mark.parametrize("solver", ["fast", "torch"])
def test_a_pair_of_a_batch_of_large_motions_keeps_its_bytes(face, solver):
    pairs = [shrink_pair(face.draw_pair("shift", length, "noise"), 112, 140) for length in (0.1, 8, 20)]
    first, second = (np.concatenate(images) for images in zip(*pairs, strict=True))
    batch = estimate_flow(first, second, CORRECTED, solver)
    singles = [estimate_flow(*pair, CORRECTED, solver) for pair in pairs]
    assert batch.tobytes() == np.concatenate(singles).tobytes()

"""RIFE's midpoints and the paper's interpolation, number by number (origin of the arrays: tests/data/README.md)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from services.interpolator.bisection import frames_at
from services.interpolator.rife import Rife
from services.interpolator.stage import interpolate_clip, load_network
from services.interpolator.timeline import apex_positions
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES

DATA = Path(__file__).parents[1] / "data" / "rife.npz"
THIRD = slice(None, None, 3)  # rows and columns that were kept
CASES = {"vi": (1, 6, 9, 11), "vi_apexoff": (1, 9, 9, 11), "vi_n5": (1, 6, 9, 5)}


@pytest.fixture(scope="module")
def recorded() -> Mapping[str, np.ndarray]:
    return dict(np.load(DATA, allow_pickle=False))


@pytest.fixture(scope="module")
def net() -> Rife:
    return load_network("cpu")


def bgr(frames: np.ndarray) -> np.ndarray:
    return frames[..., THIRD, THIRD, ::-1]


@pytest.mark.parametrize("pair", range(3))
def test_midpoint(recorded: Mapping[str, np.ndarray], net: Rife, pair: int) -> None:
    first, second = recorded["clip_rgb_u8"][recorded["direct_pairs"][pair]]
    middle = net.midpoint(first, second)
    assert middle.dtype == np.float32
    expected = recorded["direct_mid_bgr_f32"][pair].transpose(1, 2, 0)
    np.testing.assert_allclose(bgr(middle), expected, rtol=0, atol=1e-5)


def test_flow_and_mask(recorded: Mapping[str, np.ndarray], net: Rife) -> None:
    clip = recorded["clip_rgb_u8"]
    with torch.inference_mode():
        _, flow, mask = net.net(net.pack_frames(clip[:1]), net.pack_frames(clip[8:]))
    np.testing.assert_allclose(flow[0, :, THIRD, THIRD], recorded["pair0_flow"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(mask.sigmoid()[0, :, THIRD, THIRD], recorded["pair0_mask"], rtol=0, atol=1e-4)


def test_padding(recorded: Mapping[str, np.ndarray], net: Rife) -> None:
    first, second = recorded["clip_rgb_u8"][[0, 8], :150, :180]
    middle = net.midpoint(first, second)
    assert middle.shape == (150, 180, 3)
    differs = bgr((middle * 255).astype(np.uint8)) != recorded["odd_mid_bgr_u8"]
    assert np.abs(bgr(middle) * 255 - recorded["odd_mid_bgr_u8"] - 0.5).max() < 0.51
    assert differs.mean() < 1e-3


@pytest.mark.parametrize("case", CASES)
def test_timestamps(recorded: Mapping[str, np.ndarray], case: str) -> None:
    *stamps, last = apex_positions(*CASES[case])
    assert stamps == recorded[f"{case}_timestamps"].tolist()
    assert last == CASES[case][2]


def test_paper_interpolation(recorded: Mapping[str, np.ndarray]) -> None:
    onset, apex, offset, count = CASES["vi"]
    frames = interpolate_clip(recorded["clip_rgb_u8"], onset - 1, apex - 1, offset - 1, count, "paper")
    difference = np.abs(bgr(frames).astype(int) - recorded["vi_frames_bgr_u8"])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3  # truncation next to a whole grey level


@pytest.mark.parametrize("case", CASES)
def test_paper_halvings(recorded: Mapping[str, np.ndarray], net: Rife, case: str) -> None:
    """One position alone takes as many calls of the network as in the original."""
    clip = recorded["clip_rgb_u8"][:, 40:76, 60:96]
    for before, _, fraction, calls in recorded[f"{case}_calls"]:
        earlier = net.forwards
        frames_at(clip, [before - 1 + fraction], net, INTERPOLATOR_PROFILES["paper"])
        assert net.forwards - earlier == calls


def test_midpoints_of_a_clip_are_computed_once(recorded: Mapping[str, np.ndarray], net: Rife) -> None:
    clip, earlier = recorded["clip_rgb_u8"][:, 40:76, 60:96], net.forwards
    frames_at(clip, recorded["vi_timestamps"] - 1, net, INTERPOLATOR_PROFILES["paper"])
    assert recorded["vi_calls"][:, 3].sum() == 18
    assert net.forwards - earlier == 16

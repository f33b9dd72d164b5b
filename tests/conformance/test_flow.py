"""The flow against arrays that the original research code produced (tests/data/README.md), stage by stage."""

from pathlib import Path

import numpy as np
import pytest

from services.flow import exact, fast, pyramid
from services.flow.black_anandan import estimate_flow
from shared.stage_settings.flow import FLOW_PROFILES

PAPER = FLOW_PROFILES["paper"]
FLOAT32_GREY = 1.5e-5  # how far values on 0..255 lie from themselves after storage as float32


@pytest.fixture(scope="module")
def recorded():
    with np.load(Path(__file__).parents[1] / "data" / "flow.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def pair(recorded, name, i):
    return recorded[f"{name}_im1"][i : i + 1], recorded[f"{name}_im2"][i : i + 1]


def error(uv, recorded, name, i):
    return np.abs(uv[0].transpose(1, 2, 0) - recorded[f"{name}_uv"][i])


@pytest.mark.parametrize(("name", "i"), [("odd", 0), ("tex", 0), ("tex", 1), ("face", 0)])
def test_exact_solver_gives_the_recorded_flow(recorded, name, i):
    uv = estimate_flow(*pair(recorded, name, i), profile="paper", solver="exact")
    assert error(uv, recorded, name, i).max() < 1e-6


def test_exact_solver_in_double_precision(recorded):
    first, second = (image[0] for image in pair(recorded, "odd", 0))
    uv = exact.estimate_pair_flow(first, second, PAPER)
    assert np.abs(uv.transpose(1, 2, 0) - recorded["odd_uv"][0]).max() < 1e-10


@pytest.mark.parametrize(("name", "i"), [("odd", 0), ("tex", 0), ("tex", 1), ("face", 0), ("face", 1), ("face", 2)])
def test_fast_solver_stays_near_the_recorded_flow(recorded, name, i):
    off = error(estimate_flow(*pair(recorded, name, i), profile="paper", solver="fast"), recorded, name, i)
    assert off.mean() < 2e-4
    assert off.max() < 0.02


@pytest.mark.parametrize("solver", ["fast", "exact"])
def test_identical_images_do_not_move(recorded, solver):
    assert np.abs(estimate_flow(*pair(recorded, "face", 3), profile="paper", solver=solver)).max() < 1e-12


def test_blurred_inputs(recorded):
    for image, expected in zip(pair(recorded, "face", 0), np.moveaxis(recorded["face_pre_pair0"], -1, 0), strict=True):
        assert np.abs(exact.blur_image(image[0].astype(float), PAPER) - expected).max() < FLOAT32_GREY


@pytest.mark.parametrize(("name", "spacing"), [("tex_p0_pyr_s1_l2", 2.0), ("tex_p0_pyr_s2_l2", 1.25)])
def test_pyramids(recorded, name, spacing):
    for image, expected in zip(pair(recorded, "tex", 0), np.moveaxis(recorded[name], -1, 0), strict=True):
        coarse = exact.shrink_image(exact.blur_image(image[0].astype(float), PAPER), spacing)
        assert np.abs(coarse - expected).max() < FLOAT32_GREY


def test_derivatives_at_the_final_flow(recorded):
    first, second = (exact.blur_image(image[0].astype(float), PAPER) for image in pair(recorded, "tex", 0))
    found = exact.image_derivatives(first, second, recorded["tex_uv"][0].transpose(2, 0, 1), PAPER)[:3]
    assert np.abs(np.stack(found, axis=-1) - recorded["tex_p0_deriv"]).max() < FLOAT32_GREY


def test_flow_after_every_stage_and_level(recorded):
    first, second = (exact.blur_image(image[0].astype(float), PAPER) for image in pair(recorded, "tex", 0))
    uv = np.zeros((2, *first.shape))
    for step in pyramid.level_schedule(first.shape, PAPER):
        uv = exact.resize_flow(uv, step.shape, PAPER.rescale) if uv.shape[1:] != step.shape else uv
        uv = exact.refine_flow(
            exact.reduce_to_level(first, step), exact.reduce_to_level(second, step), uv, step.alpha, PAPER
        )
        expected = recorded.get(f"tex_p0_s{step.stage}_l{step.level + 1}", recorded["tex_uv"][0])
        assert np.abs(uv.transpose(1, 2, 0) - expected).max() < 2e-7, step


def test_corrected_profile_is_nearer_to_the_truth(recorded):
    """Mean end-point error; docs/explanation/stages/flow.md has the error of each profile."""
    unit, amplitude = recorded["face_motion_unit"].transpose(2, 0, 1), recorded["face_amp_px"]
    texture = recorded["tex_true_uv"][:, :, None, None]
    cases = [("face", 0, unit * (amplitude[7] - amplitude[0])), ("face", 1, unit * (amplitude[5] - amplitude[4]))]
    for name, i, truth in [*cases, ("tex", 0, texture[0]), ("tex", 1, texture[1])]:
        off = {
            profile: np.hypot(*(estimate_flow(*pair(recorded, name, i), profile=profile)[0] - truth)).mean()
            for profile in ("paper", "corrected")
        }
        assert off["corrected"] < 0.92 * off["paper"], (name, i, off)


def test_fast_pieces_agree_with_exact_ones(recorded):
    first, second = pair(recorded, "face", 0)
    solver = fast.PairSolver(first.shape[1:], PAPER)
    solver.build_pyramids(first[0].astype(np.float32), second[0].astype(np.float32))
    for image, sharp in zip((first, second), solver.sharp, strict=True):
        assert np.abs(sharp - exact.blur_image(image[0].astype(float), PAPER)).max() < 1e-4

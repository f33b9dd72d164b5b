"""Motion is injected where it is said to be: a drawn face plays the recording, so that its head's way is known."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import real_camera, truth
from benchmarks.head_motion import expression_by_region
from merstream.synth.clip import crop_box, render_frames
from merstream.synth.difficulty import Difficulty
from merstream.synth.identity import Identity, draw_identity
from merstream.synth.true_motion import ClipMotion, SourceMapper
from shared import weights
from shared.errors import MissingWeights

SIZE, LENGTH, FPS = (280, 224), 11, 30.0
HEAD = np.linspace(0, 1, LENGTH)[:, None] * [2.0, -1.5, 0.02, 0.0, 0.0]  # px, px, rad


@pytest.fixture
def rife_weights() -> None:
    need_weights(weights.RIFE)


@pytest.fixture
def landmark_weights() -> None:
    need_weights(weights.LANDMARKS)


def need_weights(file: weights.WeightsFile) -> None:
    try:
        weights.weights_path(file)
    except MissingWeights as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def person() -> Identity:
    return draw_identity(7, 3, SIZE)


def film(
    person: Identity, weights: np.ndarray, units: tuple[str, ...], noise: float = 1.2, head: np.ndarray = HEAD
) -> np.ndarray:
    """The person with a moving head and AUs at `weights` [T, K] px."""
    motion = ClipMotion(
        np.arange(LENGTH), units, weights, head, person.landmarks, SIZE, crop_box(person.landmarks, SIZE)
    )
    drawn = render_frames(np.random.default_rng(0), person, motion, Difficulty(noise=noise, flicker=0))
    return np.stack(list(drawn))


@pytest.fixture(scope="module")
def resting(person: Identity) -> real_camera.RestingStretch:
    frames = film(person, np.zeros((LENGTH, 1)), ("12L",))
    return real_camera.follow_head("drawn", frames, FPS, person.landmarks)


def test_the_head_is_followed_within_a_seventh_of_a_pixel(
    resting: real_camera.RestingStretch, person: Identity
) -> None:
    still = ClipMotion(
        np.arange(LENGTH), (), np.zeros((LENGTH, 0)), HEAD, person.landmarks, SIZE, crop_box(person.landmarks, SIZE)
    )
    mapper = SourceMapper(still)
    inner = np.rint(person.landmarks[17:]).astype(int)
    for index in (4, LENGTH - 1):
        true = mapper.flow_between(0, index)[:, inner[:, 1], inner[:, 0]].T
        found = (resting.landmarks_at(index) - person.landmarks)[17:]
        assert np.abs(found - true).max() < 0.15
    assert resting.head_motion()["shift px"] == pytest.approx(np.hypot(2.0, 1.5), abs=0.1)
    assert resting.head_motion()["roll degrees"] == pytest.approx(np.rad2deg(0.02), abs=0.1)


def test_backwards_the_head_goes_back(resting: real_camera.RestingStretch) -> None:
    back = resting.reversed()
    np.testing.assert_array_equal(back.frames, resting.frames[::-1])
    for index in range(LENGTH):
        np.testing.assert_allclose(back.landmarks_at(index), resting.landmarks_at(LENGTH - 1 - index), atol=1e-9)


def test_a_warp_by_nothing_keeps_every_bit_and_a_shift_shifts(resting: real_camera.RestingStretch) -> None:
    frame = resting.frames[3]
    np.testing.assert_array_equal(real_camera.warp_frame(frame, np.zeros((*SIZE, 2))), frame)
    right = real_camera.warp_frame(frame, np.broadcast_to([2.0, 1.0], (*SIZE, 2)))
    np.testing.assert_array_equal(right[1:, 2:], frame[:-1, :-2])


def test_a_shift_by_a_part_of_a_pixel_smooths_noise_and_one_by_a_whole_pixel_does_not() -> None:
    assert real_camera.noise_left(1.0) == pytest.approx(1, abs=0.02)
    assert 0.6 < real_camera.noise_left(0.5) < real_camera.noise_left(0.25) < real_camera.noise_left(0.1) < 1


def test_only_frames_that_move_are_warped(resting: real_camera.RestingStretch) -> None:
    motion = real_camera.injected_motion(resting, "4", 1.0)
    frames = real_camera.inject_motion(resting, motion)
    changed = [not np.array_equal(frame, before) for frame, before in zip(frames, resting.frames, strict=True)]
    assert changed == [False, *[True] * (LENGTH - 2), False]
    assert motion.weights[:, 0].argmax() == real_camera.apex_index(resting)
    assert motion.weights.max() == pytest.approx(1.0)


@pytest.mark.parametrize("expression", ["12", "1+2", "14L"])
def test_injected_frames_are_those_of_a_person_who_moves_so(person: Identity, expression: str) -> None:
    """The field follows the head: the same expression drawn on the moving head gives the same picture."""
    rest = film(person, np.zeros((LENGTH, 1)), ("12L",), noise=0, head=6 * HEAD)
    stretch = real_camera.follow_head("drawn", rest, FPS, person.landmarks)
    motion = real_camera.injected_motion(stretch, expression, 2.0)
    apex = real_camera.apex_index(stretch)
    injected = real_camera.inject_motion(stretch, motion)[apex].astype(float)
    acted = film(person, motion.weights, motion.units, noise=0, head=6 * HEAD)[apex].astype(float)
    clip = truth.TrueClip(stretch.frames, apex, FPS, motion, 0, real_camera.whole_crop(stretch))
    moving = np.hypot(*clip.true_flows([(0, apex)])[0]) > 0.5
    left, moved = (np.sqrt(np.mean((acted - each)[moving] ** 2)) for each in (injected, rest[apex].astype(float)))
    assert left < 0.2 * moved


def test_expressions_are_units_with_sides() -> None:
    assert list(real_camera.unit_sides("1+14L+17")) == ["1L", "1R", "14L", "17"]
    with pytest.raises(ValueError, match="no expression"):
        list(real_camera.unit_sides("smile"))


def test_what_was_injected_is_found_and_a_resting_face_rests(
    resting: real_camera.RestingStretch, rife_weights: None
) -> None:
    results = real_camera.score_camera([resting], ("12",), (2.0,), 1)
    for how in ("as recorded", "less the rest"):
        assert set(results[how]) == {"2 px", "AU 12", "drawn", "all"}
        unmagnified, magnified = (results[how]["all"][f"factor {factor}"]["mouth"] for factor in ("0", "2"))
        assert unmagnified["correlation"] > 0.9
        assert 0.6 < unmagnified["gain"] < 1.1
        assert magnified["gain"] > 1.5 * unmagnified["gain"]
    assert set(results["at rest"]) == {"drawn", "drawn backwards"}
    for rest in results["at rest"].values():
        assert rest["factor 0"]["face"] < 0.2
    assert 0.8 < results["finest detail left by the warp"]["2 px"]["lowest"] < 1.1


def test_the_numbers_of_magnified_frames_are_obeyed() -> None:
    shown = {"positions": np.array([0.0, 2.5, 5.0, 7.5])}
    frames = np.zeros((1, 3, 2, 2, 3), np.uint8)
    assert real_camera.magnified_positions(shown, {"frames": frames}).tolist() == [2.5, 5.0, 7.5]
    numbered = {"frames": frames, "frame_numbers": np.array([0, 1, 3])}
    assert real_camera.magnified_positions(shown, numbered).tolist() == [0.0, 2.5, 7.5]


def test_a_stretch_of_a_video_is_cropped_as_ingest_crops(tmp_path: Path, landmark_weights: None) -> None:
    person = draw_identity(7, 2, (240, 320))
    motion = ClipMotion(
        np.arange(4), (), np.zeros((4, 0)), np.zeros((4, 5)), person.landmarks, (240, 320), (0, 0, 320, 240)
    )
    frames = list(render_frames(np.random.default_rng(0), person, motion, Difficulty(noise=1, flicker=0)))
    writer = cv2.VideoWriter(str(tmp_path / "rest.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240))
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    (stretch,) = real_camera.read_stretches(tmp_path / "rest.avi", [(1, 3)])
    assert stretch.name == "frames 1 to 3"
    assert stretch.frames.shape == (3, 280, 224, 3)
    assert stretch.fps == pytest.approx(30)
    assert 50 < stretch.eye_distance < 90
    assert stretch.head_motion()["shift px"] < 0.1
    clip = truth.TrueClip(
        stretch.frames,
        1,
        30.0,
        real_camera.injected_motion(stretch, "12", 1.0),
        0,
        real_camera.whole_crop(stretch),
    )
    assert [part.shape[1] for part in expression_by_region(clip, np.zeros((2, 280, 224)))][1:] == [10, 20]

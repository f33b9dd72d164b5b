"""Timing, identity and the true motion: the displacement between two frames is that of the pixels."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from merstream.synth import clip, emotions, identity, true_motion
from merstream.synth.difficulty import Difficulty
from shared import weights
from shared.errors import BadData, MissingWeights

SIZE = (240, 320)
QUIET = Difficulty(noise=0, flicker=0)
SIDES = {"side_light": 0.1}


@pytest.fixture(scope="module")
def person() -> identity.Identity:
    return identity.draw_identity(0, 1, SIZE)


def acted(
    person: identity.Identity, emotion: str, difficulty: Difficulty, seed: int = 3
) -> tuple[clip.ClipTiming, true_motion.ClipMotion]:
    rng = np.random.default_rng(seed)
    movements = emotions.draw_movements(rng, emotion, emotions.draw_habits(rng, difficulty), difficulty)
    timing = clip.draw_timing(rng, difficulty)
    return timing, clip.draw_motion(rng, person, movements, timing, SIZE, difficulty)


def filmed(
    person: identity.Identity, motion: true_motion.ClipMotion, difficulty: Difficulty, *indices: int
) -> list[np.ndarray]:
    part = replace(
        motion, numbers=motion.numbers[[*indices]], weights=motion.weights[[*indices]], head=motion.head[[*indices]]
    )
    return [
        frame.astype(np.float32) for frame in clip.render_frames(np.random.default_rng(0), person, part, difficulty)
    ]


def face_error(motion: true_motion.ClipMotion, first: np.ndarray, second: np.ndarray) -> float:
    left, top, right, bottom = motion.crop
    return float(np.sqrt(np.mean((first - second)[top:bottom, left:right] ** 2)))


@pytest.mark.parametrize("skin", ["connected", "patches"])
@pytest.mark.parametrize("emotion", ["surprise", "disgust", "happiness", "repression"])
def test_second_pulled_back_by_the_truth_is_first(
    person: identity.Identity, emotion: str, skin: str, tmp_path: Path
) -> None:
    timing, motion = acted(person, emotion, Difficulty.model_validate({**QUIET.model_dump(), "skin": skin}))
    assert motion.skin == skin
    true_motion.save_motion(tmp_path / "clip.npz", motion)
    onset, apex = (motion.frame_index(number) for number in (timing.onset, timing.apex))
    first, second = filmed(person, motion, QUIET, onset, apex)
    u, v = true_motion.read_true_flow(tmp_path / "clip.npz", timing.onset, timing.apex)
    x, y = np.meshgrid(np.arange(SIZE[1], dtype=np.float32), np.arange(SIZE[0], dtype=np.float32))
    back = cv2.remap(second, x + u, y + v, cv2.INTER_CUBIC)
    wrong = cv2.remap(second, x - u, y - v, cv2.INTER_CUBIC)
    left = face_error(motion, first, back)
    assert left < 0.8  # grey levels; the rounding of both frames alone leaves 0.41
    assert left < 0.4 * face_error(motion, first, second)
    assert left < 0.2 * face_error(motion, first, wrong)


def test_there_and_back_is_nothing(person: identity.Identity) -> None:
    timing, motion = acted(person, "surprise", QUIET)
    mover, onset, apex = (
        true_motion.SourceMapper(motion),
        motion.frame_index(timing.onset),
        motion.frame_index(timing.apex),
    )
    there, back = mover.flow_between(onset, apex), mover.flow_between(apex, onset)
    x, y = np.meshgrid(np.arange(SIZE[1], dtype=np.float32), np.arange(SIZE[0], dtype=np.float32))
    returned = there + np.stack(
        [cv2.remap(component, x + there[0], y + there[1], cv2.INTER_LINEAR) for component in back]
    )
    inner = np.s_[:, 8:-8, 8:-8]
    assert np.abs(returned[inner]).max() < 0.02
    assert np.abs(mover.flow_between(apex, apex)[inner]).max() < 1e-3


def test_a_moved_head_moves_the_face_and_not_the_backdrop(person: identity.Identity) -> None:
    _, motion = acted(person, "others", QUIET)
    head = np.zeros_like(motion.head)
    head[1] = [0.4, -0.3, 0, 0, 0]
    still = replace(motion, weights=np.zeros_like(motion.weights), head=head)
    u, v = true_motion.SourceMapper(still).flow_between(0, 1)
    x, y = np.round(person.landmarks[30]).astype(int)
    assert (u[y, x], v[y, x]) == pytest.approx((0.4, -0.3), abs=1e-3)
    assert abs(u[5, 2]) < 1e-6


def test_a_turned_head_turns_clockwise(person: identity.Identity) -> None:
    _, motion = acted(person, "others", QUIET)
    head = np.zeros_like(motion.head)
    head[1] = [0, 0, 0.01, 0, 0]
    u, v = true_motion.SourceMapper(replace(motion, weights=np.zeros_like(motion.weights), head=head)).flow_between(
        0, 1
    )
    (x, y), centre = np.round(person.landmarks[16]).astype(int), person.landmarks.mean(0)
    assert (u[y, x], v[y, x]) == pytest.approx((-0.01 * (y - centre[1]), 0.01 * (x - centre[0])), abs=0.02)


def test_a_head_that_turns_and_nods_moves_the_nose_ahead_of_the_eyes_and_the_ears_behind(
    person: identity.Identity,
) -> None:
    _, motion = acted(person, "others", QUIET)
    head = np.zeros_like(motion.head)
    head[1], head[2] = [0, 0, 0, 0.02, 0], [0, 0, 0, 0, 0.02]
    mover = true_motion.SourceMapper(replace(motion, weights=np.zeros_like(motion.weights), head=head))
    turn, nod = mover.flow_between(0, 1), mover.flow_between(0, 2)
    eye = np.linalg.norm(person.landmarks[36:42].mean(0) - person.landmarks[42:48].mean(0))
    for landmark, stands_out in ((27, 0.0), (30, 0.33), (36, -0.3), (45, -0.3), (1, -0.8), (15, -0.8), (8, -0.25)):
        x, y = np.round(person.landmarks[landmark]).astype(int)
        assert turn[0, y, x] == pytest.approx(0.02 * stands_out * eye, abs=0.1 * 0.02 * eye)
        assert nod[1, y, x] == pytest.approx(turn[0, y, x], abs=0.05 * 0.02 * eye)
        assert abs(turn[1, y, x]) + abs(nod[0, y, x]) < 1e-4


def test_lids_that_flutter_come_down_and_go_up_again_and_are_not_coded(person: identity.Identity) -> None:
    _, motion = acted(person, "others", QUIET.model_copy(update={"lids": 1.0}))
    _, without = acted(person, "others", QUIET)
    assert motion.units == (*without.units, "45L", "45R")
    np.testing.assert_array_equal(motion.weights[:, :-2], without.weights)
    np.testing.assert_array_equal(motion.head, without.head)
    lids = motion.weights[:, -1]
    assert 0.25 < lids.max() <= 1.5  # px of a frame of half the size
    lowest = lids.argmax()
    assert (np.diff(lids[: lowest + 1]) >= 0).all()
    assert (np.diff(lids[lowest:]) <= 0).all()


def test_what_is_added_draws_nothing_from_the_clips_own_generator(person: identity.Identity) -> None:
    """Plain and hard clips keep their bytes."""
    following = []
    for more in ({}, {"lids": 1.0, "head_turn": 0.5}, SIDES):
        rng, difficulty = np.random.default_rng(3), QUIET.model_copy(update=more)
        moved = [emotions.AuMovement(12, "", (("L", 2.0), ("R", 1.0)), True)]
        motion = clip.draw_motion(rng, person, moved, clip.draw_timing(rng, difficulty), SIZE, difficulty)
        next(clip.render_frames(rng, person, motion, difficulty))
        following.append(rng.random())
    assert following == [0.35463659547911497] * 3  # as it was before anything could be added


def test_uneven_light_brightens_one_side_as_it_darkens_the_other(person: identity.Identity) -> None:
    _, motion = acted(person, "others", QUIET)
    rest = replace(motion, weights=np.zeros_like(motion.weights), head=np.zeros_like(motion.head))
    numbers = range(len(rest.numbers))
    lit, even = (np.stack(filmed(person, rest, light, *numbers)) for light in (QUIET.model_copy(update=SIDES), QUIET))
    x, y = np.round(person.landmarks[[40, 47]]).astype(int).T  # under the eyes, as far from the nose to either side
    gain = (lit.sum(-1) / even.sum(-1))[:, y, x] - 1
    assert np.ptp(gain[:, 0]) > 0.02
    np.testing.assert_allclose(gain[:, 0], -gain[:, 1], atol=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_units_rest_at_the_onset_and_peak_at_the_apex(person: identity.Identity, seed: int) -> None:
    timing, motion = acted(person, "disgust", QUIET, seed)
    assert timing.first < timing.onset < timing.apex < timing.offset < timing.last
    assert 0.2 <= (timing.offset - timing.onset) / clip.FPS <= 0.5
    assert np.abs(motion.weights[: motion.frame_index(timing.onset) + 1]).max() == 0
    assert (motion.weights.argmax(0) == motion.frame_index(timing.apex)).all()
    assert (motion.weights[-1] <= 0.15 * motion.weights.max(0) + 1e-9).all()
    assert np.abs(np.diff(motion.weights, axis=0)).max() < 0.35 * motion.weights.max()


def test_noise_has_the_strength_that_was_asked_for(person: identity.Identity) -> None:
    _, motion = acted(person, "others", QUIET)
    rest = replace(motion, weights=np.zeros_like(motion.weights), head=np.zeros_like(motion.head))
    first, second = filmed(person, rest, Difficulty(noise=2.0, flicker=0), 0, 1)
    assert np.std(first - second) / np.sqrt(2) == pytest.approx(2.0, abs=0.15)


def test_displacements_scale_with_the_frame() -> None:
    rng = [np.random.default_rng(5) for _ in range(2)]
    peaks = []
    for generator, size in zip(rng, ((240, 320), (120, 160)), strict=True):
        person = identity.Identity(
            np.zeros((1, 1, 3)), identity.draw_identity(0, 1, (120, 160)).landmarks * size[0] / 120
        )
        moved = [emotions.AuMovement(12, "", (("L", 2.0), ("R", 1.0)), True)]
        timing = clip.draw_timing(generator, QUIET)
        peaks.append(clip.draw_motion(generator, person, moved, timing, size, QUIET).weights.max(0))
    assert peaks[0] == pytest.approx([1.0, 0.5])
    assert peaks[0] == pytest.approx(2 * peaks[1])


def test_a_frame_that_is_not_there_is_named(person: identity.Identity, tmp_path: Path) -> None:
    _, motion = acted(person, "others", QUIET)
    true_motion.save_motion(tmp_path / "clip.npz", motion)
    with pytest.raises(BadData, match="no frame 9999"):
        true_motion.read_true_flow(tmp_path / "clip.npz", 9999, int(motion.numbers[0]))


def test_truth_survives_the_file(person: identity.Identity, tmp_path: Path) -> None:
    _, motion = acted(person, "surprise", QUIET)
    true_motion.save_motion(tmp_path / "clip.npz", motion)
    loaded = true_motion.load_motion(tmp_path / "clip.npz")
    assert (loaded.units, loaded.size, loaded.crop) == (motion.units, motion.size, motion.crop)
    assert true_motion.load_motion(tmp_path / "clip.npz").skin == "connected"
    true_motion.save_motion(tmp_path / "clip.npz", replace(motion, skin="patches"))
    assert true_motion.load_motion(tmp_path / "clip.npz").skin == "patches"
    for name in ("numbers", "weights", "head", "landmarks"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(motion, name))


def test_persons_differ_and_a_person_stays_the_same(person: identity.Identity) -> None:
    again, other, elsewhere = (
        identity.draw_identity(0, 1, SIZE),
        identity.draw_identity(0, 2, SIZE),
        identity.draw_identity(1, 1, SIZE),
    )
    np.testing.assert_array_equal(again.image, person.image)
    for stranger in (other, elsewhere):
        assert np.abs(stranger.image - person.image).mean() > 8
        assert np.linalg.norm(stranger.landmarks - person.landmarks, axis=1).mean() > 2


def test_a_mirrored_landmark_mirrored_again_is_itself() -> None:
    np.testing.assert_array_equal(identity.MIRRORED_LANDMARKS[identity.MIRRORED_LANDMARKS], np.arange(68))
    for pair in ((0, 16), (17, 26), (36, 45), (41, 46), (48, 54), (60, 64), (67, 65)):
        assert identity.MIRRORED_LANDMARKS[pair[0]] == pair[1]


@pytest.mark.parametrize("subject", range(1, 13))
def test_dlib_finds_the_face_in_every_frame(subject: int) -> None:
    """The detected landmarks are on average within 4 % of the face's width of those from which the face was made."""
    from services.roi_au import landmarks

    try:
        weights.weights_path(weights.LANDMARKS)
    except MissingWeights as missing:
        pytest.skip(str(missing))
    person = identity.draw_identity(7, subject, SIZE)
    timing, motion = acted(person, ("surprise", "disgust", "repression")[subject % 3], Difficulty(), subject)
    for index in (0, motion.frame_index(timing.apex), -1):
        (frame,) = filmed(person, motion, Difficulty(), index)
        found = landmarks.detect_landmarks(frame.astype(np.uint8))
        error = np.linalg.norm(found - person.landmarks, axis=1).mean()
        assert error < 0.04 * np.ptp(person.landmarks[:17, 0])

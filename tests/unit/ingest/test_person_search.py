"""Whose face sets the crop, in drawn scenes with several faces."""

import cv2
import numpy as np
import pytest

from merstream.frame_source import FrameArraySource
from services.ingest.clip_cropping import crop_clip
from services.ingest.person_search import find_person
from services.ingest.steady_face_box import steady_box
from shared.errors import BadData
from shared.faces import DetectorName, FaceBox, largest_face, overlap_boxes
from shared.stage_settings.ingest import INGEST_PROFILES
from tests.unit.ingest.drawn_people import APEX, LENGTH, Frames, person, place, scene

SETTINGS = INGEST_PROFILES["corrected"]
LEFT_OUT = "another face, at x "


def source(frames: Frames, face: str = "", apex: int | None = APEX) -> FrameArraySource:
    named = {"face": np.array(face)} if face else {}
    return FrameArraySource(0, apex, LENGTH - 1, 200.0, False, [], named, frames)


def true_box(left: int, top: int = 30, scale: float = 1.0, subject: int = 1) -> FaceBox:
    """The box of a drawn person alone, at its place in the scene."""
    x0, y0, x1, y1 = (round(side * scale) for side in largest_face(person(subject, 0.0)[0]))
    return x0 + left, y0 + top, x1 + left, y1 + top


def find(frames: Frames, face: str = "") -> tuple[FaceBox, list[str]]:
    clip = source(frames, face)
    return find_person(clip, SETTINGS).box, clip.notes


@pytest.fixture(scope="module")
def alone() -> Frames:
    return scene(place(person(1, 1.0), 400))


def test_a_single_face_keeps_the_crop_of_its_first_frame(alone: Frames) -> None:
    clip = source(alone)
    found = find_person(clip, SETTINGS)
    assert found.box == steady_box(alone[0], SETTINGS.upsample, SETTINGS.box_passes)
    assert (found.start, clip.notes) == (0, [])
    assert crop_clip(clip, SETTINGS)["notes"].tolist() == []


@pytest.mark.parametrize("detector", ["mmod", "mediapipe"])
def test_every_detector_gives_nearly_the_crop_of_hog(alone: Frames, detector: DetectorName) -> None:
    by_hog, other = find_person(source(alone), SETTINGS), SETTINGS.model_copy(update={"detector": detector})
    if detector == "mmod":
        other = other.model_copy(update={"upsample": 0, "box_passes": 1})  # seconds a search
    clip = source(alone)
    found = find_person(clip, other)
    assert clip.notes == []
    assert overlap_boxes(found.box, by_hog.box) > 0.8
    assert found.box != by_hog.box


@pytest.mark.parametrize("peak", [1.0, 0.6])
@pytest.mark.parametrize(("scale", "top"), [(1.2, 10), (1.0, 30), (0.7, 60)])
def test_a_portrait_on_the_wall_does_not_set_the_crop(scale: float, top: int, peak: float) -> None:
    box, notes = find(scene(place(person(2, 0.0), 20, top, scale), place(person(1, peak), 400, 40, 0.9)))
    assert overlap_boxes(box, true_box(400, 40, 0.9)) > 0.7
    assert [note.startswith(LEFT_OUT) for note in notes] == [True]
    x0, y0, x1, y1 = true_box(20, top, scale, subject=2)
    told = [int(word.strip(",")) for word in notes[0].split() if word.strip(",").isdigit()][:4]
    assert overlap_boxes((told[0], told[2], told[1], told[3]), (x0, y0, x1, y1)) > 0.6
    assert notes[0].endswith("was left out: it does not move")


def test_one_of_three_faces_moves() -> None:
    layers = place(person(2, 0.0), 0, 20), place(person(1, 1.0), 220), place(person(3, 0.0), 440, 20)
    box, notes = find(scene(*layers))
    assert overlap_boxes(box, true_box(220)) > 0.7
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (range(3), "it is not there until the offset"),
        (range(8, 14), "it comes later"),
        (range(20, LENGTH), "it comes later"),
    ],
)
def test_a_larger_passer_by_does_not_set_the_crop(when: range, why: str) -> None:
    frames = scene(place(person(2, 0.0), 20, 10, 1.2, when), place(person(1, 1.0), 400, 40, 0.9))
    box, notes = find(frames)
    assert overlap_boxes(box, true_box(400, 40, 0.9)) > 0.7
    assert [note.endswith(f"was left out: {why}") for note in notes] == [True]
    out = crop_clip(source(frames), SETTINGS)
    assert len(out["notes"]) == 1
    assert all(largest_face(frame, 0) for frame in out["frames"][[0, APEX, -1]])


def test_two_participants_are_refused_with_both_places_and_the_way_out() -> None:
    frames = scene(place(person(2, 1.2), 60), place(person(1, 1.0), 400))
    with pytest.raises(
        BadData, match=r"^frame 0: expected one face, got 2, at x 1\d\d to .* and at x 4\d\d to .* px\. They move"
    ):
        find(frames)
    for face, left, subject in (("left", 60, 2), ("right", 400, 1), ("160 160", 60, 2), ("500 160", 400, 1)):
        box, notes = find(frames, face)
        assert overlap_boxes(box, true_box(left, subject=subject)) > 0.7
        assert [note.endswith("the column `face` names another one") for note in notes] == [True]
    with pytest.raises(BadData, match=r"expected a face at 300 20 as the column `face` says, got at x .*; correct"):
        find(frames, "300 20")


def test_of_two_who_move_the_clearly_larger_one_is_meant() -> None:
    box, notes = find(scene(place(person(2, 2.5), 60, 60, 0.7), place(person(1, 2.5), 400)))
    assert overlap_boxes(box, true_box(400)) > 0.7
    assert [note.endswith("it is smaller") for note in notes] == [True]


def test_a_mirror_image_is_refused() -> None:
    with pytest.raises(BadData, match="so it is not clear which one is meant; name the face"):
        find(scene(place(person(1, 1.0)[:, :, ::-1], 60), place(person(1, 1.0), 400)))


def test_a_person_who_comes_beside_a_portrait_is_refused() -> None:
    with pytest.raises(BadData, match=r"The second one comes in frame 10, the first is still; name the face"):
        find(scene(place(person(2, 0.0), 20), place(person(1, 1.0), 400, 40, 0.9, range(4, LENGTH))))


def test_a_face_that_leaves_its_crop_is_a_fault() -> None:
    for layer, frames in (
        (place(person(1, 1.0), 400, when=range(18)), "frame 23"),
        (place(person(1, 1.0), [400 - 14 * number for number in range(LENGTH)]), "frame 10, frame 23"),
    ):
        with pytest.raises(BadData, match=rf"^frame 0: expected its face .*, got none there in {frames}; correct"):
            find(scene(layer))


def test_a_head_that_drifts_half_out_is_refused_and_a_smaller_drift_is_told() -> None:
    def drift(by: int) -> Frames:
        return scene(place(person(1, 1.0), [400 - by * number // (LENGTH - 1) for number in range(LENGTH)]))

    assert find(drift(8))[1] == []
    (note,) = find(drift(40))[1]
    assert note.startswith("a part of the face leaves the crop: the face is at x ")
    (note,) = find(drift(30))[1]
    assert note.startswith("a part of the face leaves the crop: the face is at x ")
    with pytest.raises(BadData, match=r"expected a face that stays in its crop .* px in frame 23; shorten the clip"):
        find(drift(54))
    with pytest.raises(BadData, match=r"expected its face .*, got none there in frame 23"):
        find(drift(75))


def test_a_detector_that_misses_the_apex_is_no_fault(alone: Frames) -> None:
    """A blurred apex: HOG finds nothing there, the picture is the same person's."""
    blurred = alone.copy()
    for number in range(8, 13):
        blurred[number] = cv2.GaussianBlur(alone[number], (0, 0), 9)
    with pytest.raises(BadData):
        largest_face(blurred[APEX])
    assert find(blurred) == find(alone)
    np.testing.assert_array_equal(crop_clip(source(blurred), SETTINGS)["notes"], [])


def test_what_happens_between_the_frames_that_are_searched() -> None:
    walk = [-200 + 36 * number for number in range(LENGTH)]
    for layers, number in (
        ((place(person(1, 1.0), 400), place(person(4, 0.0), 400, when=range(4, 7))), 4),
        ((place(person(1, 1.0), 400), place(person(1, 0.0)[:, ::-1], 400, when=range(15, 19))), 15),
    ):
        with pytest.raises(BadData, match=rf"^frame {number}: expected the face to go on from frame {number - 1}"):
            crop_clip(source(scene(*layers)), SETTINGS)
    with pytest.raises(BadData, match=r"^frame (0|\d+): expected"):
        crop_clip(source(scene(place(person(1, 1.0), 300), place(person(4, 0.0), walk, 20, 1.1))), SETTINGS)


def test_a_portrait_that_is_far_larger_or_a_motion_within_the_noise_is_not_guessed() -> None:
    with pytest.raises(BadData, match="so it is not clear which one is meant"):
        find(scene(place(person(2, 0.0), 60), place(person(1, 0.1), 400)))
    box, notes = find(scene(place(person(2, 0.0), 60, 60, 0.45), place(person(1, 0.1), 400)))
    assert overlap_boxes(box, true_box(400)) > 0.7
    assert [note.endswith("it is smaller") for note in notes] == [True]

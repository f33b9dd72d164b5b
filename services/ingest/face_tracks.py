"""The faces of a clip, followed over a few of its frames: which of them are there from the first to the last.

A clip has one crop, so a face counts as present only near the place where it was first found. The detector misses a
face now and then (blur, a turn of the head). So a face is looked for in three ways: in the whole frame, in its
neighbourhood with a lower threshold, and by the likeness of the picture to the first one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from services.ingest.crop import Crop, crop_around_face, cut_crop
from services.ingest.picture_likeness import SAME_PICTURE, Thumbnail, measure_likeness, shrink_picture
from shared.face_detectors import choose_detector
from shared.faces import Detector, FaceBox, FaceDetection, detect_faces, overlap_boxes
from shared.images.decoding import Frame
from shared.stage_settings.ingest import IngestSettings

PROBE_GAP = 0.5  # s between two frames that are looked at
MOST_PROBES = 6  # frames of a clip that are looked at, so that a long clip costs no more
PROBE_WIDTH = 130.0  # px of the widest face in a frame that is searched: faces from 0.6 of its width are found
NEAR_WIDTH = 110.0  # px of a face that is searched in its neighbourhood
NEAR_ROOM = 0.6  # share of the box's width searched around it
NEAR_THRESHOLD = -0.2  # score: a face of which one knows where it must be needs less evidence
SAME_PLACE = 0.3  # minimum intersection over union of the boxes of one face in two frames
CONFIDENT = 0.5  # score of a face that counts beside another one. Patterns stay below it, sharp faces have 1 to 3

NumberedFrame = tuple[int, str, Frame]  # index in the clip, name for messages, pixels [H,W,3]


@dataclass
class FaceTrack:
    """One face: its box, px, in the frame where it was first found, and in every later frame that was looked at.

    `start` is the index of that frame in the clip, `score` the best one of all frames.
    """

    box: FaceBox
    score: float
    start: int
    name: str  # of the frame `start`
    look: Thumbnail = field(repr=False)
    seen: dict[int, FaceBox] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)  # names of the frames where it was not seen

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0] + 1

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def choose_probes(length: int, apex: int | None, fps: float) -> list[int]:
    """Indices of the frames of a clip to look at: its ends, its apex, and others at most `PROBE_GAP` apart."""
    steps = int(np.clip(np.ceil((length - 1) / fps / PROBE_GAP), 2, MOST_PROBES - 1))
    middle = {round(place) for place in np.linspace(0, length - 1, steps + 1)} if apex is None or steps > 2 else set()
    return sorted(middle | {0, length - 1} | ({apex} if apex is not None else set()))


def follow_faces(
    first: NumberedFrame,
    found: list[FaceDetection],
    later: Iterable[NumberedFrame],
    settings: IngestSettings,
) -> list[FaceTrack]:
    """The faces that were found in the first frame [H,W,3], and those that come later, over the later frames."""
    tracks = [_start_track(first, detection, settings) for detection in found]
    for index, name, frame in later:
        detections = _search_shrunk_frame(frame, tracks, settings)
        for track in tracks:
            box = _see_again(track, frame, detections, settings)
            if box is None:
                track.missing[index] = name
            else:
                track.seen[index] = box
        tracks += [
            _start_track((index, name, frame), detection, settings)
            for detection in detections
            if detection.score >= CONFIDENT and not _is_known(detection, tracks, index)
        ]
    return tracks


def face_crop(box: FaceBox, settings: IngestSettings) -> Crop:
    """The crop around a face's box by the settings."""
    return crop_around_face(box, settings.height, settings.width, settings.margin)


def _start_track(shown: NumberedFrame, detection: FaceDetection, settings: IngestSettings) -> FaceTrack:
    index, name, frame = shown
    look = shrink_picture(frame, face_crop(detection.box, settings))
    return FaceTrack(detection.box, detection.score, index, name, look, {index: detection.box})


def _is_known(detection: FaceDetection, tracks: Sequence[FaceTrack], index: int) -> bool:
    """Whether the face is one of the tracks, at its first place or where it was seen in this frame."""
    places = [box for track in tracks for box in (track.box, track.seen.get(index, track.box))]
    return any(overlap_boxes(detection.box, box) >= SAME_PLACE for box in places)


def _search_shrunk_frame(frame: Frame, tracks: Sequence[FaceTrack], settings: IngestSettings) -> list[FaceDetection]:
    """The faces of a frame [H,W,3], searched at the scale that suits the widest known one."""
    scale = min(PROBE_WIDTH / max(track.width for track in tracks), 2.0**settings.upsample)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method), np.uint8)
    return [FaceDetection(_scale_box(box, scale), score) for box, score in choose_detector(settings.detector)(small, 0)]


def _see_again(
    track: FaceTrack, frame: Frame, detections: list[FaceDetection], settings: IngestSettings
) -> FaceBox | None:
    """The box of the track's face in a later frame, or None if it is not there."""
    near = [detection for detection in detections if overlap_boxes(detection.box, track.box) >= SAME_PLACE]
    if not near:
        near = search_nearby(frame, track.box, choose_detector(settings.detector))
    if near:
        best = max(near, key=lambda detection: overlap_boxes(detection.box, track.box))
        track.score = max(track.score, best.score)
        return best.box
    alike = measure_likeness(track.look, shrink_picture(frame, face_crop(track.box, settings)))
    return track.box if alike >= SAME_PICTURE else None


def search_nearby(frame: Frame, box: FaceBox, detect: Detector = detect_faces) -> list[FaceDetection]:
    """The faces at the place of a box in a frame [H,W,3], uint8 RGB, found with a lower threshold."""
    left, top, right, bottom = box
    width, height = right - left + 1, bottom - top + 1
    room = round(NEAR_ROOM * width)
    window = Crop(left - room, top - room, width + 2 * room, height + 2 * room)
    scale = NEAR_WIDTH / width
    part = cut_crop(frame, window, round(window.height * scale), round(window.width * scale))
    moved = [
        FaceDetection(_scale_box(found, scale, window.left, window.top), score)
        for found, score in detect(part, 0, NEAR_THRESHOLD)
    ]
    return [detection for detection in moved if overlap_boxes(detection.box, box) >= SAME_PLACE]


def _scale_box(box: FaceBox, scale: float, left: int = 0, top: int = 0) -> FaceBox:
    """A box of a picture that was enlarged by `scale`, in px of the frame whose part begins at `left`, `top`."""
    x0, y0, x1, y1 = (round(side / scale) for side in box)
    return x0 + left, y0 + top, x1 + left, y1 + top

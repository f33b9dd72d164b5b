"""One pass over a recording: its faces are followed and the motion of each is measured, frame by frame.

Whatever is finished is stored every minute of the recording. A pass that was interrupted goes on from there, and leaves
the same bytes as one that was not.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.spotter.face_following import MOST_FACES, FaceFollower, SeenFace
from services.spotter.face_geometry import bound_points
from services.spotter.face_quality import FaceSample, describe_limits, sample_face, summarise_samples
from services.spotter.recorded_frames import RecordedFrame, Recording
from services.spotter.watch_store import WatchPlace, WatchStore
from services.spotter.watched_faces import SegmentFacts, StoredSegments, WatchedFace
from shared.face_mesh import FaceMesh, convert_to_ibug
from shared.spotting.motion_meter import FASTEST, MotionMeter, pack_rows

VERSION = 1  # of what a pass stores
FEWEST_IN_SEGMENT = 8  # frames. Shorter segments are left out
LEAST_STEP = 0.95 / FASTEST  # s between frames that are looked at, as the meter wants it
SAMPLE_GAP = 0.5  # s between two looks at a face's quality
Progress = Callable[[float, float], None]  # seconds that are done, seconds of the recording


@dataclass(frozen=True)
class WatchSettings:
    """chunk: s of the recording after which the pass is stored. longest_segment: s; a longer one is divided.

    shortest_face: s from first to last sight of a face that counts.
    """

    chunk: float = 60.0
    longest_segment: float = 600.0
    shortest_face: float = 1.0


@dataclass
class _OpenSegment:
    """A segment that goes on: what was measured since the last part was stored."""

    number: int
    course: int  # the follower's number of the segment
    first: float
    last: float = 0.0
    count: int = 0
    parts: list[str] = field(default_factory=list)
    meter: MotionMeter = field(default_factory=MotionMeter)
    frames: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    boxes: list[NDArray[np.float64]] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def add_frame(self, frame: RecordedFrame, mesh: FaceMesh) -> None:
        self.meter.add_frame(frame.pixels, mesh, frame.seconds)
        self.frames.append(frame.index)
        self.seconds.append(frame.seconds)
        self.boxes.append(bound_points(mesh.points))
        self.landmarks.append(convert_to_ibug(mesh.points)[:, :2].astype(np.float32))
        self.scores.append(mesh.score)
        self.last, self.count = frame.seconds, self.count + 1

    def store_part(self, face: int, store: WatchStore) -> None:
        """Store what was measured since the last part, and forget it."""
        if not self.frames:
            return
        name = f"face{face:03}-segment{self.number:04}-part{len(self.parts):04}"
        rows = {f"row_{key}": values for key, values in pack_rows(self.meter.take_rows()).items()}
        tables = {
            "frames": np.array(self.frames, np.int64),
            "frame_seconds": np.array(self.seconds),
            "boxes": np.array(self.boxes),
            "landmarks": np.array(self.landmarks),
            "scores": np.array(self.scores),
        }
        store.write_part(name, {**rows, **tables})
        self.parts.append(name)
        for table in (self.frames, self.seconds, self.boxes, self.landmarks, self.scores):
            table.clear()


@dataclass
class _FaceRecord:
    """What is known of a face so far."""

    first: float
    last: float
    segments: list[SegmentFacts] = field(default_factory=list)
    started: int = 0  # segments, with short ones that were left out
    current: _OpenSegment | None = None
    sampled: float = -np.inf
    samples: list[FaceSample] = field(default_factory=list)
    boxes: list[NDArray[np.float64]] = field(default_factory=list)  # at the samples


@dataclass
class _Pass:
    """The state of a pass: all that the next frame needs."""

    next_seconds: float = 0.0
    chunk: int = 1  # number of the chunk that is being filled
    read: int = 0  # frames
    watched: float = -np.inf  # s, time of the last frame that was looked at
    follower: FaceFollower = field(default_factory=FaceFollower)
    records: dict[int, _FaceRecord] = field(default_factory=dict)
    before: NDArray[np.uint8] | None = None  # pixels [H, W, 3] of the frame before


def watch_recording(
    recording: Recording,
    settings: WatchSettings | None = None,
    place: WatchPlace | None = None,
    on_progress: Progress | None = None,
) -> list[WatchedFace]:
    """The faces of a recording that last, with the motion of each, sorted by their first sight.

    `place` keeps what is finished: the same call goes on where it was interrupted, and computes nothing once it is
    done. Raises BadData if the recording has no frame that can be read.
    """
    settings = settings or WatchSettings()
    key = {
        "version": VERSION,
        "recording": recording.sha256,
        "facts": list(recording.facts),
        "settings": asdict(settings),
    }
    store = WatchStore(place, key)
    faces = store.read_faces() if recording.sha256 else None
    if faces is None:
        state = (store.read_state() if recording.sha256 else None) or _Pass()
        faces = _run_pass(recording, settings, store, state, on_progress)
        store.write_faces(faces)
    return [_read_face(face, recording.shrink, store) for face in faces]


def _run_pass(
    recording: Recording, settings: WatchSettings, store: WatchStore, state: _Pass, on_progress: Progress | None
) -> list[dict[str, Any]]:
    for frame in recording.read_frames(state.next_seconds):
        if frame.seconds >= state.chunk * settings.chunk:
            state.next_seconds = frame.seconds
            _store_chunk(state, settings, store)
        state.read += 1
        if frame.seconds - state.watched >= LEAST_STEP:
            state.watched = frame.seconds
            _watch_frame(frame, settings, store, state)
        if on_progress:
            on_progress(frame.seconds, recording.facts.seconds)
    for number, record in state.records.items():
        _close_segment(number, record, store)
    return _list_faces(recording, settings, state)


def _store_chunk(state: _Pass, settings: WatchSettings, store: WatchStore) -> None:
    for number, record in state.records.items():
        if record.current:
            record.current.store_part(number, store)
    state.chunk = int(state.next_seconds // settings.chunk) + 1
    store.write_state(state)


def _watch_frame(frame: RecordedFrame, settings: WatchSettings, store: WatchStore, state: _Pass) -> None:
    seen = {face.number: face for face in state.follower.follow_frame(frame.pixels, frame.seconds)}
    for number, record in state.records.items():
        if record.current and not _goes_on(record.current, seen.get(number), frame, settings):
            _close_segment(number, record, store)
    for number, face in seen.items():
        record = state.records.setdefault(number, _FaceRecord(frame.seconds, frame.seconds))
        record.last = frame.seconds
        if face.segment is not None:
            if record.current is None:
                record.current = _OpenSegment(record.started, face.segment, frame.seconds)
                record.started += 1
            record.current.add_frame(frame, face.mesh)
        if frame.seconds - record.sampled >= SAMPLE_GAP:
            record.sampled = frame.seconds
            record.samples.append(sample_face(frame.pixels, state.before, face.mesh.points))
            record.boxes.append(bound_points(face.mesh.points))
    state.before = frame.pixels


def _goes_on(segment: _OpenSegment, face: SeenFace | None, frame: RecordedFrame, settings: WatchSettings) -> bool:
    """Whether the face's next frame belongs to its open segment."""
    same = face is not None and face.segment == segment.course
    return same and frame.seconds - segment.first < settings.longest_segment


def _close_segment(number: int, record: _FaceRecord, store: WatchStore) -> None:
    segment, record.current = record.current, None
    if segment is not None and segment.count >= FEWEST_IN_SEGMENT:
        segment.store_part(number, store)
        record.segments.append(SegmentFacts(tuple(segment.parts), segment.count, segment.first, segment.last))


def _list_faces(recording: Recording, settings: WatchSettings, state: _Pass) -> list[dict[str, Any]]:
    """The facts of the faces that last, for JSON, sorted by their first sight."""
    lasting = [record for record in state.records.values() if record.last - record.first >= settings.shortest_face]
    lasting.sort(key=lambda record: record.first)
    crowded = state.follower.most_at_once > MOST_FACES
    remarks = []
    if missing := recording.facts.frames - state.read:
        remarks.append(f"{missing} of {recording.facts.frames} frames could not be decoded whole and are missing")
    if crowded:
        remarks.append(f"up to {state.follower.most_at_once} faces were there at once; {MOST_FACES} were followed")
    return [_describe_face(number, record, recording, remarks) for number, record in enumerate(lasting, 1)]


def _describe_face(number: int, record: _FaceRecord, recording: Recording, remarks: list[str]) -> dict[str, Any]:
    shrink = recording.shrink
    samples = [sample._replace(eye_distance=sample.eye_distance * shrink) for sample in record.samples]
    quality = summarise_samples(samples)
    box = (np.median(record.boxes, axis=0) + 0.5) * shrink - 0.5
    return {
        "id": number,
        "first_seconds": record.first,
        "last_seconds": record.last,
        "seen_seconds": sum(segment.last - segment.first for segment in record.segments),
        "box": [round(float(side)) for side in box],
        "eye_distance_px": quality.eye_distance,
        "sharpness": quality.sharpness,
        "turn_degrees": quality.turn,
        "light": quality.light,
        "frozen": quality.frozen,
        "remarks": [*describe_limits(quality), *remarks],
        "segments": [list(segment) for segment in record.segments],
    }


def _read_face(facts: dict[str, Any], shrink: int, store: WatchStore) -> WatchedFace:
    segments = tuple(SegmentFacts(tuple(parts), *rest) for parts, *rest in facts["segments"])
    box, remarks = tuple(facts["box"]), tuple(facts["remarks"])
    return WatchedFace(**{**facts, "box": box, "remarks": remarks, "segments": StoredSegments(segments, shrink, store)})

"""What the user asked for beside prediction.json: events.csv, overlay.mp4, prediction.html."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from merstream.embedded.run_folder import Workspace
from merstream.prediction.files import write_events
from merstream.prediction.overlay import write_overlay
from merstream.prediction.overlay_drawing import FaceCourse
from merstream.prediction.page_writer import PAGE_FILE, write_page
from merstream.prediction.playable_video import find_playable_source
from merstream.prediction.predictor import PredictedRecording
from services.spotter.recorded_frames import Recording
from services.spotter.watched_faces import WatchedFace
from shared.bus.topics import FEATURES
from shared.errors import Misconfigured
from shared.images.flow_colour import Picture
from shared.prediction.files import PREDICTION_FILE
from shared.prediction.page.artifacts import EventArtifacts
from shared.records import Record
from shared.spotting.face_motion import FaceMotion
from shared.storage_faults import stop_on_storage_fault
from shared.topic_views import read_records
from shared.worker.stage_handler import read_artifact

OVERLAY_FILE = "overlay.mp4"
STRIP_FRAMES = 12  # above the time line where no video is played


@dataclass(frozen=True)
class OutputChoice:
    """Which files to write. `faces`: with pictures of faces. Without, what the stages made of each event is deleted."""

    html: bool = False
    overlay: bool = False
    csv: bool = False
    faces: bool = True

    def __post_init__(self) -> None:
        if self.overlay and not self.faces:
            raise Misconfigured(
                "An overlay shows faces. Leave out --overlay (overlay=True) or --no-faces (faces=False)."
            )


def write_outputs(found: PredictedRecording, choice: OutputChoice) -> list[Path]:
    """Write the chosen files, and return all files of the prediction."""
    files = [found.folder / PREDICTION_FILE]
    with stop_on_storage_fault(found.folder):
        if choice.csv:
            files.append(write_events(found.prediction, found.folder))
        if choice.overlay:
            files.append(_write_overlay(found))
        if choice.html:
            files.append(_write_page(found, choice))
        if not choice.faces:
            delete_pictures(found.folder)
    return files


def delete_pictures(folder: Path) -> None:
    """Delete everything in the folder that shows a face: the run of its events, and the overlay."""
    for name in ("store", "logs", "bus.members"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for file in (*folder.glob("bus.sqlite*"), folder / OVERLAY_FILE):
        file.unlink(missing_ok=True)


def _write_overlay(found: PredictedRecording) -> Path:
    file = found.folder / OVERLAY_FILE
    if found.reused and file.exists():
        return file
    return write_overlay(found.recording.read_frames(), found.prediction, _read_courses(found), file)


def _read_courses(found: PredictedRecording) -> Iterator[FaceCourse]:
    """Where each face is, a segment at a time, by their first times."""
    shrink = found.recording.shrink
    places = [(facts.first, face, number) for face in found.faces for number, facts in enumerate(face.segments.facts)]
    for _, face, number in sorted(places, key=lambda place: place[0]):
        segment = face.segments[number]
        boxes, landmarks = ((each + 0.5) / shrink - 0.5 for each in (segment.boxes, segment.landmarks))
        yield FaceCourse(face.id, segment.times, boxes, landmarks, segment.motion)


@dataclass(frozen=True)
class StoredMotions:
    """The motion of a face, read from the folder a segment at a time, as often as it is asked for."""

    face: WatchedFace

    def __iter__(self) -> Iterator[FaceMotion]:
        return (segment.motion for segment in self.face.segments)


def _write_page(found: PredictedRecording, choice: OutputChoice) -> Path:
    recognised = [event.id for event in found.prediction.events if event.recognition]
    page, artifacts = found.folder / PAGE_FILE, StoredArtifacts(Workspace(found.folder), recognised)
    if found.reused and page.exists() and not choice.faces and not len(artifacts):
        return page  # it was written before the pictures were deleted
    video = _choose_video(found) if choice.faces else None
    plays = video is not None and bool(find_playable_source(video, found.folder).source)
    strip = read_strip(found.recording) if choice.faces and not plays else ()
    motions = {face.id: StoredMotions(face) for face in found.faces}
    return write_page(found.folder, found.prediction, motions, artifacts, video, strip=strip, faces=choice.faces)


def _choose_video(found: PredictedRecording) -> Path | None:
    overlay = found.folder / OVERLAY_FILE
    if overlay.exists():
        return overlay
    return found.source if found.source is not None and found.source.is_file() else None


def read_strip(recording: Recording) -> Sequence[tuple[float, Picture]]:
    """A few frames (s, uint8 [H,W,3] RGB), evenly over the recording."""
    moments = np.linspace(0, recording.facts.seconds, STRIP_FRAMES, endpoint=False)
    frames = (next(recording.read_frames(float(moment)), None) for moment in moments)
    return [(frame.seconds, frame.pixels) for frame in frames if frame is not None]


class StoredArtifacts(Mapping[int, EventArtifacts]):
    """What the stages made of each of these events, by its number, read from the run folder when asked."""

    def __init__(self, workspace: Workspace, numbers: Collection[int]) -> None:
        self._records: dict[int, Record] = {}
        if not (workspace.folder / "bus.sqlite").exists():
            return
        with closing(workspace.open_bus()) as bus:
            for record in read_records(bus, FEATURES.name, lambda key: Record):
                number = int(record.sample.clip.rpartition("-")[2])
                if number in numbers:  # an earlier prediction may have had others
                    self._records[number] = record  # the newest comes last
        self._store = workspace.open_store()

    def __getitem__(self, number: int) -> EventArtifacts:
        record = self._records[number]
        stages = {**record.inputs, "features": record.artifact}
        names = ("ingest", "interpolator", "magnifier", "flow", "features")
        return EventArtifacts(*(read_artifact(self._store, stages[name], name) for name in names))

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

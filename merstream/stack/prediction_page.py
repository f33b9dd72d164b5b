"""prediction.html of a video that a stack has predicted, from what its store has."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from merstream.prediction.page_writer import write_page
from shared.prediction.files import PREDICTION_FILE
from shared.prediction.model import Prediction
from shared.prediction.page.artifacts import EventArtifacts
from shared.records import Record
from shared.spotting.stored_motion import unpack_motions
from shared.store import NotStored, Store
from shared.video_records import PredictionResult, RecognitionContents, RecognitionRequest, Video
from shared.worker.stage_handler import read_artifact

STAGE_NAMES = ("ingest", "interpolator", "magnifier", "flow")


class EventsOfStack(Mapping[int, EventArtifacts]):
    """What the stages made of each event, by its number, read when asked. Events whose arrays are gone are left out."""

    def __init__(self, store: Store, features: Mapping[int, Record]) -> None:
        self.store = store
        self._records = {number: record for number, record in features.items() if self._is_whole(record)}

    def __getitem__(self, number: int) -> EventArtifacts:
        record = self._records[number]
        needed = [*(record.inputs[name] for name in STAGE_NAMES), record.artifact]
        return EventArtifacts(*(read_artifact(self.store, each, each.key) for each in needed))

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def _is_whole(self, record: Record) -> bool:
        return all(self.store.exists(record.inputs[name].key) for name in STAGE_NAMES)


def write_stack_page(store: Store, videos: Store, result: PredictionResult, folder: Path, faces: bool = True) -> Path:
    """Write prediction.html into the folder, and the video beside it if the bucket still has it.

    faces: False leaves out every picture of a face, and the video. Raises NotStored if what was spotted is gone.
    """
    request = RecognitionRequest(contents=result.contents, model=result.model, video=result.video)
    contents = RecognitionContents.decode(store.get(request.contents_key))
    prediction = Prediction.decode(store.get(result.files[PREDICTION_FILE]))
    motions = unpack_motions(read_artifact(store, contents.spotted.artifact, result.video.name))
    video = fetch_video(videos, result.video, folder) if faces else None
    return write_page(folder, prediction, motions, EventsOfStack(store, contents.features), video, faces=faces)


def fetch_video(videos: Store, video: Video, folder: Path) -> Path | None:
    """The file of the video in the folder. None if the bucket has it no more, or another one under its name."""
    if [entry.etag for entry in videos.list_objects(video.name) if entry.key == video.name] != [video.mark]:
        return None
    file = folder / PurePosixPath(video.name).name
    try:
        videos.fetch_file(video.name, file)
    except NotStored:
        return None
    return file

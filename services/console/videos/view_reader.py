"""What the page of a video shows: its prediction as far as it is made, curves, and one event at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from fastapi import HTTPException

from services.console.clips.artifact_reader import ArtifactReader
from services.console.clips.drawing_thread import DrawingThread
from services.console.runs.run_reader import LONGEST_SHOWN_BYTES
from services.console.videos.event_artifacts import read_event_artifacts
from shared.errors import BadData
from shared.prediction.files import PREDICTION_FILE
from shared.prediction.model import PredictedEvent, Prediction
from shared.prediction.page.event_chart import EventChart, plot_events
from shared.prediction.page.motion_curves import FaceCurves, plot_face_curves
from shared.prediction.page.view import WHEEL_PIXELS, ShownEvent
from shared.records import Record
from shared.spotting.stored_motion import StoredMotion, unpack_motions
from shared.store import NotStored
from shared.video_progress import VideoProgress
from shared.video_records import SpottedVideo

DRAWING_SECONDS = 60.0  # for the curves of hours
LARGEST_MOTION_BYTES = 48 << 20  # of a face that is followed without a break: two hours of 30 frames per second
FETCH_HINT = "`mer fetch --html` draws them."
AT_WORK = "The stages are at work on this event. Its pictures appear here."
DELETED = "This event has no pictures: what the stages made of it was deleted."
NOT_YET = "Not recognised yet."


class ViewReader:
    """Reads from the store, and draws in `thread`. Only what one event shows is in memory."""

    def __init__(self, artifacts: ArtifactReader, thread: DrawingThread) -> None:
        self.artifacts, self.thread = artifacts, thread

    def read_prediction(self, progress: VideoProgress) -> Prediction | None:
        """The prediction, or before it the draft of it, whose events are not recognised.

        None where there is none yet, or one that is too long or of another version.
        """
        keys = [progress.result.files.get(PREDICTION_FILE, "")] if progress.result else []
        keys += [progress.spotted.draft_key] if progress.spotted else []
        store = self.artifacts.store
        for key in filter(None, keys):
            sizes = [found.size for found in store.list_objects(key) if found.key == key]
            try:
                if sizes and sizes[0] <= LONGEST_SHOWN_BYTES:
                    return Prediction.decode(store.get(key))
            except (NotStored, BadData):
                continue
        return None

    def read_curves(self, progress: VideoProgress, prediction: Prediction) -> list[FaceCurves]:
        """The curves of each face; none if nothing is spotted yet or the motion was deleted.

        Raises HTTPException 413 for too much motion.
        """
        spotted = progress.spotted
        if spotted is None or not self.artifacts.store.exists(spotted.artifact.key):
            return []

        def plot_curves() -> list[FaceCurves]:
            seconds = prediction.video.seconds
            with self._open_motions(spotted) as motions:
                curves = [plot_face_curves(face.id, motions.get(face.id, ()), seconds) for face in prediction.faces]
            return [each for each in curves if each]

        return self.thread.draw_picture(plot_curves, DRAWING_SECONDS)

    def show_event(self, progress: VideoProgress, prediction: Prediction, number: int, faces: bool) -> ShownEvent:
        """An event with its chart and its pictures, as far as the stages have made them.

        Without `faces` no picture shows one. Raises HTTPException 404 for an event that is not there.
        """
        event = next((each for each in prediction.events if each.id == number), None)
        if event is None:
            raise HTTPException(404, f"{progress.video.name} has no event {number}; its page lists all of them.")
        shown = ShownEvent(event) if progress.result else ShownEvent(event, missing=AT_WORK, unrecognised=NOT_YET)
        record = progress.events.features.get(number) if progress.events else None

        def draw_event() -> ShownEvent:
            drawn = replace(shown, chart=self._draw_chart(progress, event))
            return self._draw_pictures(drawn, record, faces) if record else drawn

        return self.thread.draw_picture(draw_event)

    def draw_portrait(self, progress: VideoProgress, prediction: Prediction, face: int) -> bytes:
        """A WebP of a face. Raises HTTPException 404 if no event of it has arrays."""
        number = find_portrayed(progress, prediction).get(face)
        if progress.events is None or number is None:
            raise HTTPException(404, f"{progress.video.name} has no picture of face {face}.")
        record = progress.events.features[number]
        return self.thread.draw_picture(lambda: self._draw_portrait_once(record))

    def draw_wheel(self) -> str:
        """The colours of the flow as a data URI."""
        return self.thread.draw_picture(_draw_wheel_once)

    def _draw_chart(self, progress: VideoProgress, event: PredictedEvent) -> EventChart | None:
        if progress.spotted is None:
            return None
        try:
            with self._open_motions(progress.spotted) as motions:
                mine = {face: motion for face, motion in motions.items() if face == event.face}
                return plot_events([event], mine).get(event.id)
        except (HTTPException, BadData):
            return None

    @contextmanager
    def _open_motions(self, spotted: SpottedVideo) -> Iterator[dict[int, StoredMotion]]:
        """The motion of each face. Raises HTTPException 413 if a segment of it is too large for a page."""
        with self.artifacts.open_arrays(spotted.artifact) as arrays:
            for name, shape in arrays.shapes.items():
                if shape and shape[0] * arrays.count_row_bytes(name) > LARGEST_MOTION_BYTES:
                    raise HTTPException(413, f"{spotted.video.name} is too long for the curves of a page. {FETCH_HINT}")
            yield unpack_motions(arrays)

    def _draw_portrait_once(self, record: Record) -> bytes:
        from shared.prediction.page.event_pictures import draw_portrait, encode_webp

        try:
            return encode_webp(draw_portrait(read_event_artifacts(self.artifacts, record)))
        except (BadData, KeyError, IndexError, ValueError) as fault:
            raise HTTPException(409, f"{record.sample.identity}: the picture cannot be drawn: {fault}") from None

    def _draw_pictures(self, shown: ShownEvent, record: Record, faces: bool) -> ShownEvent:
        from shared.prediction.page.event_pictures import draw_event_pictures  # OpenCV, with the first picture

        try:
            artifacts = read_event_artifacts(self.artifacts, record)
            return replace(shown, pictures=draw_event_pictures(artifacts, shown.event.seconds, faces))
        except HTTPException as gone:
            return replace(shown, missing=DELETED if gone.status_code == 404 else str(gone.detail))
        except (BadData, KeyError, IndexError, ValueError) as fault:
            return replace(shown, missing=f"The pictures of this event cannot be drawn: {fault}")


def find_portrayed(progress: VideoProgress, prediction: Prediction) -> dict[int, int]:
    """The first event of each face that has features, by the face's id."""
    features = progress.events.features if progress.events else {}
    return {event.face: event.id for event in reversed(prediction.events) if event.id in features}


@cache
def _draw_wheel_once() -> str:
    from shared.images.flow_colour import draw_colour_wheel
    from shared.prediction.page.event_pictures import encode_picture

    return encode_picture(draw_colour_wheel(WHEEL_PIXELS), 95)

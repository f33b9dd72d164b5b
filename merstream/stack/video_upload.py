"""Videos of one's own on a stack: upload one, and fetch its prediction."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from merstream.cli.console import stderr_console
from merstream.embedded.run_folder import OUTPUT_FOLDER
from merstream.stack.connection import connect_bus_and_store, connection_settings
from merstream.stack.upload import upload_files
from shared.bus.topics import PREDICTIONS, VIDEOS
from shared.connect import open_videos
from shared.errors import BadData
from shared.inbox import names
from shared.inbox.names import is_video, plan_keys
from shared.records import quote_segment
from shared.settings import Settings
from shared.storage_faults import require_writable_folder
from shared.store import LocalStore, Store
from shared.topic_views import read_records
from shared.video_records import PredictionResult, Video, VideoPlan

PREDICTIONS_FOLDER = OUTPUT_FOLDER / "predictions"


def drop_video(settings: Settings, file: Path, name: str | None, options: Mapping[str, object] | None = None) -> bool:
    """Upload a video unless the bucket has the same content under its name. Returns True if it was sent.

    options: fields of its plan, which is uploaded first. Without any, a plan that is there stays. Raises BadData for a
    name that is none of a video.
    """
    key = name or file.name
    if not is_video(key) or names.path_fault(key):
        raise BadData(f"Expected a video's name with its suffix, such as {file.name}, got {key!r}.")
    videos = open_videos(settings)
    if options:
        plan = VideoPlan.model_validate(options)
        videos.put(plan_keys(key)[0], plan.model_dump_json(indent=1, exclude_unset=True).encode())
    sent = upload_files(videos, key, {key: file}) > 0
    bucket = f"bucket {settings.videos_bucket}" if settings.s3_endpoint else f"folder {settings.home / 'videos'}"
    stderr_console.print(f"{bucket}: {key} was {'sent' if sent else 'there already'}.", soft_wrap=True)
    return sent


def fetch_predictions(
    video: str | None, destination: Path | None, html: bool = False, faces: bool = True
) -> dict[str, Path]:
    """Fetch the prediction of a video, or of all videos, and return their folders by the videos' names.

    html: write prediction.html too. faces: with pictures of faces. Raises BadData if there is no prediction.
    """
    with connect_bus_and_store(None) as (bus, store):
        results = read_records(bus, PREDICTIONS.name, lambda key: PredictionResult)
        present = {upload.upload_key for upload in read_records(bus, VIDEOS.name, lambda key: Video)}
        chosen = select_predictions(results, video, present)
        folder = destination or PREDICTIONS_FOLDER
        found = {result.video.name: _download_prediction(store, result, folder) for result in chosen}
        if html:
            from merstream.stack.prediction_page import write_stack_page  # it takes seconds to load

            videos = open_videos(connection_settings(None))
            for result in chosen:
                write_stack_page(store, videos, result, found[result.video.name], faces)
    return found


def select_predictions(
    results: Sequence[PredictionResult], video: str | None, present: Collection[str]
) -> list[PredictionResult]:
    """The last prediction of the video, or of each video. Raises BadData if there is none.

    present: upload keys of the videos in the bucket. Their predictions count as newer than those of replaced ones.
    """
    newest = {result.video.name: result for result in sorted(results, key=lambda one: one.video.upload_key in present)}
    chosen = [result for name, result in newest.items() if video in (None, name)]
    if not chosen:
        known = ", ".join(newest) or "none"
        raise BadData(
            f"Expected a prediction of {video or 'any video'}, got none; there are those of {known}. `mer status` says "
            "how far a video is."
        )
    return chosen


def _download_prediction(store: Store, result: PredictionResult, folder: Path) -> Path:
    own = folder / quote_segment(result.video.name)
    require_writable_folder(own)
    for name, key in result.files.items():
        LocalStore(own).put(name, store.get(key))
    return own

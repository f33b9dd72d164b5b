"""The progress of the videos in the bucket, and of the events that were spotted in them.

`mer status` and the loop that asks for recognitions follow it by `VideoFollower`.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from shared.bus import Bus
from shared.bus.dead_letters import DeadLetter
from shared.bus.topics import IMAGE_STAGES, PREDICTIONS, RECOGNITIONS, SPOTTED, VIDEOS
from shared.dataset_progress import are_stages_idle
from shared.feature_index import FeatureIndex
from shared.progress_cache import ProgressCache
from shared.records import Record
from shared.store import Store
from shared.topic_views import TopicView, letter_view, record_view
from shared.video_records import (
    RECOGNISER_NAME,
    SPOTTER_STAGE,
    PredictionResult,
    RecognitionContents,
    RecognitionRequest,
    SpottedVideo,
    Video,
)

VideoStateName = Literal["watching", "computing", "recognising", "predicted", "failed", "lost"]
VIDEO_STATES: tuple[VideoStateName, ...] = get_args(VideoStateName)
WORKING_STAGES: Mapping[VideoStateName, tuple[str, ...]] = {
    "watching": (SPOTTER_STAGE,),
    "computing": IMAGE_STAGES,
    "recognising": (RECOGNISER_NAME,),
}
LOST_SENTENCE = (
    "It has neither a prediction nor a dead letter, and nobody works on it. Remove it from the bucket, wait until "
    "`mer status` no longer shows it, and upload it again."
)
VideoTask = tuple[VideoStateName, str, str]  # a state that has to end, trace of the upload, contents of the request


@dataclass(frozen=True)
class EventProgress:
    """Every event of a video in one of three states, by its id in the draft. Failures are sentences."""

    features: Mapping[int, Record]
    failures: Mapping[int, str]
    pending: tuple[int, ...]

    @property
    def is_ready(self) -> bool:
        return not self.pending

    def contents(self, spotted: SpottedVideo) -> RecognitionContents:
        """What a recogniser gets. Features do not say who computed them, so equal contents are equal bytes."""
        return RecognitionContents(spotted=spotted, features=dict(self.features), failures=dict(self.failures))


def measure_event_progress(
    spotted: SpottedVideo, features: FeatureIndex, failure_sentences: Mapping[str, str]
) -> EventProgress:
    """The progress of a video, from features and sentences of dead letters by record key.

    As for a dataset, features and dead letters count only if they belong to the event's present source.
    """
    found: dict[int, Record] = {}
    failures, pending = dict(spotted.faults), []
    for event, identity in sorted(spotted.events.items()):
        key = spotted.clip_keys[identity]
        if record := features.get(key):
            found[event] = record
        elif sentence := failure_sentences.get(key):
            failures[event] = sentence.removeprefix(f"{identity}: ")
        else:
            pending.append(event)
    return EventProgress(found, failures, tuple(pending))


@dataclass(frozen=True)
class VideoProgress:
    """A video in the bucket, what was spotted in it, and its prediction as far as there is one.

    state: watching, until its events are spotted; computing, until they have features; recognising; predicted. A failed
    one was refused by the inbox, or became a dead letter of spotter or recogniser. A lost one is in a state that nobody
    will end. `reason` says why.
    """

    video: Video
    state: VideoStateName
    reason: str = ""
    spotted: SpottedVideo | None = None
    events: EventProgress | None = None
    result: PredictionResult | None = None


def measure_video_progress(
    spotted: SpottedVideo, events: EventProgress, result: PredictionResult | None
) -> VideoProgress:
    """The progress of a video that was watched. `result` is that of these events."""
    if not events.is_ready:
        return VideoProgress(spotted.video, "computing", spotted=spotted, events=events)
    if result is None:
        return VideoProgress(spotted.video, "recognising", spotted=spotted, events=events)
    return VideoProgress(spotted.video, "predicted", spotted=spotted, events=events, result=result)


class VideoFollower:
    """Follows the topics about videos. Each read takes only what is new."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._videos = record_view(bus, VIDEOS.name, lambda key: Video)
        self._spotted = record_view(bus, SPOTTED.name, lambda key: SpottedVideo)
        self._requests = record_view(bus, RECOGNITIONS.name, lambda key: RecognitionRequest)
        self._predictions = record_view(bus, PREDICTIONS.name, lambda key: PredictionResult)
        self._unspotted = letter_view(bus, store, SPOTTER_STAGE, _read_failed_video)
        self._unrecognised = letter_view(bus, store, RECOGNISER_NAME, _read_failed_request)
        self._events = ProgressCache(measure_event_progress)

    def find_idle_tasks(self) -> frozenset[VideoTask]:
        """The tasks of videos that nobody works on any more: each has its outcome, or is lost. Raises Unavailable.

        The outcomes are published by now. So a caller reads features and progress after this.
        """
        tasks: list[VideoTask] = [
            *(("watching", video.trace, "") for video in self._videos.read_newest().values()),
            *(("computing", each.video.trace, "") for each in self._spotted.read_newest().values()),
            *(("recognising", each.video.trace, each.contents) for each in self.read_requests().values()),
        ]
        idle = {state for state in {task[0] for task in tasks} if are_stages_idle(self._bus, WORKING_STAGES[state])}
        return frozenset(task for task in tasks if task[0] in idle)

    def read_requests(self) -> Mapping[str, RecognitionRequest]:
        """Every request for a recognition, by its key. Raises Unavailable."""
        return self._requests.read_newest()

    def read_progress(
        self, features: FeatureIndex, failure_sentences: Mapping[str, str], idle_tasks: Set[VideoTask] = frozenset()
    ) -> list[VideoProgress]:
        """The progress of every video in the bucket, the newest last. Raises Unavailable.

        What was spotted in a video before it was replaced does not count. A video that still waits for one of
        `idle_tasks` (of `find_idle_tasks`) is lost.
        """
        videos, spotted = self._videos.read_newest(), self._spotted.read_newest()
        predictions = {
            (each.video.upload_key, each.contents): each for each in self._predictions.read_newest().values()
        }
        unspotted = dict(self._unspotted.read_newest().values())
        unrecognised = dict(self._unrecognised.read_newest().values())
        self._events.keep_only(spotted.values())
        found = []
        for key, video in videos.items():
            mine = spotted.get(video.upload_key, spotted.get(key))  # the key of older messages
            if video.fault or mine is None or not video.is_same_upload(mine.video):
                reason = video.fault or unspotted.get(video.trace, "")
                found.append(_mark_failure(VideoProgress(video, "watching"), reason, "", idle_tasks))
                continue
            events = self._events.find_progress(mine, features, failure_sentences)
            contents = events.contents(mine).digest if events.is_ready else ""
            progress = measure_video_progress(mine, events, predictions.get((video.upload_key, contents)))
            reason = unrecognised.get((video.trace, contents), "")
            found.append(_mark_failure(progress, reason, contents, idle_tasks))
        return found

    def close(self) -> None:
        """Close the views. A later read opens them again."""
        followed: list[TopicView[Any]] = [self._videos, self._spotted, self._requests, self._predictions]
        for view in (*followed, self._unspotted, self._unrecognised):
            view.close()


def _mark_failure(progress: VideoProgress, failure: str, contents: str, idle_tasks: Set[VideoTask]) -> VideoProgress:
    """The same progress, failed or lost if it is. `contents`: of the request, for a video without pending events."""
    if progress.state == "predicted":
        return progress
    if failure:
        return replace(progress, state="failed", reason=failure)
    if (progress.state, progress.video.trace, contents) in idle_tasks:
        return replace(progress, state="lost", reason=LOST_SENTENCE)
    return progress


def _read_failed_video(letter: DeadLetter) -> tuple[str, str]:
    """The upload that the spotter could not process, and the reason as a sentence."""
    return Video.decode(letter.value).trace, letter.reason


def _read_failed_request(letter: DeadLetter) -> tuple[tuple[str, str], str]:
    """The upload and the contents that could not be recognised, and the reason as a sentence."""
    request = RecognitionRequest.decode(letter.value)
    return (request.video.trace, request.contents), letter.reason

"""Every topic once: name, content, partitions, cleanup policy."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Topic:
    """One topic. A topic with cleanup `compact` holds state: its newest message of every key is kept.

    Messages expire only on a topic with `retention_days`: the records of a clip are published once.
    """

    name: str
    carries: str
    partitions: int = 24  # the maximum number of workers of one stage that run side by side
    cleanup: Literal["delete", "compact"] = "delete"
    retention_days: int | None = None

    @property
    def log_settings(self) -> dict[str, str | int]:
        """The topic's settings on a Kafka broker.

        The broker dates the messages. By the dates of their hosts it refuses those of a clock that is an hour ahead.
        """
        common: dict[str, str | int] = {"cleanup.policy": self.cleanup, "message.timestamp.type": "LogAppendTime"}
        if self.cleanup == "compact":
            return common
        if self.retention_days is None:
            return {**common, "retention.ms": -1}
        # A broker deletes whole segments, so they must be shorter than what is kept.
        hours = 24 * self.retention_days
        return {
            **common,
            "retention.ms": hours * 3_600_000,
            "segment.ms": 3_600_000,
            "retention.bytes": EXPIRING_BYTES,
            "segment.bytes": EXPIRING_BYTES // 8,
        }


EXPIRING_BYTES = 1 << 30  # most that a topic with messages that expire takes on each disk

BUCKET_EVENTS = Topic(
    "mer.bucket-events", "S3 notifications about new uploads: store -> inbox", partitions=1, retention_days=1
)
DATASETS = Topic("mer.datasets", "contents of an uploaded dataset: inbox -> trainer", partitions=1, cleanup="compact")
SOURCES = Topic("mer.sources", "a clip's raw files, packed: discovery -> ingest")
CLIPS = Topic("mer.clips", "face-cropped frames onset..offset: ingest -> interpolator")
INTERPOLATED = Topic("mer.interpolated", "frames on the method's timeline: interpolator -> magnifier")
MAGNIFIED = Topic("mer.magnified", "frames at every factor: magnifier -> flow")
FLOWS = Topic("mer.flows", "flow of every factor and pair: flow -> roi-au")
FEATURES = Topic("mer.features", "ROI patches, motion maps and AU clip: roi-au -> trainer", cleanup="compact")
RUNS = Topic("mer.runs", "training runs: trainer -> planner", cleanup="compact")
FOLDS = Topic("mer.folds", "one fold of a run as a task: planner -> trainer")
VIDEOS = Topic("mer.videos", "a video in the bucket, as a task: inbox -> spotter", cleanup="compact")
SPOTTED = Topic("mer.spotted", "faces and events of a video: spotter -> planner", partitions=1, cleanup="compact")
RECOGNITIONS = Topic(
    "mer.recognitions", "a video whose events all have features, as a task: planner -> recogniser", cleanup="compact"
)
PREDICTIONS = Topic("mer.predictions", "predictions of videos: recogniser -> users", partitions=1, cleanup="compact")
RESULTS = Topic("mer.results", "results of folds and reports: trainer -> API, status", partitions=1, cleanup="compact")

# Every consumer group and the topic that it reads. Each group has dead letters: messages that it could not process.
TOPIC_BY_GROUP = {
    "ingest": SOURCES.name,
    "interpolator": CLIPS.name,
    "magnifier": INTERPOLATED.name,
    "flow": MAGNIFIED.name,
    "roi-au": FLOWS.name,
    "planner": RUNS.name,
    "trainer": FOLDS.name,
    "spotter": VIDEOS.name,
    "recogniser": RECOGNITIONS.name,
}
IMAGE_STAGES = ("ingest", "interpolator", "magnifier", "flow", "roi-au")  # groups that process clips, in order
TOPICS = {
    topic.name: topic
    for topic in (
        *(
            BUCKET_EVENTS,
            VIDEOS,
            SPOTTED,
            DATASETS,
            SOURCES,
            CLIPS,
            INTERPOLATED,
            MAGNIFIED,
            FLOWS,
            FEATURES,
            RUNS,
            FOLDS,
            RESULTS,
        ),
        *(RECOGNITIONS, PREDICTIONS),
        *(
            Topic(f"mer.{group}.dlq", f"dead letters of {group}", partitions=1, cleanup="compact")
            for group in TOPIC_BY_GROUP
        ),
    )
}


def topic_by_short_name(short_name: str) -> Topic:
    """The topic that a `Stage` names in `consumes` or `produces`. Raises KeyError that names the known topics."""
    name = f"mer.{short_name}"
    if name not in TOPICS:
        raise KeyError(f"Unknown topic {name!r}: shared/bus/topics.py has {', '.join(TOPICS)}.")
    return TOPICS[name]


def dead_letter_topic(group: str) -> Topic:
    """The topic of a group's dead letters."""
    return topic_by_short_name(f"{group}.dlq")

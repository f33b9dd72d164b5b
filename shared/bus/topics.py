"""Every topic once: name, what it carries, partitions, cleanup policy."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Topic:
    """`state` topics are compacted: who reads one from the beginning knows the newest record of every key."""

    name: str
    carries: str
    partitions: int = 24  # the most workers of one stage that can run side by side
    cleanup: Literal["delete", "compact"] = "delete"


# Every consumer group and the topic it works off. Each has dead letters: what it could not process.
TOPIC_BY_GROUP = {
    "ingest": "mer.sources",
    "interpolator": "mer.clips",
    "magnifier": "mer.interpolated",
    "flow": "mer.magnified",
    "roi-au": "mer.flows",
    "planner": "mer.runs",
    "trainer": "mer.folds",
}

TOPICS = {
    topic.name: topic
    for topic in (
        Topic("mer.bucket-events", "S3 notifications that something was dropped: store -> inbox", partitions=1),
        Topic("mer.datasets", "what a dropped dataset consists of: inbox -> trainer", partitions=1, cleanup="compact"),
        Topic("mer.sources", "a clip's raw files, packed: discovery -> ingest"),
        Topic("mer.clips", "face-cropped frames onset..offset: ingest -> interpolator", cleanup="compact"),
        Topic("mer.interpolated", "frames on the method's timeline: interpolator -> magnifier"),
        Topic("mer.magnified", "frames at every factor: magnifier -> flow"),
        Topic("mer.flows", "flow of every factor and pair: flow -> roi-au"),
        Topic("mer.features", "ROI patches, motion maps and AU clip: roi-au -> trainer", cleanup="compact"),
        Topic("mer.runs", "training runs: trainer -> planner"),
        Topic("mer.folds", "one fold of a run as a task: planner -> trainer"),
        Topic("mer.results", "outcomes of folds and reports: trainer -> everybody", partitions=1, cleanup="compact"),
        *(Topic(f"mer.{group}.dlq", f"messages {group} could not process", partitions=1) for group in TOPIC_BY_GROUP),
    )
}


def topic_by_short_name(short_name: str) -> Topic:
    """The topic that a stage calls `short`. Raises KeyError naming the known ones."""
    name = f"mer.{short_name}"
    if name not in TOPICS:
        raise KeyError(f"Unknown topic {name!r}: shared/bus/topics.py has {', '.join(TOPICS)}.")
    return TOPICS[name]


def dead_letter_topic(group: str) -> Topic:
    """Where a group puts what it can't process."""
    return topic_by_short_name(f"{group}.dlq")

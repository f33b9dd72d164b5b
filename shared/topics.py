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


_STAGES = ("ingest", "interpolator", "magnifier", "flow", "roi-au")

TOPICS = {
    topic.name: topic
    for topic in (
        Topic("mer.sources", "a clip's raw files, packed: discovery -> ingest"),
        Topic("mer.clips", "face-cropped frames onset..offset: ingest -> interpolator", cleanup="compact"),
        Topic("mer.interpolated", "frames on the method's timeline: interpolator -> magnifier"),
        Topic("mer.magnified", "frames at every factor: magnifier -> flow"),
        Topic("mer.flows", "flow of every factor and pair: flow -> roi-au"),
        Topic("mer.features", "ROI patches and AU clip: roi-au -> trainer", cleanup="compact"),
        *(Topic(f"mer.{stage}.dlq", f"records that {stage} could not process", partitions=1) for stage in _STAGES),
    )
}


def topic(short: str) -> Topic:
    """The topic that a stage calls `short`. Raises KeyError naming the known ones."""
    name = f"mer.{short}"
    if name not in TOPICS:
        raise KeyError(f"Unknown topic {name!r}: shared/topics.py has {', '.join(TOPICS)}.")
    return TOPICS[name]


def dead_letters(stage: str) -> Topic:
    """Where a stage puts what it can't process."""
    return topic(f"{stage}.dlq")

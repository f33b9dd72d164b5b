"""The progress of a video's events: which have features, which failed, which are pending."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.records import Record, record_key, source_key
from shared.video_records import RecognitionContents, SpottedVideo


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
    spotted: SpottedVideo, features: Mapping[str, Record], failure_sentences: Mapping[tuple[str, str], str]
) -> EventProgress:
    """The progress of a video, from features by record key and sentences by (record key, key of the source artifact).

    As for a dataset, features and dead letters count only if they belong to the event's present source artifact.
    """
    found: dict[int, Record] = {}
    failures, pending = dict(spotted.faults), []
    for event, identity in sorted(spotted.events.items()):
        key = record_key(identity, spotted.video.pipeline)
        source = source_key(identity, spotted.clips[identity])
        record = features.get(key)
        if record is not None and record.source_key == source:
            found[event] = record
        elif (key, source) in failure_sentences:
            failures[event] = failure_sentences[key, source].removeprefix(f"{identity}: ")
        else:
            pending.append(event)
    return EventProgress(found, failures, tuple(pending))

"""A bus and a store with videos that were watched, and trainers on them that a test drives step by step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.bus import Message
from shared.bus.dead_letters import bury_message
from shared.bus.local import LocalBus
from shared.prediction.model import PredictedEvent, PredictedFlag, Prediction, VideoFacts
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.records import Artifact, Record, Sample, artifact_key, json_digest, manifest_key
from shared.store import LocalStore
from shared.video_records import PredictionResult, SpottedVideo, Video
from shared.worker.stage_handler import write_artifact

NAME = "visit 3/own.mp4"


def recipe(number: int = 0) -> str:
    return f"{number:032x}"


def video(name: str = NAME, mark: str = "first", **fields: Any) -> Video:
    plain = {"name": name, "mark": mark, "size": 7, "pipeline": PREDICTION_PIPELINE, "trace": f"{name} {mark}"}
    return Video(**{**plain, **fields})


def event_sample(event: int, name: str = NAME) -> Sample:
    return Sample(dataset=name, subject="face-1", clip=f"event-{event}", onset=event, offset=event + 10, fps=30)


def draft_event(event: int, flags: tuple[PredictedFlag, ...] = ()) -> PredictedEvent:
    return PredictedEvent(
        id=event,
        face=1,
        kind="micro",
        onset_seconds=event,
        apex_seconds=event + 0.2,
        offset_seconds=event + 0.4,
        onset_frame=30 * event,
        apex_frame=30 * event + 6,
        offset_frame=30 * event + 12,
        size_eye_distances=0.02,
        strength=2,
        regions=("mouth-left",),
        flags=flags,
    )


class VideoLab:
    """`events`: ids of the events that were spotted in the video."""

    def __init__(self, home: Path, events: Sequence[int] = (1, 2, 3)) -> None:
        self.home, self.events = home, tuple(events)
        self.bus = LocalBus(home / "bus.sqlite")
        self.store = LocalStore(home / "store")

    def announce(self, uploaded: Video | None = None) -> None:
        uploaded = uploaded or video()
        self.bus.publish("mer.videos", uploaded.key, uploaded.encode())

    def spot(self, uploaded: Video | None = None, number: int = 0, faults: dict[int, str] | None = None) -> None:
        """What the spotter publishes. `number` stands for the content of the video."""
        uploaded = uploaded or video()
        flags = (PredictedFlag(name="blink", reason="The eyes closed."),)
        draft = Prediction(
            video=VideoFacts(name=uploaded.name, frames=300, fps=30, seconds=10, width=640, height=480),
            events=tuple(draft_event(event, flags if event == 2 else ()) for event in self.events),
        )
        clips = [event_sample(event, uploaded.name) for event in self.events if event not in (faults or {})]
        spotted = SpottedVideo(
            video=uploaded,
            sha256=json_digest(number),
            artifact=Artifact(key=f"spotter/own/{recipe(number)}.npz", sha256="0" * 64, size=1),
            recipe=recipe(number),
            clips={clip.identity: recipe(number) for clip in clips},
            events={int(clip.clip.removeprefix("event-")): clip.identity for clip in clips},
            faults=faults or {},
        )
        self.store.put(spotted.draft_key, draft.encode())
        self.store.put(manifest_key(spotted.artifact.key), spotted.encode())
        for event in spotted.events:
            record = self.record(event, "source", self.source(event, number, uploaded.name), number, uploaded.name)
            self.bus.publish("mer.sources", record.key, record.encode())
        self.bus.publish("mer.spotted", spotted.key, spotted.encode())

    def discard_work(self, topic: str, group: str) -> None:
        """Commit everything that waits for `group`, as if its outcome had been published and then lost."""
        member = self.bus.subscribe(topic, group)
        while message := member.take_message(0):
            member.commit(message)
        member.close()

    def extract(self, *events: int, number: int = 0, name: str = NAME) -> None:
        """Publish the features of these events, as the image stages do: maps of equal draws."""
        for event in events or self.events:
            rng, clip = np.random.default_rng([event, number]), event_sample(event, name)
            arrays = {"maps": rng.normal(0, 0.3, (2, 3, 28, 28)).astype(np.float32)}
            artifact = write_artifact(self.store, artifact_key("roi-au", clip, recipe(number)), arrays)
            record = self.record(event, "roi-au", artifact, number, name)
            self.bus.publish("mer.features", record.key, record.encode())

    def bury(self, event: int, reason: str = "no face", number: int = 0) -> None:
        """Publish the dead letter of a stage that could not process the event."""
        record = self.record(event, "ingest", self.source(event, number), number)
        message = Message("mer.clips", 0, event, record.key, record.encode())
        bury_message(self.bus, self.store, "interpolator", message, reason, {})

    def source(self, event: int, number: int, name: str = NAME) -> Artifact:
        key = artifact_key("source", event_sample(event, name), recipe(number))
        return Artifact(key=key, sha256=json_digest([event, number]), size=1)

    def record(self, event: int, stage: str, artifact: Artifact, number: int, name: str = NAME) -> Record:
        return Record(
            sample=event_sample(event, name),
            stage=stage,
            artifact=artifact,
            inputs={"source": self.source(event, number, name)},
            recipe=recipe(number),
            pipeline=PREDICTION_PIPELINE,
            trace="t",
        )

    def results(self) -> dict[str, PredictionResult]:
        """Results by the video's name."""
        found = [PredictionResult.decode(m.value) for m in self.bus.read_newest("mer.predictions").values()]
        return {result.video.name: result for result in found}

    def prediction(self, name: str = NAME) -> Prediction:
        return Prediction.decode(self.store.get(self.results()[name].files["prediction.json"]))

    def published(self, topic: str) -> int:
        return self.bus.group_progress(topic, "nobody").published

    def content(self) -> dict[str, bytes]:
        """What predictions consist of, by key. A request has no content here, because it names creation times."""
        keys = [key for key in self.store.list_keys() if key.startswith(("predictions/", "recognitions/"))]
        return {key: b"" if key.startswith("recognitions/") else self.store.get(key) for key in keys}

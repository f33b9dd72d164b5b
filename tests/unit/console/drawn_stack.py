"""Records of a stack that has seen much: datasets, runs, dead letters and videos in every state. No arrays."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np

from shared.bus import Bus, Message
from shared.bus.dead_letters import bury_message
from shared.dataset_notices import announce_dataset
from shared.feature_index import index_features
from shared.prediction.model import Prediction
from shared.prediction.page.artifacts import EventArtifacts
from shared.records import (
    Artifact,
    Dataset,
    Envelope,
    Figures,
    FoldResult,
    Pipeline,
    Record,
    Run,
    RunResult,
    Sample,
    artifact_key,
    manifest_key,
    quote_segment,
    run_contents_key,
)
from shared.run_contents import RunContents
from shared.spotting.face_motion import FaceMotion
from shared.spotting.stored_motion import MOTION
from shared.store import Store, npz
from shared.training.fold_course import FoldCourse, course_prefix
from shared.training.protocol import LOSO_PROTOCOL
from shared.training.settings import settings_from_profile
from shared.video_progress import measure_event_progress
from shared.video_records import PredictionResult, SpottedVideo, Video
from shared.worker.stage_handler import write_artifact

HOSTILE_NAME = '<img src=x onerror=alert(1)> & "co"/\'s'  # of a dataset, a clip, a video
CORRECTED = Pipeline()
EMOTIONS = ("happiness", "surprise")
STARTED = datetime(2026, 3, 1, 9, tzinfo=UTC)
DONE, FAILED, TRAINING, OTHER = (digit * 32 for digit in "abcd")
LETTERS = 230
LETTER = hashlib.sha256(b"ingest mer.sources/0@0").hexdigest()[:8]  # about the clip with a hostile name
REPORT_PAGE = b"<!doctype html><title>Report</title><h1>Report</h1><script>document.title = 'acted'</script>"
FIGURES = {
    "fmer-lite": Figures(uf1=0.8661, uar=0.886, accuracy=0.8875, au_f1=0.841),
    "linear": Figures(uf1=0.81, uar=0.821, accuracy=0.8125, au_f1=0.686),
    "majority": Figures(uf1=0.119, uar=0.2, accuracy=0.425, au_f1=None),
}


def fill_stack(bus: Bus, store: Store) -> None:
    """Publish and store all of it."""
    publish_datasets(bus, store)
    publish_runs(bus, store)
    publish_letters(bus, store, LETTERS)
    publish_videos(bus, store)


def publish_datasets(bus: Bus, store: Store) -> None:
    """One that is ready with clips left out, one in work whose name is hostile, and one under two pipelines."""
    publish_dataset(bus, store, "lab-2026", features=36, faults=3)
    publish_dataset(bus, store, HOSTILE_NAME, features=2, pending=3, complete=False)
    for profile in ("corrected", "paper"):
        pipeline = Pipeline(profile=profile, overrides={"flow": {"solver": "exact"}} if profile == "paper" else {})
        publish_dataset(bus, store, "twice", features=4, pipeline=pipeline)


def publish_dataset(
    bus: Bus,
    store: Store,
    name: str,
    features: int,
    pending: int = 0,
    faults: int = 0,
    complete: bool = True,
    pipeline: Pipeline = CORRECTED,
) -> None:
    """A dataset of so many clips with features and without."""
    records = [draw_record(name, number, "roi-au", pipeline) for number in range(features + pending)]
    for record in records[:features]:
        publish(bus, "mer.features", record)
    sentences = tuple(f"{name}/s01/EP{number:02}: no apex is annotated." for number in range(90, 90 + faults))
    dataset = Dataset(
        name=name,
        pipeline=pipeline,
        train={"model": "fmer-lite", "epochs": 60},
        clips={record.sample.identity: record.version for record in records},
        faults=sentences,
        complete=complete,
    )
    announce_dataset(bus, store, dataset)


def draw_record(dataset: str, number: int, stage: str, pipeline: Pipeline = CORRECTED) -> Record:
    sample = Sample(
        dataset=dataset,
        subject=f"s{number % 6:02}",
        clip=f"EP{number:02}",
        emotion=EMOTIONS[number % 2],
        onset=0,
        offset=9,
        fps=200,
    )
    source = Artifact(key=artifact_key("source", sample, f"{number:032x}"), sha256=f"{number:064x}", size=1)
    own = source if stage == "source" else Artifact(key=f"{stage}/{number}.npz", sha256=f"{number:064x}", size=1)
    inputs = {} if stage == "source" else {"source": source}
    return Record(
        sample=sample, stage=stage, artifact=own, inputs=inputs, recipe=f"{number:032x}", pipeline=pipeline, trace="t"
    )


def publish_clip(bus: Bus, store: Store, number: int = 0, dataset: str = "lab-2026") -> Record:
    """Give a clip of a dataset arrays of all stages, as small as they can be. Returns its features record.

    Frames are 40 x 32 px. Ingest's are as bright as twice their number, magnified ones as 50 times the factor's place.
    """
    shade = np.ones((40, 32, 3), np.uint8)
    factors = np.array([1.2, 2.0, 3.0])
    flows = np.zeros((3, 9, 2, 40, 32), np.float32)
    flows[:, :, 0] = factors[:, None, None, None]
    stages = {
        "ingest": {"frames": np.stack([2 * n * shade for n in range(60)]), "onset": 0, "apex": 31, "offset": 59},
        "interpolator": {"frames": np.stack([100 * shade] * 10), "positions": np.linspace(0, 59, 10), "apex": 31.0},
        "magnifier": {"frames": np.stack([np.stack([50 * k * shade] * 10) for k in range(3)]), "factors": factors},
        "flow": {"flows": flows, "factors": factors},
        "roi-au": {"landmarks": np.tile([[12.0, 20.0]], (68, 1)), "factors": factors},
    }
    record = draw_record(dataset, number, "source")
    for stage, arrays in stages.items():
        key = artifact_key(stage, record.sample, f"{number:032x}")
        artifact = write_artifact(store, key, {name: np.asarray(array) for name, array in arrays.items()})
        record = record.model_copy(update={"stage": stage, "artifact": artifact, "inputs": record.artifacts})
        store.put(manifest_key(key), record.encode())
    publish(bus, "mer.features", record)
    return record


def publish_runs(bus: Bus, store: Store) -> None:
    """Two that are done, with their files, one that failed, and one of whose folds one is finished."""
    common = {"dataset": "lab-2026", "pipeline": CORRECTED.digest, "model": "fmer-lite", "seed": 3}
    report = {"result": {"per_class": [draw_class("happiness", 14), draw_class("surprise <b>", 22)]}}
    prefix = f"reports/lab-2026/{DONE}/"
    files = {name: f"{prefix}{name}" for name in ("predictions.csv", "report.html", "report.json")}
    store.put(files["report.json"], json.dumps(report).encode())
    store.put(files["report.html"], REPORT_PAGE)
    store.put(files["predictions.csv"], draw_predictions("fmer-lite", 36, wrong=5))
    files["run.json"] = run_contents_key(DONE)
    store.put(files["run.json"], draw_contents(36).encode())
    for result in (
        RunResult(run=DONE, status="done", figures=FIGURES, files=files, created=STARTED, seeds=3, **common),
        RunResult(
            run=FAILED,
            status="failed",
            reason="Expected two subjects at least to test on, got s01 alone.",
            created=STARTED + timedelta(hours=1),
            **common | {"dataset": HOSTILE_NAME},
        ),
    ):
        publish(bus, "mer.results", result)
    other_files = {"predictions.csv": f"reports/lab-2026/{OTHER}/predictions.csv", "run.json": run_contents_key(OTHER)}
    store.put(other_files["predictions.csv"], draw_predictions("linear", 36, wrong=3))
    store.put(other_files["run.json"], draw_contents(36, model="linear").encode())
    ended = {"figures": FIGURES, "files": other_files, "created": STARTED - timedelta(hours=1)}
    publish(bus, "mer.results", RunResult(run=OTHER, status="done", **ended, **common | {"model": "linear"}))
    run = Run(id=TRAINING, created=STARTED + timedelta(hours=2), **common | {"model": "linear"})
    store.put(run.contents_key, draw_contents(6, model="linear").encode())
    publish(bus, "mer.runs", run)
    publish_fold(bus, store, "lab-2026/s01")


def publish_fold(bus: Bus, store: Store, held_out: str) -> None:
    """A finished fold of the run in training, of ten epochs."""
    outcome = f"folds/{held_out}.json"
    epochs = [{"number": n, "loss": 2 / (n + 1), "uf1": n / 9} for n in range(10)]
    store.put(outcome, json.dumps({"epochs": epochs}).encode())
    result = FoldResult(
        run=TRAINING,
        dataset="lab-2026",
        pipeline=CORRECTED.digest,
        learner="linear",
        seed=3,
        held_out=held_out,
        trained_on=5,
        tested_on=1,
        accuracy=1,
        outcome=outcome,
    )
    publish(bus, "mer.results", result)


def store_course(store: Store, held_out: str, epochs: int, learner: str = "linear") -> None:
    """A fold of the run in training that has had so many epochs."""
    loss, uf1 = (tuple(value / 10 for value in range(*span)) for span in ((epochs, 0, -1), (epochs,)))
    course = FoldCourse(learner=learner, seed=3, held_out=held_out, trained_on=5, tested_on=1, loss=loss, uf1=uf1)
    store.put(f"{course_prefix(TRAINING)}{quote_segment(held_out)}.{learner}.json", course.encode())


def draw_contents(clips: int, model: str = "fmer-lite") -> RunContents:
    return RunContents(
        dataset="lab-2026",
        pipeline=CORRECTED.digest,
        settings=settings_from_profile("corrected", model, seed=3).model_dump(mode="json"),
        protocol=LOSO_PROTOCOL.model_dump(mode="json"),
        features=tuple(draw_record("lab-2026", number, "roi-au") for number in range(clips)),
        faults=("lab-2026/s01/EP90: no apex is annotated.",),
    )


def draw_predictions(model: str, clips: int, wrong: int) -> bytes:
    """The predictions of three seeds, one of so many of them wrong."""
    lines = ["learner,seed,held_out,clip,subject,dataset,emotion,predicted,au12,p_au12"]
    for seed in (3, 4, 5):
        for number in range(clips):
            subject, emotion = f"lab-2026/s{number % 6:02}", EMOTIONS[number % 2]
            said = EMOTIONS[(number + 1) % 2] if number % wrong == 0 else emotion
            unit = f"{number % 2},{0.9 if number % 3 else 0.1}"
            lines.append(f"{model},{seed},{subject},{subject}/EP{number:02},{subject},lab-2026,{emotion},{said},{unit}")
    return "\n".join(lines).encode()


def draw_class(name: str, samples: int) -> dict[str, object]:
    return {"class": name, "samples": samples, "f1": 0.9, "recall": 0.875, "precision": 0.927}


def publish_letters(bus: Bus, store: Store, count: int) -> None:
    """Letters of one stage about clips, the first of them with a hostile name, and one of the trainer."""
    for number in range(count - 1):
        record = draw_record(HOSTILE_NAME if number == 0 else "lab-2026", 100 + number, "source")
        message = Message("mer.sources", 0, number, record.key, record.encode())
        reason = f"{record.sample.identity}: no face in frame {number}. Check the frames, then upload them again."
        bury_message(bus, store, "ingest", message, reason, {})
    bury_message(bus, store, "trainer", Message("mer.folds", 0, 0, "3", b"{}"), "MemoryError: 8 GB were asked for.", {})


def bury_clip(
    bus: Bus, store: Store, number: int, reason: str, files: Mapping[str, bytes], dataset: str = ""
) -> Record:
    """A dead letter of ingest about a clip of these files of frames, numbered from 10 on. Returns its record."""
    record = draw_record("lab-2026", number, "source")
    contents = list(files.values())
    arrays = {
        "data": np.frombuffer(b"".join(contents), np.uint8),
        "ends": np.cumsum([len(each) for each in contents]),
        "names": np.array(list(files)),
        "numbers": np.arange(10, 10 + len(files)),
    }
    store.put(record.artifact.key, npz.pack_arrays(arrays))
    bury_message(bus, store, "ingest", Message("mer.sources", 0, number, record.key, record.encode()), reason, {})
    return record


def publish_videos(bus: Bus, store: Store) -> None:
    """One that is watched, one that was refused and one with a prediction."""
    for name, fault in (
        ("interviews/anna 01.mp4", ""),
        (HOSTILE_NAME + ".mp4", "fps: expected more than 0."),
    ):
        publish(bus, "mer.videos", draw_video(name, fault))
    publish_prediction(bus, store, draw_video("interviews/ben 02.mp4"), b'{"events": []}')


def publish_prediction(bus: Bus, store: Store, video: Video, prediction: bytes) -> None:
    """A video whose prediction is in the store."""
    artifact = Artifact(key="spotter/v/r.npz", sha256="0" * 64, size=1)
    spotted = SpottedVideo(video=video, sha256="0" * 64, artifact=artifact, recipe="r", clips={}, events={})
    publish(bus, "mer.videos", video)
    publish(bus, "mer.spotted", spotted)
    recognise_video(bus, store, spotted, [], prediction)


def spot_video(
    bus: Bus, store: Store, video: Video, draft: Prediction, motions: Mapping[int, Sequence[FaceMotion]]
) -> SpottedVideo:
    """A video whose events are spotted, none of them with features yet. The events' clips have their numbers."""
    arrays = {
        f"face{face}/segment{number}/{MOTION}{field.name}": np.asarray(getattr(motion, field.name))
        for face, segments in motions.items()
        for number, motion in enumerate(segments)
        for field in fields(motion)
    }
    events = {event.id: draw_event_record(video, event.id) for event in draft.events if not event.failure}
    spotted = SpottedVideo(
        video=video,
        sha256="0" * 64,
        artifact=write_artifact(store, "spotter/v/r.npz", arrays),
        recipe="r",
        clips={record.sample.identity: record.source_recipe for record in events.values()},
        events={number: record.sample.identity for number, record in events.items()},
        faults={event.id: event.failure for event in draft.events if event.failure},
    )
    store.put(spotted.draft_key, draft.encode())
    publish(bus, "mer.videos", video)
    publish(bus, "mer.spotted", spotted)
    return spotted


def draw_event_record(video: Video, number: int) -> Record:
    """The record of an event's source."""
    sample = Sample(dataset=video.name, subject="face-1", clip=f"event-{number}", onset=0, offset=8, fps=25)
    source = Artifact(key=artifact_key("source", sample, f"{number:032x}"), sha256=f"{number:064x}", size=1)
    return Record(
        sample=sample, stage="source", artifact=source, recipe=f"{number:032x}", pipeline=video.pipeline, trace="t"
    )


def compute_event(bus: Bus, store: Store, video: Video, number: int, artifacts: EventArtifacts) -> Record:
    """What the image stages make of an event. Returns its features record."""
    record = draw_event_record(video, number)
    for field in fields(artifacts):
        stage = "roi-au" if field.name == "features" else field.name
        artifact = write_artifact(store, f"{stage}/event-{number}.npz", getattr(artifacts, field.name))
        record = record.model_copy(update={"stage": stage, "artifact": artifact, "inputs": record.artifacts})
    publish(bus, "mer.features", record)
    return record


def recognise_video(
    bus: Bus, store: Store, spotted: SpottedVideo, features: Sequence[Record], prediction: bytes
) -> None:
    """The prediction of a video whose events have these features or failed."""
    files = {name: f"predictions/ben/{name}" for name in ("prediction.json", "events.csv")}
    store.put(files["prediction.json"], prediction)
    store.put(files["events.csv"], b"video,event\n")
    contents = measure_event_progress(spotted, index_features(features), {}).contents(spotted).digest
    result = PredictionResult(
        contents=contents, video=spotted.video, model="m", faces=1, events=0, flagged=0, recognised=0, files=files
    )
    publish(bus, "mer.predictions", result)


def draw_video(name: str, fault: str = "") -> Video:
    return Video(name=name, mark="m", size=1, fault=fault, trace=name, created=STARTED)


def publish(bus: Bus, topic: str, record: Envelope) -> None:
    bus.publish(topic, record.key, record.encode())  # type: ignore[attr-defined]

"""Messages on every topic that no producer of this version wrote, with odd keys and headers."""

import json
import random
from typing import Any

from shared.bus.topics import DATASETS, FOLDS, RECOGNITIONS, RESULTS, RUNS, SPOTTED, TOPICS, VIDEOS
from shared.dataset_notices import DatasetNotice
from shared.records import (
    Artifact,
    Envelope,
    FoldRequest,
    FoldResult,
    Pipeline,
    Record,
    Run,
    RunResult,
    Sample,
)
from shared.run_contents import RunContents
from shared.video_records import PredictionResult, RecognitionRequest, SpottedVideo, Video
from tests.hostile.texts import ODD_VALUES, make_text

ARTIFACT = Artifact(key="source/d/s/c/r.npz", sha256="0" * 64, size=1)
SAMPLE = Sample(dataset="d", subject="s", clip="c", onset=1, apex=2, offset=3, fps=200)
PIPELINE = Pipeline(overrides={"flow": {}})
RUN = Run(id="ab" * 16, dataset="d", pipeline=PIPELINE.digest, model="majority", seed=1)
VIDEO = Video(name="own.mp4", mark="m", size=1, trace="t")
RECORD = Record(
    sample=SAMPLE,
    stage="source",
    artifact=ARTIFACT,
    inputs={"ingest": ARTIFACT, "interpolator": ARTIFACT, "magnifier": ARTIFACT, "flow": ARTIFACT},
    recipe="r",
    pipeline=PIPELINE,
    trace="t",
)
SPOTTED_VIDEO = SpottedVideo(
    video=VIDEO, sha256="0" * 64, artifact=ARTIFACT, recipe="r", clips={"d/s/c": "r"}, events={1: "d/s/c"}
)
CONTENTS = RunContents(dataset="d", pipeline=PIPELINE.digest, settings={"model": "majority"}, features=(RECORD,))
SOUND: dict[str, Envelope] = {
    DATASETS.name: DatasetNotice(contents="0" * 64, clips=1, faults=0, complete=True),
    VIDEOS.name: VIDEO,
    SPOTTED.name: SPOTTED_VIDEO,
    RUNS.name: RUN,
    FOLDS.name: FoldRequest(run=RUN, learner="majority", seed=1, held_out="s"),
    RECOGNITIONS.name: RecognitionRequest(contents="0" * 32, model="m", video=VIDEO),
    "mer.predictions": PredictionResult(
        contents="c", video=VIDEO, model="m", faces=1, events=1, flagged=0, recognised=0, files={}
    ),
}
RESULTS_OF_RUN = (
    RunResult(run=RUN.id, dataset="d", pipeline="p", model="majority", status="done", files={"report.json": "k"}),
    FoldResult(
        run=RUN.id,
        dataset="d",
        pipeline="p",
        learner="majority",
        seed=1,
        held_out="s",
        trained_on=1,
        tested_on=1,
        accuracy=1,
        outcome="k",
    ),
)
NOTIFICATION = {"Records": [{"s3": {"bucket": {"name": "datasets"}, "object": {"key": "d/clips.csv"}}}]}
HEADERS = {
    "reason": "r",
    "origin": "mer.sources/0/0",
    "key": "k",
    "stored": "dead-letters/x",
    "stage": "flow",
    "attempts": "1",
}


def make_message(draw: random.Random) -> tuple[str, str, bytes | None, dict[str, str]]:
    """(topic, key, value, headers). A tombstone has the value None."""
    topic = draw.choice(tuple(TOPICS))
    sound = draw_sound_message(topic, draw)
    key = draw.choice((sound.key if isinstance(sound, Record | Video | Run) else "d/s/c@0", make_key(draw)))
    headers = {name: value if draw.random() < 0.7 else make_key(draw) for name, value in HEADERS.items()}
    chosen = {name: headers[name] for name in draw.sample(sorted(headers), draw.randint(0, len(headers)))}
    if draw.random() < 0.05:
        return topic, key, None, {}
    plain = sound if isinstance(sound, dict) else json.loads(sound.encode())
    return topic, key, make_text(plain, draw), chosen if topic.endswith(".dlq") else {}


def draw_sound_message(topic: str, draw: random.Random) -> Envelope | dict[str, Any]:
    """A message as a producer would write it."""
    if topic == RESULTS.name:
        return draw.choice(RESULTS_OF_RUN)
    return NOTIFICATION if topic == "mer.bucket-events" else SOUND.get(topic, RECORD)


def make_key(draw: random.Random) -> str:
    return draw.choice([value for value in ODD_VALUES if isinstance(value, str)])

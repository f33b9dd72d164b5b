"""The truth of a long drawn video as a JSON file: docs/reference/long-video-truth.md lists every field."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from merstream.synth.long_events import EventKind, EventSide, VideoEvent
from merstream.synth.long_video import LongVideo
from merstream.synth.warping import Floats
from shared.errors import BadData, first_problem

LONG_TRUTH_FORMAT = 1
SIDES: dict[str, EventSide] = {"L": "left", "R": "right", "": "both"}
BLINK_AU, WINK_AU = 45, 46


class _TruthPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UnitPeak(_TruthPart):
    """An action unit on one side (`both` for units on the midline), and its displacement at the apex."""

    au: int
    side: EventSide
    peak_px: float
    peak_eye_distances: float


class SpeechFacts(_TruthPart):
    """The loudest syllable's opening of the lips, and the rate of the syllables."""

    opening_px: float
    opening_eye_distances: float
    syllables_per_second: float


class PostureChange(_TruthPart):
    """What the head does from onset to offset: px and degrees; turn: the nose to the picture's right; nod: down."""

    x_px: float
    y_px: float
    roll_degrees: float
    turn_degrees: float
    nod_degrees: float


class LightChange(_TruthPart):
    """Factors on the light before and after, and the relative change to the picture's right per eye distance."""

    gain_before: float
    gain_after: float
    side_before: float
    side_after: float


class TrueEvent(_TruthPart):
    """One event. Seconds are exact; frames are those whose times are the nearest."""

    id: int
    kind: EventKind
    onset_seconds: float
    apex_seconds: float
    offset_seconds: float
    onset_frame: int
    apex_frame: int
    offset_frame: int
    side: EventSide
    emotion: str | None
    action_units: tuple[UnitPeak, ...]
    speech: SpeechFacts | None
    posture: PostureChange | None
    light: LightChange | None
    overlaps: tuple[int, ...]


class VideoTruth(_TruthPart):
    """Everything about one drawn video."""

    format: Literal[1] = 1
    video: str
    seed: int
    subject: int
    number: int
    seconds: float
    frames: int
    fps: float
    variable_rate: bool
    width: int
    height: int
    eye_distance_px: float
    lid_opening_px: tuple[float, float]
    noise_grey_levels: float
    crf: int
    landmarks_px: tuple[tuple[float, float], ...]
    difficulty: dict[str, Any]
    settings: dict[str, Any]
    events: tuple[TrueEvent, ...]


def describe_truth(video: LongVideo, name: str, crf: int) -> VideoTruth:
    """The truth of `video`, encoded with `crf` in the file `name`."""
    landmarks = video.person.landmarks
    eye = video.eyes[0].face.eye_distance
    return VideoTruth(
        video=name,
        seed=video.seed,
        subject=video.subject,
        number=video.number,
        seconds=video.seconds,
        frames=video.frame_count,
        fps=float(video.rate),
        variable_rate=video.variable,
        width=video.size[1],
        height=video.size[0],
        eye_distance_px=round(eye, 4),
        lid_opening_px=(round(video.eyes[0].opening * eye, 4), round(video.eyes[1].opening * eye, 4)),
        noise_grey_levels=video.difficulty.noise,
        crf=crf,
        landmarks_px=tuple((round(float(x), 3), round(float(y), 3)) for x, y in landmarks),
        difficulty=video.difficulty.model_dump(mode="json"),
        settings=video.settings.model_dump(mode="json"),
        events=tuple(
            _describe_event(video, event, at, eye, overlaps)
            for (at, event), overlaps in zip(enumerate(video.events), list_overlaps(video.events), strict=True)
        ),
    )


def list_overlaps(events: Sequence[VideoEvent]) -> list[tuple[int, ...]]:
    """For each event the places of those that share time with it. `events` are sorted by onset."""
    found: list[list[int]] = [[] for _ in events]
    running: list[int] = []
    for at, event in enumerate(events):
        running = [other for other in running if events[other].offset > event.onset]
        for other in running:
            found[at].append(other)
            found[other].append(at)
        running.append(at)
    return [tuple(sorted(others)) for others in found]


def _describe_event(video: LongVideo, event: VideoEvent, at: int, eye: float, overlaps: tuple[int, ...]) -> TrueEvent:
    units = [(unit, video.scale * peak) for unit, peak in event.units]
    number = WINK_AU if event.side != "both" else BLINK_AU
    units += [(f"{number}{side}", video.eyes["LR".index(side)].opening * eye) for side in event.closed]
    onset, apex, offset = event.onset, event.apex, event.offset
    return TrueEvent(
        id=at,
        kind=event.kind,
        onset_seconds=round(onset, 6),
        apex_seconds=round(apex, 6),
        offset_seconds=round(offset, 6),
        onset_frame=video.nearest_frame(onset),
        apex_frame=video.nearest_frame(apex),
        offset_frame=video.nearest_frame(offset),
        side=event.side,
        emotion=event.emotion,
        action_units=tuple(
            UnitPeak(
                au=int(unit.rstrip("LR")),
                side=SIDES[unit.lstrip("0123456789")],
                peak_px=round(peak, 4),
                peak_eye_distances=round(peak / eye, 6),
            )
            for unit, peak in units
        ),
        speech=_describe_speech(event, eye) if event.kind == "speech" else None,
        posture=_describe_posture(event, video.scale) if event.kind == "posture" else None,
        light=_describe_light(event) if event.kind == "light" else None,
        overlaps=overlaps,
    )


def _describe_speech(event: VideoEvent, eye: float) -> SpeechFacts:
    syllables = len(event.times) // 2  # start, a peak each, a dip between two, end
    return SpeechFacts(
        opening_px=round(event.opening * eye, 4),
        opening_eye_distances=round(event.opening, 6),
        syllables_per_second=round(syllables / (event.offset - event.onset), 4),
    )


def _describe_posture(event: VideoEvent, scale: float) -> PostureChange:
    change: Floats = np.array(event.after) - np.array(event.before)
    x, y = (round(float(v) * scale, 4) for v in change[:2])
    roll, turn, nod = (round(float(v), 4) for v in np.rad2deg(change[2:]))
    return PostureChange(x_px=x, y_px=y, roll_degrees=roll, turn_degrees=turn, nod_degrees=nod)


def _describe_light(event: VideoEvent) -> LightChange:
    (gain, side), (gain_after, side_after) = event.before, event.after
    return LightChange(
        gain_before=round(gain, 5),
        gain_after=round(gain_after, 5),
        side_before=round(side, 5),
        side_after=round(side_after, 5),
    )


def write_truth(file: Path, truth: VideoTruth) -> None:
    """Write the truth as JSON, one line per fact and one per event; equal truths give equal bytes."""
    facts = truth.model_dump(mode="json")
    events = ",\n".join(f"  {json.dumps(event)}" for event in facts.pop("events"))
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in facts.items()]
    lines.append(f' "events": [\n{events}\n ]')
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_truth(file: Path) -> VideoTruth:
    """Read a file of `write_truth`. Raises BadData for anything else."""
    try:
        return VideoTruth.model_validate_json(file.read_bytes())
    except ValidationError as error:
        where, found, why = first_problem(error)
        raise BadData(
            f"{file}: expected the truth of a drawn video, format {LONG_TRUTH_FORMAT}; {where or 'the file'} is "
            f"{repr(found)[:60]}: {why}. Draw it again with `mer synth --long`."
        ) from None

